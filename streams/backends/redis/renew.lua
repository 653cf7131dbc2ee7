#!lua flags=allow-oom
-- Renews a lease, or gives it up if it is to last 0.
-- KEYS: meta · ARGV: clock, role, owner, epoch, microseconds that the lease lasts
-- Answers: run, 1 or 0 if it is held no more
local meta, role = KEYS[1], ARGV[2]
local run = recognise(meta)
local held = redis.call('HMGET', meta, 'owner:' .. role, 'epoch:' .. role)
if held[1] ~= ARGV[3] or held[2] ~= ARGV[4] then return {run, 0} end
if ARGV[5] == '0' then
  redis.call('HDEL', meta, 'owner:' .. role)
else
  redis.call('HSET', meta, 'ttl:' .. role, ARGV[5], 'expires:' .. role, whole(clock(ARGV[1]) + ARGV[5]))
end
return {run, 1}
