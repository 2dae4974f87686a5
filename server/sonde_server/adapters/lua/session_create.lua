-- KEYS[1] the record; ARGV[3] ms to live; then fields and values.
local now = now_ms()
local until_ms = redis.call('HGET', KEYS[1], 'until')
if until_ms and tonumber(until_ms) > now then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + tonumber(ARGV[3])), unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
