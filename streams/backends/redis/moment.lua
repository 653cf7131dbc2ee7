#!lua flags=no-writes
-- The last step of a copy of rows: what changed since its pages were read, and all else that a partition says of itself,
-- in one moment.
-- KEYS: meta, then of each processor: feed, due
-- ARGV: what the partition's keys begin with, about how many names at most, then of each processor: name, position
-- Answers: 0 if there are more names · 1, meta, then of each processor: trimmed up to, and {name, value, score, …}
local answer, left = {1, redis.call('HGETALL', KEYS[1])}, tonumber(ARGV[2])

local function letter(name)
  local byte = string.byte(name, 1)
  if not byte then return '' end
  return string.sub(name, 1, byte < 0x80 and 1 or byte < 0xE0 and 2 or byte < 0xF0 and 3 or 4)
end

for i = 3, #ARGV, 2 do
  local processor, feed, due = ARGV[i], KEYS[i - 1], KEYS[i]
  local seen, changed = {}, {}
  local from = whole(ARGV[i + 1] + 1) .. '-0'
  while true do
    local page = redis.call('XRANGE', feed, from, '+', 'COUNT', 64)
    for _, entry in ipairs(page) do
      if left < 0 then return {0} end
      for _, name in ipairs(cmsgpack.unpack(entry[2][4])) do
        if not seen[name] then
          seen[name] = true
          left = left - 1
          changed[#changed + 1] = name
          changed[#changed + 1] = redis.call('HGET', ARGV[1] .. 'rows:' .. processor .. ':' .. letter(name), name)
          changed[#changed + 1] = redis.call('ZSCORE', due, name)
        end
      end
      from = '(' .. entry[1]
    end
    if #page < 64 then break end
  end
  answer[#answer + 1] = redis.call('HGET', KEYS[1], 'trimmed:' .. processor) or '0'
  answer[#answer + 1] = changed
end
return answer
