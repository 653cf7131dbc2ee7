#!lua flags=no-writes
-- Which names were changed by the commits that led beyond a position, and how far the feed goes, in one moment.
-- KEYS: meta, feed · ARGV: processor, the position, about how many names
-- Answers: position, forgotten up to, trimmed up to, 1 if more follow, then of each commit: where it led to, names
local processor = ARGV[1]
local found =
  redis.call('HMGET', KEYS[1], 'pos:' .. processor, 'forgot:' .. processor, 'trimmed:' .. processor)
local answer = {found[1] or '0', found[2] or '0', found[3] or '0', 0}
local names, from = 0, whole(ARGV[2] + 1) .. '-0'
while names < tonumber(ARGV[3]) do
  local page = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 64)
  for _, entry in ipairs(page) do
    if names >= tonumber(ARGV[3]) then
      answer[4] = 1
      return answer
    end
    names = names + math.max(tonumber(entry[2][2]), 1)
    answer[#answer + 1] = string.match(entry[1], '^%d+')
    answer[#answer + 1] = entry[2][4]
    from = '(' .. entry[1]
  end
  if #page < 64 then return answer end
end
answer[4] = #redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 1)
return answer
