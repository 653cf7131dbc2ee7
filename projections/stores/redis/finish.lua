#!lua
-- Ends a replacement: what was built takes the place of what was shown, or without a position is thrown away. Then units
-- go that nobody has written for long: those of projections that rules had once.
-- KEYS: the head, `held` of the processor, the log's meta
-- ARGV: its number, the position or '', seconds after which units go, count of units, the units, others that stay
-- Answers: 1, or 0 if it is no longer the one that is being built, or another run began, which may lack a part of it
local number, begun = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+) (%x+)$')
if number ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
local whole_run = begun == recognise(KEYS[3])
local head, position, now, stays = KEYS[1], whole_run and ARGV[2] or '', tonumber(redis.call('TIME')[1]), {}
for i = 5, #ARGV do stays[ARGV[i]] = true end
for i = 5, 4 + ARGV[4] do
  for _, suffix in ipairs({'', ':i', ':n'}) do
    local shown, built = head .. ':' .. ARGV[i] .. suffix, head .. ':b:' .. ARGV[i] .. suffix
    if position == '' then
      redis.call('UNLINK', built)
    else
      -- UNLINK gives memory back in the background; RENAME over a key would do it here.
      redis.call('UNLINK', shown)
      if redis.call('EXISTS', built) == 1 then
        redis.call('RENAME', built, shown)
        redis.call('PERSIST', shown)
      end
    end
  end
  if position ~= '' then redis.call('HSET', head, 'at:' .. ARGV[i], position, 'seen:' .. ARGV[i], now) end
end
local fields = redis.call('HGETALL', head)
for i = 1, #fields, 2 do
  local unit = string.match(fields[i], '^seen:(.*)$')
  if unit and not stays[unit] and tonumber(fields[i + 1]) < now - ARGV[3] then
    local gone = head .. ':' .. unit
    redis.call('UNLINK', gone, gone .. ':i', gone .. ':n')
    redis.call('HDEL', head, 'at:' .. unit, 'seen:' .. unit)
  end
end
return whole_run and 1 or 0
