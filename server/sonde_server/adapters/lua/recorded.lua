-- KEYS[1] the session's answers; ARGV[3] ms that they are kept; ARGV[4] the number.
local g = known(KEYS[1], now_ms(), tonumber(ARGV[3]))
return g and tonumber(redis.call('HGET', KEYS[1], ARGV[4]) or -1) or -1
