-- KEYS[1] seats, KEYS[2] version. A seat is 'generation|keeper|version|born|member'.
local function seat_of(session)
  local text = redis.call('HGET', KEYS[1], session)
  if not text then return nil end
  local generation, keeper, version, born, member = string.match(text, '^(%d+)|([^|]*)|(%d+)|(%d+)|(.*)$')
  return {generation = tonumber(generation), keeper = keeper, version = version, born = born, member = member}
end

-- Above all earlier ones, also when the store has lost them: the clock is part of it.
local function next_version()
  local t = redis.call('TIME')
  local version = tonumber(redis.call('GET', KEYS[2]) or '0') + 1
  local by_clock = tonumber(t[1]) * 1000000 + tonumber(t[2])
  if by_clock > version then version = by_clock end
  local text = string.format('%.0f', version)
  redis.call('SET', KEYS[2], text, 'EX', 86400)
  return text
end
