#!lua flags=allow-oom
-- KEYS: log · ARGV: clock, 1 if it may be made, format, partitions of a new one · Answers: clock, the log's fields
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[1]) == 0 then
  local id = redis.sha1hex(redis.call('INFO', 'server') .. table.concat(redis.call('TIME'), '.') .. KEYS[1])
  redis.call('HSET', KEYS[1], 'id', string.sub(id, 1, 32), 'format', ARGV[3], 'generation', 1, 'partitions', ARGV[4])
end
return {whole(clock(ARGV[1])), redis.call('HGETALL', KEYS[1])}
