#!lua flags=allow-oom
-- A field of a hash, also in a full memory. KEYS: the hash · ARGV: field, value, 1 if it replaces what is there
return redis.call(ARGV[3] == '1' and 'HSET' or 'HSETNX', KEYS[1], ARGV[1], ARGV[2])
