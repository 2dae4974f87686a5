-- KEYS[1] what was revoked of the user; ARGV[3] which; ARGV[4] ms to remember it; ARGV[5] the revocation.
local until_ms = string.format('%.0f', now_ms() + tonumber(ARGV[4]))
redis.call('HSET', KEYS[1], ARGV[3], until_ms .. '|' .. ARGV[5])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return 1
