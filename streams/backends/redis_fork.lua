#!lua flags=allow-oom
-- Notes once that events of a partition were lost when a run of it began.
-- KEYS: log · ARGV: clock, partition, run, the offset up to which events are left
-- Answers: the generation that began with it
local noted = 'forked:' .. ARGV[2] .. ':' .. ARGV[3]
local generation = redis.call('HGET', KEYS[1], noted)
if not generation then
  generation = redis.call('HINCRBY', KEYS[1], 'generation', 1)
  redis.call(
    'HSET', KEYS[1], noted, generation, 'fork:' .. generation,
    string.format('%s %s %.0f', ARGV[2], ARGV[4], clock(ARGV[1]))
  )
end
return tonumber(generation)
