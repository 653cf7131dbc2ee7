#!lua flags=no-writes
-- The first rows of a partition that fulfil all conditions, in order, from a place on.
-- KEYS: the head, the rows of a unit, their entries
-- ARGV: the field of the unit's position, most rows, most entries that are looked at, entries that are few, `+` or `-` for
--   the direction, number of the field that sorts (0: the key), count of its ranges, and of each, in the direction, both
--   ends; then of each condition: number of the field, count of its spans, and of each: from, before ('' for all that
--   follow) and both ends of its entries
-- Answers: the position; the entry to go on after, '' if that was all; then entry and value of each row
local most, looks, few = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local down, sort = ARGV[5] == '-', tonumber(ARGV[6])
local rows, index = KEYS[2], KEYS[3]

local function prefix(number)
  if number == 0 then return 'k' end
  return 'f' .. string.char(math.floor((number - 1) / 256), (number - 1) % 256)
end

-- Bytes compare as bytes: `<` would follow the server's locale.
local function before(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

-- Where the code ends that begins at the fourth byte of an entry (`order.py`): 257 bytes and a digest if it was cut.
local function code_end(entry)
  local kind = string.byte(entry, 4)
  if kind < 0x30 or kind == 0x31 then return 4 end
  if kind <= 0x32 then
    local more = kind == 0x32 and 1 or 0
    for at = 9, 259 do
      if string.byte(entry, at) % 2 ~= more then return at end
    end
    return 276
  end
  local at = string.find(entry, '\0', 5, true)
  return at and at <= 259 and at or 276
end

local function key_of(entry)
  if string.sub(entry, 1, 1) == 'k' then return string.sub(entry, 2) end
  return string.sub(entry, code_end(entry) + 1)
end

-- The code of a field of a row.
local function code_of(value, number)
  local at = 1
  for _ = 2, number do
    local high, low = string.byte(value, at, at + 1)
    at = at + 2 + high * 256 + low
  end
  local high, low = string.byte(value, at, at + 1)
  return string.sub(value, at + 2, at + 1 + high * 256 + low)
end

local function within(spans, place)
  for _, span in ipairs(spans) do
    -- A span of one code is found by what is equal to it, and most are.
    if place == span.low then return true end
    if not span.one and not before(place, span.low) and (span.high == '' or before(place, span.high)) then
      return true
    end
  end
  return false
end

-- 1. What is asked.
local walked, conditions = {}, {}
local at = 8
for _ = 1, tonumber(ARGV[7]) do
  walked[#walked + 1] = {ARGV[at], ARGV[at + 1]}
  at = at + 2
end
while at <= #ARGV do
  local condition = {number = tonumber(ARGV[at]), spans = {}}
  for first = at + 2, at + 4 * ARGV[at + 1], 4 do
    condition.spans[#condition.spans + 1] = {
      low = ARGV[first], high = ARGV[first + 1], from = ARGV[first + 2], to = ARGV[first + 3],
      one = ARGV[first + 1] == ARGV[first] .. '\255'
    }
  end
  at = at + 2 + 4 * ARGV[at + 1]
  conditions[#conditions + 1] = condition
end
local function fits(key, value, but)
  for _, condition in ipairs(conditions) do
    if condition ~= but then
      local number = condition.number
      if not within(condition.spans, number == 0 and key or code_of(value, number)) then return false end
    end
  end
  return true
end

local answer = {redis.call('HGET', KEYS[1], ARGV[1]), ''}

-- 2. A condition that few entries fulfil, and fewer than the walk would look at, is read instead, and sorted.
local way, fewest = nil, few + 1
local all = 0
if #conditions > 0 then
  for _, range in ipairs(walked) do
    all = all + redis.call('ZLEXCOUNT', index, down and range[2] or range[1], down and range[1] or range[2])
  end
  for _, condition in ipairs(conditions) do
    if condition.number ~= sort then
      local count = 0
      for _, span in ipairs(condition.spans) do count = count + redis.call('ZLEXCOUNT', index, span.from, span.to) end
      if count < fewest and count * count <= most * all then
        way, fewest = condition, count
      end
    end
  end
end

local function inside(entry)
  for _, range in ipairs(walked) do
    local low, high = down and range[2] or range[1], down and range[1] or range[2]
    local open = string.sub(low, 1, 1) == '('
    low, high = string.sub(low, 2), string.sub(high, 2)
    if (entry == low and not open or before(low, entry)) and before(entry, high) then return true end
  end
  return false
end

if way then
  local best, values = {}, {}
  for _, span in ipairs(way.spans) do
    local entries = redis.call('ZRANGEBYLEX', index, span.from, span.to)
    for first = 1, #entries, 200 do
      local keys = {}
      for i = first, math.min(first + 199, #entries) do keys[#keys + 1] = key_of(entries[i]) end
      for i, value in ipairs(redis.call('HMGET', rows, unpack(keys))) do
        local key = keys[i]
        local entry = prefix(sort) .. (sort == 0 and '' or code_of(value, sort)) .. key
        local function sooner(other)
          if down then return before(other, entry) end
          return before(entry, other)
        end
        if inside(entry) and fits(key, value, way) and (#best <= most or sooner(best[#best])) then
          local low, high = 1, #best + 1
          while low < high do
            local middle = math.floor((low + high) / 2)
            if sooner(best[middle]) then high = middle else low = middle + 1 end
          end
          table.insert(best, low, entry)
          values[entry] = value
          if #best > most + 1 then values[table.remove(best)] = nil end
        end
      end
    end
  end
  for i = 1, math.min(most, #best) do
    answer[#answer + 1] = best[i]
    answer[#answer + 1] = values[best[i]]
  end
  if #best > most then answer[2] = best[most] end
  return answer
end

-- 3. The walk, in steps that grow, so that what is not needed is not read.
local step = #conditions == 0 and most or 2 * most
for _, range in ipairs(walked) do
  local from = range[1]
  while true do
    local asked = math.min(step, looks, 1000)
    step = 2 * step
    local entries
    if down then
      entries = redis.call('ZREVRANGEBYLEX', index, from, range[2], 'LIMIT', 0, asked)
    else
      entries = redis.call('ZRANGEBYLEX', index, from, range[2], 'LIMIT', 0, asked)
    end
    local keys = {}
    for i, entry in ipairs(entries) do keys[i] = key_of(entry) end
    if #keys > 0 then
      for i, value in ipairs(redis.call('HMGET', rows, unpack(keys))) do
        if fits(keys[i], value) then
          answer[#answer + 1] = entries[i]
          answer[#answer + 1] = value
          if #answer == 2 * most + 2 then
            answer[2] = entries[i]
            return answer
          end
        end
      end
    end
    if #entries < asked then break end
    looks = looks - asked
    from = '(' .. entries[#entries]
    if looks <= 0 then
      answer[2] = entries[#entries]
      return answer
    end
  end
end
return answer
