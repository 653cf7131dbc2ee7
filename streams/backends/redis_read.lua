#!lua flags=no-writes
-- Entries of a stream until they hold as many events or outputs as are wanted, or too many bytes for one answer.
-- KEYS: log or out · ARGV: first id, last id, how many, how many bytes
-- Answers: 1 if more may follow, then of each entry: id, count, JSON lines
local answer, found, bytes, page = {0}, 0, 0, 8
local from = ARGV[1]
while true do
  local entries = redis.call('XRANGE', KEYS[1], from, ARGV[2], 'COUNT', page)
  for _, entry in ipairs(entries) do
    local count, body = entry[2][2] or '', entry[2][4] or ''
    answer[#answer + 1] = entry[1]
    answer[#answer + 1] = count
    answer[#answer + 1] = body
    from = '(' .. entry[1]
    found, bytes = found + (tonumber(count) or 1), bytes + #body
    if found >= tonumber(ARGV[3]) or bytes >= tonumber(ARGV[4]) then
      answer[1] = 1
      return answer
    end
  end
  if #entries < page then return answer end
  page = math.min(page * 2, 256)
end
