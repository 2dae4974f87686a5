-- ARGV[3] session; ARGV[4] generation; ARGV[5] keeper; ARGV[6] the member.
local seat = seat_of(ARGV[3])
if seat and seat.generation > tonumber(ARGV[4]) then return 0 end
local version = next_version()
local born = seat and seat.born or version
redis.call('HSET', KEYS[1], ARGV[3], table.concat({ARGV[4], ARGV[5], version, born, ARGV[6]}, '|'))
return tonumber(version)
