-- ARGV[3] the generation, which must be the present one; ARGV[4] ms to live from now on, 0 ends the session, -1 leaves
-- it as it is; then fields and values.
local r, now, ttl = redis.call('HMGET', KEYS[1], 'until', 'generation'), now_ms(), tonumber(ARGV[4])
if not r[1] or tonumber(r[1]) <= now or r[2] ~= ARGV[3] then return 0 end
if ttl == 0 then return redis.call('DEL', KEYS[1]) end
if ttl > 0 then
  redis.call('HSET', KEYS[1], 'until', string.format('%.0f', now + ttl))
  redis.call('PEXPIRE', KEYS[1], ttl)
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
return 1
