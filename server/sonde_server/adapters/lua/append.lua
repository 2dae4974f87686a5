-- KEYS[4] the session's answers, if a command is recorded; ARGV[7] the entry; ARGV[8] ms that answers are kept;
-- ARGV[9] generation; ARGV[10] number.
local m, now = opened(), now_ms()
if KEYS[4] then
  local g = known(KEYS[4], now, tonumber(ARGV[8]))
  if g and tonumber(ARGV[9]) < g then return {'fenced'} end
  if g then
    local seq = redis.call('HGET', KEYS[4], ARGV[10])
    if seq then return {m.epoch, tonumber(seq), 0, 0} end
  end
  record(KEYS[4], now, tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), m.seq + 1)
end
add(m, now, ARGV[7])
trim(m, now)
return {m.epoch, m.seq, 1, now}
