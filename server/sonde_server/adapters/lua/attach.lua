-- KEYS[4] the session's answers; ARGV[7] ms that they are kept; ARGV[8] its generation.
local m, now = opened(), now_ms()
local g = known(KEYS[4], now, tonumber(ARGV[7]))
if g and tonumber(ARGV[8]) < g then return {'fenced'} end
touch(KEYS[4], now, tonumber(ARGV[7]), tonumber(ARGV[8]))
trim(m, now)
return top_of(m)
