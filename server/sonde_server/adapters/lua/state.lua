local m = opened()
local tail = redis.call('XRANGE', KEYS[2], string.format('%.0f', m.kept + 1), '+')
return {m.epoch, m.seq, redis.call('GET', KEYS[3]) or '', m.delta, m.deltas, m.kept, tail}
