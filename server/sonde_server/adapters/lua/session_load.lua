local r = redis.call('HMGET', KEYS[1], 'until', 'generation', 'node', 'secret', 'previous', 'connected', 'rest')
if not r[1] or tonumber(r[1]) <= now_ms() then return false end
return r
