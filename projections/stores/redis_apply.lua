#!lua flags=allow-oom
-- Shows what commits changed.
-- KEYS: the head, `held` of the processor · ARGV: start, end, count of units, the units, groups (`redis_write.lua`)
-- Answers: 1, or 0 if nothing was done because the position is another or a replacement is being built
local head, stop, count = KEYS[1], ARGV[2], tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end

-- The least position must be `start`. Units beyond it were moved by processes that share them: those that show `end`
-- already are left; of the others everything up to `end` is in these groups.
local fields, done, least = {}, {}, nil
for i = 1, count do fields[i] = 'at:' .. ARGV[3 + i] end
for i, position in ipairs(redis.call('HMGET', head, unpack(fields))) do
  position = tonumber(position or 0)
  least = math.min(least or position, position)
  done[ARGV[3 + i]] = position >= tonumber(stop) or nil
end
if least ~= tonumber(ARGV[1]) then return 0 end

write(head, 4 + count, done)
local now = redis.call('TIME')[1]
for i = 1, count do
  local unit = ARGV[3 + i]
  if not done[unit] then redis.call('HSET', head, fields[i], stop, 'seen:' .. unit, now) end
end
return 1
