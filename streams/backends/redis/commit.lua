#!lua flags=allow-oom
-- KEYS: meta, log, out, feed, due, then the hashes of rows
-- ARGV: clock, role, owner, epoch, processor, start, end, bytes that the feed may have,
--   count of changed names, the names as msgpack, count of outputs, the outputs as JSON lines, count of pieces of events,
--   of each piece: events, JSON lines; count of dues, of each: score, name; and of each hash of rows: the letter that its
--   names begin with, count of rows, count of names to delete, of each row: name, value; the names to delete
-- Answers: run, 'committed' | 'done' | 'fenced' | 'mismatch', tail
--
-- 1. The epoch is not the newest: fenced.  2. The position is `end` already: done.  3. It is not `start`: mismatch.
-- 4. Rows, outputs and events are written, the position becomes `end`, the lease is renewed.
-- What could fail for something that does not belong here comes first, the position last: then the next commit meets it
-- again, and nothing is written twice.
local meta, log, out, feed, due = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local role, processor = ARGV[2], ARGV[5]
local run, new = recognise(meta)
if new then return {run, 'fenced', 0} end
local found = redis.call(
  'HMGET', meta, 'owner:' .. role, 'epoch:' .. role, 'pos:' .. processor, 'tail', 'outputs', 'ttl:' .. role,
  'fed:' .. processor
)
if found[1] ~= ARGV[3] or found[2] ~= ARGV[4] then return {run, 'fenced', 0} end
local position = found[3] or '0'
if position == ARGV[7] then return {run, 'done', 0} end
if position ~= ARGV[6] then return {run, 'mismatch', 0} end

local tail, outputs, fed = tonumber(found[4] or 0), tonumber(found[5] or 0), tonumber(found[7] or 0)
local now = clock(ARGV[1])
if ARGV[11] ~= '0' then
  outputs = outputs + ARGV[11]
  redis.call('XADD', out, whole(outputs) .. '-0', 'n', ARGV[11], 'd', ARGV[12])
end
local at = 14
for _ = 1, tonumber(ARGV[13]) do
  tail = tail + ARGV[at]
  redis.call('XADD', log, whole(tail) .. '-0', 'n', ARGV[at], 'd', ARGV[at + 1])
  at = at + 2
end
if ARGV[9] ~= '0' then
  redis.call('XADD', feed, ARGV[7] .. '-0', 'n', ARGV[9], 'd', ARGV[10])
  fed = fed + 64 + #ARGV[10]
end

local dues = tonumber(ARGV[at])
local first_due = at + 1
at = first_due + 2 * dues
local timed
if redis.call('EXISTS', due) == 1 then
  timed = {}
  for i = first_due + 1, at - 1, 2 do timed[ARGV[i]] = true end
end
local untimed = {}
for i = 6, #KEYS do
  local rows, gone = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local first = at + 3
  local middle = first + 2 * rows
  if rows > 0 then
    in_steps('HSET', KEYS[i], ARGV, first, middle - 1)
    redis.call('HSETNX', meta, 'has:' .. processor .. ':' .. ARGV[at], 1)
  end
  in_steps('HDEL', KEYS[i], ARGV, middle, middle + gone - 1)
  if timed then
    for name = first, middle - 1, 2 do
      if not timed[ARGV[name]] then untimed[#untimed + 1] = ARGV[name] end
    end
    for name = middle, middle + gone - 1 do untimed[#untimed + 1] = ARGV[name] end
  end
  at = middle + gone
end
in_steps('ZREM', due, untimed, 1, #untimed)
in_steps('ZADD', due, ARGV, first_due, first_due + 2 * dues - 1)

redis.call(
  'HSET', meta, 'pos:' .. processor, ARGV[7], 'tail', whole(tail), 'outputs', whole(outputs), 'committed_at', whole(now),
  'expires:' .. role, whole(now + found[6]), 'fed:' .. processor, whole(fed)
)
local gone = trim(meta, feed, processor, fed, tonumber(ARGV[8]), tonumber(ARGV[7]))
if gone then redis.call('HSET', meta, 'forgot:' .. processor, whole(gone)) end
return {run, 'committed', tail}
