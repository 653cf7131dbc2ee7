#!lua flags=allow-oom
-- Shows what commits changed.
-- KEYS: the head, `held` of the processor, the log's meta
-- ARGV: the run that it was read in, start, end, count of units, the units, groups (`write.lua`)
-- Answers: the run; nothing if nothing was done, because another run began, whose commits may be others, because the
--   position is another, or because a replacement is being built
local head, stop, count = KEYS[1], ARGV[3], tonumber(ARGV[4])
local run, new = recognise(KEYS[3])
if run ~= ARGV[1] and not (new and ARGV[1] == '') then return false end
if redis.call('EXISTS', KEYS[2]) == 1 then return false end

-- The least position must be `start`. Units beyond it were moved by processes that share them: those that show `end`
-- already are left; of the others everything up to `end` is in these groups.
local fields, done, least = {}, {}, nil
for i = 1, count do fields[i] = 'at:' .. ARGV[4 + i] end
for i, position in ipairs(redis.call('HMGET', head, unpack(fields))) do
  position = tonumber(position or 0)
  least = math.min(least or position, position)
  done[ARGV[4 + i]] = position >= tonumber(stop) or nil
end
if least ~= tonumber(ARGV[2]) then return false end

write(head, 5 + count, done)
local now = redis.call('TIME')[1]
for i = 1, count do
  local unit = ARGV[4 + i]
  if not done[unit] then redis.call('HSET', head, fields[i], stop, 'seen:' .. unit, now) end
end
return run
