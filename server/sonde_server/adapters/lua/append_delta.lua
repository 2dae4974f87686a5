-- KEYS[4…] the answers of every contributor; ARGV[7] the entry ('' appends nothing); ARGV[8] ms that answers are kept;
-- ARGV[9], ARGV[10] epoch and seq of the delta that this one follows; then generation and number of each contributor.
local m, now, ttl = opened(), now_ms(), tonumber(ARGV[8])
if m.epoch ~= ARGV[9] or m.delta ~= tonumber(ARGV[10]) then return {'stale'} end
local void = {'void'}
for i = 4, #KEYS do
  local generation, number = tonumber(ARGV[3 + 2 * i]), ARGV[4 + 2 * i]
  local g = known(KEYS[i], now, ttl)
  local seq = g and redis.call('HGET', KEYS[i], number)
  if seq then
    table.insert(void, {i - 4, tonumber(seq)})
  elseif g and generation < g then
    table.insert(void, {i - 4, -1})
  end
end
if #void > 1 then return void end
local seq = m.delta
if ARGV[7] ~= '' then seq = m.seq + 1 end
for i = 4, #KEYS do
  record(KEYS[i], now, ttl, tonumber(ARGV[3 + 2 * i]), tonumber(ARGV[4 + 2 * i]), seq)
end
if ARGV[7] == '' then return {m.epoch, seq, 0, 0} end
add(m, now, ARGV[7])
m.delta, m.deltas = m.seq, m.deltas + 1
redis.call('HSET', KEYS[1], 'delta', m.delta, 'deltas', m.deltas)
trim(m, now)
return {m.epoch, m.seq, 1, now}
