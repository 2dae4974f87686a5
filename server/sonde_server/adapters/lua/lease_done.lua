-- ARGV[3] the life that claimed; ARGV[4] the lost life whose members are all taken over.
if redis.call('HGET', KEYS[3], ARGV[4]) == ARGV[3] then redis.call('HDEL', KEYS[3], ARGV[4]) end
return 1
