#!lua flags=allow-oom
-- Notes once that events of a partition were lost when a run of it began.
-- KEYS: log · ARGV: clock, partition, run, the offset up to which events are left, the generation that the caller knows,
--   which may be newer than what is stored: that can be lost, too
-- Answers: the generation that began with it
local noted = 'forked:' .. ARGV[2] .. ':' .. ARGV[3]
local generation = redis.call('HGET', KEYS[1], noted)
if not generation then
  generation = whole(math.max(tonumber(redis.call('HGET', KEYS[1], 'generation') or 0), tonumber(ARGV[5])) + 1)
  redis.call(
    'HSET', KEYS[1], 'generation', generation, noted, generation, 'fork:' .. generation,
    string.format('%s %s %.0f', ARGV[2], ARGV[4], clock(ARGV[1]))
  )
end
return tonumber(generation)
