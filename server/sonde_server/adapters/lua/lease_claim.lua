-- ARGV[3] the life that claims. Lives whose members are its care now: those whose lease ran out, what those had
-- claimed and not finished, and what it has not finished itself.
local now = string.format('%.0f', now_ms())
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now_ms() - 86400000))
for _, life in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  if life ~= ARGV[3] then
    redis.call('ZREM', KEYS[1], life)
    redis.call('ZADD', KEYS[2], now, life)
    redis.call('HSET', KEYS[3], life, ARGV[3])
    local pending = redis.call('HGETALL', KEYS[3])
    for i = 1, #pending, 2 do
      if pending[i + 1] == life then redis.call('HSET', KEYS[3], pending[i], ARGV[3]) end
    end
  end
end
local mine, pending = {}, redis.call('HGETALL', KEYS[3])
for i = 1, #pending, 2 do
  if pending[i + 1] == ARGV[3] then table.insert(mine, pending[i]) end
end
return mine
