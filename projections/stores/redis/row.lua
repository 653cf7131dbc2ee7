#!lua flags=no-writes
-- KEYS: the head, the rows of a unit · ARGV: the field of its position, a row's key · Answers: position, row
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[2])}
