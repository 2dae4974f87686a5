-- ARGV[3] a keeper; ARGV[4] the keeper that takes them over, '' to leave them. Seats as they were.
local all, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local seat = seat_of(all[i])
  if seat.keeper == ARGV[3] then
    table.insert(found, all[i + 1])
    if ARGV[4] ~= '' then
      redis.call('HSET', KEYS[1], all[i],
                 table.concat({seat.generation, ARGV[4], seat.version, seat.born, seat.member}, '|'))
    end
  end
end
return found
