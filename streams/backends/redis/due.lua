#!lua flags=no-writes
-- Rows with a due time after (score, name), at most so many, in order: by score, then by the bytes of the name. The place
-- is found by rank, among rows of the same score by halving: a page costs the same wherever it begins.
-- KEYS: due · ARGV: score, name, how many · Answers: name, score, name, score, …
local due, score, name, limit = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])

-- Lua's own comparison follows the server's locale.
local function greater(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x > y end
  end
  return #a > #b
end

local low = redis.call('ZCOUNT', due, '-inf', '(' .. score)
local high = redis.call('ZCOUNT', due, '-inf', score)
while low < high do
  local middle = math.floor((low + high) / 2)
  if greater(redis.call('ZRANGE', due, middle, middle)[1], name) then high = middle else low = middle + 1 end
end
return redis.call('ZRANGE', due, low, low + limit - 1, 'WITHSCORES')
