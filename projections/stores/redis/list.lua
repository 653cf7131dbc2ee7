#!lua flags=no-writes
-- The newest commands of a partition that fulfil all conditions, from a place on.
-- KEYS: the commands, their entries
-- ARGV: most commands, most entries that are looked at, the place after which they stand or '' for all, the
--   last place that counts or '' for all, and of each condition: letter, digest, `+` if the letter's entries find all
-- Answers: the place to go on after, '' if that was all; then place and summary of each
local most, looks, place, floor = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3], ARGV[4]
local offsets = {s = 10, o = 26, r = 42, k = 58}

-- 1. The condition with the fewest commands is walked, the others are looked at. No text in UTF-8 has the byte 255: nine
--    of them stand behind every place.
local beyond = string.rep('\255', 9)
local prefix, walked, fewest = 't', nil, nil
for i = 5, #ARGV, 3 do
  if ARGV[i + 2] == '+' then
    local begin = ARGV[i] .. ARGV[i + 1]
    local count = redis.call('ZLEXCOUNT', KEYS[2], '[' .. begin, '(' .. begin .. beyond)
    if not fewest or count < fewest then
      prefix, walked, fewest = begin, i, count
    end
  end
end
local checks = {}
for i = 5, #ARGV, 3 do
  if i ~= walked then checks[#checks + 1] = {offsets[ARGV[i]], ARGV[i + 1]} end
end

-- 2.
local from = '(' .. prefix .. (place ~= '' and place or beyond)
local asked = #checks == 0 and math.min(most, looks) or looks
local entries = redis.call('ZREVRANGEBYLEX', KEYS[2], from, '[' .. prefix .. floor, 'LIMIT', 0, asked)
if #entries == 0 then return {''} end
local found, ids = {''}, {}
for i, entry in ipairs(entries) do ids[i] = string.sub(entry, #prefix + 9) end

-- 3. In steps, so that what is not needed is not read.
local step = #checks == 0 and 1000 or 200
for first = 1, #ids, step do
  local last = math.min(first + step - 1, #ids)
  for i, value in ipairs(redis.call('HMGET', KEYS[1], unpack(ids, first, last))) do
    local fits = value
    for _, check in ipairs(checks) do
      fits = fits and string.sub(value, check[1], check[1] + 15) == check[2]
    end
    local at = string.sub(entries[first + i - 1], #prefix + 1)
    if fits then
      found[#found + 1] = at
      found[#found + 1] = string.sub(value, 74)
    end
    if #found > 2 * most then
      found[1] = at
      return found
    end
  end
end
if #entries == asked then found[1] = string.sub(entries[#entries], #prefix + 1) end
return found
