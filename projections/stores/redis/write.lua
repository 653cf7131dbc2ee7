-- What the scripts that write tables have beside what every script has (`common.lua` of the log).

-- A command's head: at 1-8 · whether its state has an entry 9 · state 10-25 · target 26-41 · rule 42-57 · key 58-73
local function fixed_entries(into, id, value)
  local place = string.sub(value, 1, 8) .. id
  into[#into + 1] = 't' .. place
  into[#into + 1] = 'o' .. string.sub(value, 26, 41) .. place
  into[#into + 1] = 'r' .. string.sub(value, 42, 57) .. place
  into[#into + 1] = 'k' .. string.sub(value, 58, 73) .. place
end

local function state_entry(into, id, value)
  if string.sub(value, 9, 9) == '+' then
    into[#into + 1] = 's' .. string.sub(value, 10, 25) .. string.sub(value, 1, 8) .. id
  end
end

local function put_entries(index, added, removed)
  in_steps('ZREM', index, removed, 1, #removed)
  local scored = {}
  for _, entry in ipairs(added) do
    scored[#scored + 1] = 0
    scored[#scored + 1] = entry
  end
  in_steps('ZADD', index, scored, 1, #scored)
end

-- The values of these commands before and after, `false` for none: their entries follow. What did not change is left,
-- and mostly that is all but the state's.
local function index_commands(index, ids, before, after)
  local added, removed = {}, {}
  for i, id in ipairs(ids) do
    local old, new = before[i], after[i]
    if old and new and string.sub(old, 1, 8) == string.sub(new, 1, 8)
        and string.sub(old, 26, 73) == string.sub(new, 26, 73) then
      if string.sub(old, 9, 25) ~= string.sub(new, 9, 25) then
        state_entry(removed, id, old)
        state_entry(added, id, new)
      end
    else
      if old then
        fixed_entries(removed, id, old)
        state_entry(removed, id, old)
      end
      if new then
        fixed_entries(added, id, new)
        state_entry(added, id, new)
      end
    end
  end
  put_entries(index, added, removed)
end

-- Writes the groups that begin at ARGV[from], into keys that begin with `base`; units for which `skip` holds are left.
-- A group: `r` for rows or `c` for commands · unit · count of pairs · count of names · pairs of name and value · names
-- that go
local function write(base, from, skip)
  while from <= #ARGV do
    local kind, unit, pairs, names = ARGV[from], ARGV[from + 1], tonumber(ARGV[from + 2]), tonumber(ARGV[from + 3])
    local first, key = from + 4, base .. ':' .. unit
    local middle = first + 2 * pairs
    from = middle + names
    if not skip[unit] then
      if kind == 'c' then
        for step = first, from - 1, 2000 do
          local ids, after = {}, {}
          local i = step
          while i < math.min(step + 2000, from) do
            ids[#ids + 1] = ARGV[i]
            after[#ids] = i < middle and ARGV[i + 1]
            i = i + (i < middle and 2 or 1)
          end
          index_commands(key .. ':i', ids, redis.call('HMGET', key, unpack(ids)), after)
        end
      end
      in_steps('HSET', key, ARGV, first, middle - 1)
      in_steps('HDEL', key, ARGV, middle, from - 1)
    end
  end
end
