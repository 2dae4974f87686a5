local version = redis.call('GET', KEYS[2])
if not version then version = '0' end
return {tonumber(version), redis.call('HVALS', KEYS[1])}
