#!lua
-- Begins a replacement: until it ends, or its builder is silent for too long, nobody else writes.
-- KEYS: the head, `held` of the processor, the log's meta · ARGV: milliseconds of silence, the units
-- Answers: its number, or 0 if another one is being built
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local number = redis.call('HINCRBY', KEYS[1], 'claims', 1)
redis.call('SET', KEYS[2], number .. ' ' .. recognise(KEYS[3]), 'PX', ARGV[1])
for i = 2, #ARGV do
  local built = KEYS[1] .. ':b:' .. ARGV[i]
  redis.call('UNLINK', built, built .. ':i', built .. ':n')
end
return number
