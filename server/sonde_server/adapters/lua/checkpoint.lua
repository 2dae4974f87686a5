-- ARGV[7] the epoch; ARGV[8] the seq; ARGV[9] the document.
local m, seq = opened(), tonumber(ARGV[8])
if m.epoch ~= ARGV[7] or seq <= m.kept or seq > m.seq then return 0 end
redis.call('SET', KEYS[3], ARGV[9], 'EX', ARGV[4])
redis.call('HSET', KEYS[1], 'kept', seq)
m.kept = seq
trim(m, now_ms())
return 1
