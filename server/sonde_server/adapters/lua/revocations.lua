local all, now, left = redis.call('HGETALL', KEYS[1]), now_ms(), {}
for i = 1, #all, 2 do
  local until_ms, revocation = string.match(all[i + 1], '^(%d+)|(.*)$')
  if tonumber(until_ms) > now then
    table.insert(left, revocation)
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return left
