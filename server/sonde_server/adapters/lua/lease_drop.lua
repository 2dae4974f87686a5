-- ARGV[3] the life; ARGV[4] 1 when members are left that another node may claim at once.
redis.call('ZREM', KEYS[2], ARGV[3])
if ARGV[4] == '1' then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now_ms()), ARGV[3])
else
  redis.call('ZREM', KEYS[1], ARGV[3])
end
return 1
