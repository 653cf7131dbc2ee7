-- What every script has.

-- Microseconds: the server's clock, or the one that tests hand in ('' if they do not). Numbers here are whole and below
-- 2^53, where Lua's are exact.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end

local function whole(number) return string.format('%.0f', number) end

-- Values first…last of ARGV go to a command in steps that Lua's stack holds; 2000 keeps pairs together.
local function in_steps(command, key, values, first, last)
  for i = first, last, 2000 do
    redis.call(command, key, unpack(values, i, math.min(i + 1999, last)))
  end
end

-- Which history of data this is: its name changes when a server starts or becomes the master, and then the end of what
-- was answered before may be gone. So at the first contact the tail is noted, nobody holds a lease any more, and epochs
-- pass over those that may have been granted and lost. Answers the name, and whether it is new here.
local function recognise(meta)
  local run = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
  local known = redis.call('HMGET', meta, 'run', 'tail', 'runs')
  if known[1] == run then return run, false end
  local runs = {}
  for each in string.gmatch(known[3] or '', '%S+') do runs[#runs + 1] = each end
  runs[#runs + 1] = run .. ':' .. (known[2] or '0')
  redis.call('HSET', meta, 'run', run, 'runs', table.concat(runs, ' ', math.max(1, #runs - 15)))
  if known[1] then
    for _, role in ipairs({'agent', 'delivery'}) do
      redis.call('HDEL', meta, 'owner:' .. role)
      redis.call('HINCRBY', meta, 'epoch:' .. role, 1048576)
    end
  end
  return run, true
end

-- Takes the oldest entries off a feed while it is larger than `allowed` bytes, but none that led beyond `upto`.
local function trim(meta, feed, processor, fed, allowed, upto)
  local gone
  while fed > allowed do
    local oldest = redis.call('XRANGE', feed, '-', '+', 'COUNT', 1)[1]
    local led_to = oldest and tonumber(string.match(oldest[1], '^%d+'))
    if not oldest or led_to > upto then break end
    fed = fed - 64 - #oldest[2][4]
    gone = led_to
    redis.call('XTRIM', feed, 'MINID', whole(led_to + 1) .. '-0')
  end
  if gone then redis.call('HSET', meta, 'fed:' .. processor, whole(fed), 'trimmed:' .. processor, whole(gone)) end
  return gone
end
