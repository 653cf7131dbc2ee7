#!lua
-- Adds to a replacement.
-- KEYS: the head, `held` of the processor, the log's meta
-- ARGV: its number, milliseconds of silence, count of units, the units, groups (`write.lua`)
-- Answers: 1, or 0 if it is no longer the one that is being built, or another run began, which may lack a part of it
if redis.call('GET', KEYS[2]) ~= ARGV[1] .. ' ' .. recognise(KEYS[3]) then return 0 end
local count = tonumber(ARGV[3])
write(KEYS[1] .. ':b', 4 + count, {})
redis.call('PEXPIRE', KEYS[2], ARGV[2])
-- What is built goes after its builder's claim, never before.
for i = 4, 3 + count do
  local built = KEYS[1] .. ':b:' .. ARGV[i]
  for _, key in ipairs({built, built .. ':i', built .. ':n'}) do redis.call('PEXPIRE', key, 2 * ARGV[2]) end
end
return 1
