#!lua flags=allow-oom
-- KEYS: meta · ARGV: clock, role, owner, microseconds that the lease lasts
-- Answers: run, the new epoch or 0 if somebody else lives who holds it
local meta, role, owner = KEYS[1], ARGV[2], ARGV[3]
local run = recognise(meta)
local now = clock(ARGV[1])
local held = redis.call('HMGET', meta, 'owner:' .. role, 'expires:' .. role)
if held[1] and held[1] ~= owner and tonumber(held[2]) > now then return {run, 0} end
local epoch = redis.call('HINCRBY', meta, 'epoch:' .. role, 1)
redis.call('HSET', meta, 'owner:' .. role, owner, 'ttl:' .. role, ARGV[4], 'expires:' .. role, whole(now + ARGV[4]))
return {run, epoch}
