-- ARGV[3] session; ARGV[4] generation; ARGV[5] the keeper that it must have, '' for any.
local seat = seat_of(ARGV[3])
if not seat or seat.generation > tonumber(ARGV[4]) then return 0 end
if ARGV[5] ~= '' and seat.keeper ~= ARGV[5] then return 0 end
redis.call('HDEL', KEYS[1], ARGV[3])
return tonumber(next_version())
