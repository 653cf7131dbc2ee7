#!lua flags=allow-oom
-- KEYS: meta · Answers: run, the names of all runs with the tails that they began with
local run = recognise(KEYS[1])
return {run, redis.call('HGET', KEYS[1], 'runs')}
