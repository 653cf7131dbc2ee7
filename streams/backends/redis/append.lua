#!lua flags=allow-oom
-- Stores the events of some requests in one partition, in order, or none of them.
-- KEYS: meta, log, producers
-- ARGV: the position's field and how far the tail may be beyond it; then of each request: 1 if it is never refused,
--   producer or '', sequences, count of events, count of pieces, and of each piece: events, JSON lines. Sequences are
--   `first:last` where none is left out, else all with commas.
-- Answers: run, 'full', how far it would be · run, 'stored', then of each request: last offset or 0, stored, known
local meta, log, producers = KEYS[1], KEYS[2], KEYS[3]
local run = recognise(meta)

local function less(a, b) return #a < #b or #a == #b and a < b end

-- How many of the first sequences are at or below `last`.
local function count_known(sequences, count, last)
  if not last then return 0 end
  local first, final = string.match(sequences, '^(%d+):(%d+)$')
  if first then
    if less(last, first) then return 0 end
    if not less(last, final) then return count end
    return tonumber(last) - tonumber(first) + 1
  end
  local known = 0
  for each in string.gmatch(sequences, '%d+') do
    if less(last, each) then break end
    known = known + 1
  end
  return known
end

local function without(body, lines)
  local place = 0
  for _ = 1, lines do place = string.find(body, '\n', place + 1, true) end
  return string.sub(body, place + 1)
end

local found = redis.call('HMGET', meta, 'tail', ARGV[1])
local tail = tonumber(found[1] or 0)
local before = tail
local answers, entries, lasts = {run, 'stored'}, {}, {}
local refusable = false
local at = 3
while at <= #ARGV do
  local producer, sequences, count = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local known = 0
  if ARGV[at] == '0' then refusable = true end
  if producer ~= '' and count > 0 then
    local last = lasts[producer] or redis.call('HGET', producers, producer)
    known = count_known(sequences, count, last)
    if known < count then lasts[producer] = string.match(sequences, '%d+$') end
  end
  local left = known
  local pieces = tonumber(ARGV[at + 4])
  for piece = 1, pieces do
    local events, body = tonumber(ARGV[at + 3 + 2 * piece]), ARGV[at + 4 + 2 * piece]
    local skipped = math.min(left, events)
    left = left - skipped
    if skipped < events then
      if skipped > 0 then body = without(body, skipped) end
      entries[#entries + 1] = {events - skipped, body}
    end
  end
  at = at + 5 + 2 * pieces
  tail = tail + count - known
  answers[#answers + 1] = known < count and tail or 0
  answers[#answers + 1] = count - known
  answers[#answers + 1] = known
end

local lag = tail - tonumber(found[2] or 0)
if refusable and tail > before and lag > tonumber(ARGV[2]) then return {run, 'full', lag} end

-- Neighbours share an entry of the log as far as 1,000 events and 1 MB go, so that a reader does not pay for each.
local i = 1
tail = before
while i <= #entries do
  local events, size, bodies = entries[i][1], #entries[i][2], {entries[i][2]}
  i = i + 1
  while i <= #entries and events + entries[i][1] <= 1000 and size + #entries[i][2] <= 1048576 do
    events, size = events + entries[i][1], size + #entries[i][2]
    bodies[#bodies + 1] = entries[i][2]
    i = i + 1
  end
  tail = tail + events
  local body = #bodies == 1 and bodies[1] or table.concat(bodies)
  redis.call('XADD', log, whole(tail) .. '-0', 'n', events, 'd', body)
end
if tail > before then redis.call('HSET', meta, 'tail', whole(tail)) end
for producer, last in pairs(lasts) do redis.call('HSET', producers, producer, last) end
return answers
