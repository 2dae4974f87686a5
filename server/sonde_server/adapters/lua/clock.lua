-- ARGV[1]: ms that tests add to the server's clock; ARGV[2]: the identity of the store's data.
local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000) + tonumber(ARGV[1])
end
