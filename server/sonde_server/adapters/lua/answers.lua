-- What a session's commands were answered with, in a hash of its own: 'g' its newest generation, 't' when it was
-- touched last, 'n' its highest number, and a field a number.
local WINDOW = 64

local function known(key, now, ttl_ms)
  local a = redis.call('HMGET', key, 'g', 't')
  if not a[1] then return nil end
  if tonumber(a[2]) + ttl_ms <= now then
    redis.call('DEL', key)
    return nil
  end
  return tonumber(a[1])
end

local function touch(key, now, ttl_ms, generation)
  local g = known(key, now, ttl_ms)
  if not g or generation > g then g = generation end
  redis.call('HSET', key, 'g', g, 't', string.format('%.0f', now))
  redis.call('PEXPIRE', key, ttl_ms)
end

local function record(key, now, ttl_ms, generation, id, seq)
  touch(key, now, ttl_ms, generation)
  local newest = tonumber(redis.call('HGET', key, 'n') or '0')
  if id > newest then newest = id end
  redis.call('HSET', key, 'n', newest, id, seq)
  if redis.call('HLEN', key) > 2 * WINDOW then
    for _, field in ipairs(redis.call('HKEYS', key)) do
      local number = tonumber(field)
      if number and number <= newest - WINDOW then redis.call('HDEL', key, field) end
    end
  end
end
