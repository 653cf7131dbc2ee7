#!lua flags=allow-oom
-- KEYS: members, caught_up, log · ARGV: clock, member or '', microseconds that it lives, then partition, moment, …
-- Answers: clock, living members, all moments, the generation
local now = clock(ARGV[1])
if ARGV[2] ~= '' then redis.call('ZADD', KEYS[1], whole(now + ARGV[3]), ARGV[2]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now))
for i = 4, #ARGV, 2 do
  local said = redis.call('HGET', KEYS[2], ARGV[i])
  if not said or tonumber(said) < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
end
return {
  whole(now), redis.call('ZRANGE', KEYS[1], 0, -1), redis.call('HGETALL', KEYS[2]),
  redis.call('HGET', KEYS[3], 'generation')
}
