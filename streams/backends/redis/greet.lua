#!lua flags=allow-oom
-- Asks for the rights that all scripts need, those of query tables too, so that none fails half way, and begins a new run if it is one.
-- KEYS: meta · Answers: run, the names of all runs with the tails that they began with, and commands that are not allowed
local answer = {}
for _, call in ipairs({
  {'HSET', KEYS[1], 'a', 'b'}, {'HSETNX', KEYS[1], 'a', 'b'}, {'HDEL', KEYS[1], 'a'}, {'HINCRBY', KEYS[1], 'a', '1'},
  {'HGET', KEYS[1], 'a'}, {'HMGET', KEYS[1], 'a'}, {'HGETALL', KEYS[1]}, {'HSCAN', KEYS[1], '0'},
  {'XADD', KEYS[1], '1-0', 'a', 'b'}, {'XTRIM', KEYS[1], 'MINID', '1-0'}, {'XRANGE', KEYS[1], '-', '+'},
  {'XREAD', 'STREAMS', KEYS[1], '0'},
  {'ZADD', KEYS[1], '1', 'a'}, {'ZREM', KEYS[1], 'a'}, {'ZREMRANGEBYSCORE', KEYS[1], '0', '1'}, {'ZCOUNT', KEYS[1], '0', '1'},
  {'ZRANGE', KEYS[1], '0', '1'}, {'ZSCORE', KEYS[1], 'a'}, {'ZMSCORE', KEYS[1], 'a'}, {'ZSCAN', KEYS[1], '0'},
  {'ZLEXCOUNT', KEYS[1], '-', '+'}, {'ZREVRANGEBYLEX', KEYS[1], '+', '-'}, {'HLEN', KEYS[1]},
  {'SET', KEYS[1], 'a'}, {'GET', KEYS[1]}, {'DEL', KEYS[1]}, {'UNLINK', KEYS[1]}, {'RENAME', KEYS[1], KEYS[1]},
  {'PEXPIRE', KEYS[1], '1'}, {'PERSIST', KEYS[1]},
  {'EXISTS', KEYS[1]}, {'TIME'}, {'INFO', 'replication'}, {'EVAL', 'a', '1', KEYS[1]}, {'EVALSHA', 'a', '1', KEYS[1]},
}) do
  if not redis.acl_check_cmd(unpack(call)) then answer[#answer + 1] = call[1] end
end
if #answer > 0 then return {'', '', unpack(answer)} end
return {(recognise(KEYS[1])), redis.call('HGET', KEYS[1], 'runs')}
