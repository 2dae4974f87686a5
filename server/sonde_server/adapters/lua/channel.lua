-- What all scripts of a channel share. KEYS[1] meta, KEYS[2] log, KEYS[3] checkpoint.
-- ARGV[3]: a fresh epoch, used when a new life begins; ARGV[4]: s until an untouched channel is forgotten;
-- ARGV[5]: entries kept; ARGV[6]: ms that an entry is kept.
local META = {'epoch', 'seq', 'start', 'delta', 'deltas', 'kept', 'identity'}

-- A channel that does not exist begins. One whose store restarted or failed over begins another life: its count and
-- its document go on, but no older entry can be replayed, since acknowledged ones may be missing.
local function opened()
  local m = redis.call('HMGET', KEYS[1], unpack(META))
  if not m[1] then
    redis.call('DEL', KEYS[2], KEYS[3])
    m = {ARGV[3], '0', '0', '0', '0', '0', ARGV[2]}
    redis.call('HSET', KEYS[1], 'epoch', m[1], 'seq', 0, 'start', 0, 'delta', 0, 'deltas', 0, 'kept', 0, 'identity', m[7])
  elseif m[7] ~= ARGV[2] then
    m[1], m[3], m[7] = ARGV[3], m[2], ARGV[2]
    redis.call('HSET', KEYS[1], 'epoch', m[1], 'start', m[3], 'identity', m[7])
  end
  for i = 1, 3 do redis.call('EXPIRE', KEYS[i], ARGV[4]) end
  return {epoch = m[1], seq = tonumber(m[2]), start = tonumber(m[3]), delta = tonumber(m[4]),
          deltas = tonumber(m[5]), kept = tonumber(m[6])}
end

local function seq_of(id) return tonumber(string.match(id, '^(%d+)')) end
local function born_of(id) return tonumber(string.match(id, '-(%d+)$')) end

local function oldest()
  local e = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
  return e[1] and e[1][1]
end

-- Drop what is over the limits, but never what the document cannot be rebuilt without.
local function trim(m, now)
  local floor = m.seq
  if m.delta > m.kept then floor = m.kept end
  local by_number = m.seq - tonumber(ARGV[5])
  if by_number > floor then by_number = floor end
  local first = oldest()
  if first and by_number >= seq_of(first) then
    redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', by_number + 1))
    first = oldest()
  end
  while first and seq_of(first) <= floor and born_of(first) < now - tonumber(ARGV[6]) do
    local old, upto = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 100), nil
    for _, e in ipairs(old) do
      if seq_of(e[1]) > floor or born_of(e[1]) >= now - tonumber(ARGV[6]) then break end
      upto = seq_of(e[1])
    end
    redis.call('XTRIM', KEYS[2], 'MINID', string.format('%.0f', upto + 1))
    first = oldest()
  end
end

-- The oldest entry that may be replayed; seq + 1 when there is none.
local function first_of(m)
  local first = oldest()
  local seq = first and seq_of(first) or m.seq + 1
  if seq <= m.start then seq = m.start + 1 end
  return seq
end

local function top_of(m) return {m.epoch, m.seq, first_of(m), m.delta} end

local function add(m, now, blob)
  m.seq = m.seq + 1
  redis.call('XADD', KEYS[2], string.format('%.0f-%.0f', m.seq, now), 'e', blob)
  redis.call('HSET', KEYS[1], 'seq', m.seq)
  redis.call('EXPIRE', KEYS[2], ARGV[4])
end
