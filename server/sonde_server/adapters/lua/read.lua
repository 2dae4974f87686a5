-- ARGV[7] the epoch; ARGV[8] the seq after which; ARGV[9] how many at most.
if not redis.call('HGET', KEYS[1], 'epoch') then return {} end
local m = opened()
if m.epoch ~= ARGV[7] then return {} end
trim(m, now_ms())
local after = tonumber(ARGV[8])
if after < m.start then after = m.start end
return redis.call('XRANGE', KEYS[2], string.format('%.0f', after + 1), '+', 'COUNT', ARGV[9])
