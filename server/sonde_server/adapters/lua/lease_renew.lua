-- KEYS[1] until, KEYS[2] claimed, KEYS[3] pending; ARGV[3] the life; ARGV[4] ms.
local now = now_ms()
local known = redis.call('ZSCORE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[4])), ARGV[3])
if redis.call('ZREM', KEYS[2], ARGV[3]) == 1 then return 'claimed' end
return known and 'held' or 'new'
