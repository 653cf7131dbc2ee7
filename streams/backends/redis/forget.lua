#!lua flags=allow-oom
-- KEYS: meta, feed · ARGV: processor, the position up to which the reader is done, bytes that stay for snapshots
local meta, processor = KEYS[1], ARGV[1]
local found = redis.call('HMGET', meta, 'forgot:' .. processor, 'fed:' .. processor, 'pos:' .. processor)
local upto = math.min(tonumber(ARGV[2]), tonumber(found[3] or 0))
if tonumber(found[1] or 0) >= upto then return 0 end
redis.call('HSET', meta, 'forgot:' .. processor, whole(upto))
trim(meta, KEYS[2], processor, tonumber(found[2] or 0), tonumber(ARGV[3]), upto)
return 1
