-- ARGV[3] the digest shown; ARGV[4] the new one; ARGV[5] the node; ARGV[6] ms to live.
local r, now = redis.call('HMGET', KEYS[1], 'until', 'generation', 'node', 'secret', 'previous', 'connected', 'rest'), now_ms()
if not r[1] or tonumber(r[1]) <= now then return false end
if ARGV[3] ~= r[4] and (r[5] == '' or ARGV[3] ~= r[5]) then return false end
local generation = tonumber(r[2]) + 1
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + tonumber(ARGV[6])), 'generation', generation,
           'node', ARGV[5], 'secret', ARGV[4], 'previous', ARGV[3], 'connected', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return {generation, r[3], r[7]}
