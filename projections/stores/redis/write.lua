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

-- Notes that there are more of the value's state and target, or fewer, unless that state is settled.
local function note_count(counts, value, change)
  if value and string.sub(value, 9, 9) == '+' then
    local what = string.sub(value, 10, 41)
    counts[what] = (counts[what] or 0) + change
  end
end

local function put_counts(key, counts)
  for what, change in pairs(counts) do
    if change ~= 0 and redis.call('HINCRBY', key, what, change) == 0 then redis.call('HDEL', key, what) end
  end
end

-- The values of these commands before and after, `false` for none: their entries and counts follow. What did not change
-- is left, and mostly that is all but the state's.
local function index_commands(key, ids, before, after)
  local added, removed, counts = {}, {}, {}
  for i, id in ipairs(ids) do
    local old, new = before[i], after[i]
    note_count(counts, old, -1)
    note_count(counts, new, 1)
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
  put_entries(key .. ':i', added, removed)
  put_counts(key .. ':n', counts)
end

-- The code of each indexed field of a row's value: its length in two bytes, and itself (`rows.py`).
local function codes_of(value, fields)
  local codes, at = {}, 1
  for i = 1, fields do
    local high, low = string.byte(value, at, at + 1)
    local stop = at + 1 + high * 256 + low
    codes[i] = string.sub(value, at + 2, stop)
    at = stop + 1
  end
  return codes
end

-- The values of these rows before and after, `false` for none: their entries follow where something differs.
local function index_rows(index, keys, before, after, fields)
  local added, removed = {}, {}
  for i, key in ipairs(keys) do
    local old, new = before[i], after[i]
    if new and not old then added[#added + 1] = 'k' .. key end
    if old and not new then removed[#removed + 1] = 'k' .. key end
    if fields > 0 then
      local had, has = old and codes_of(old, fields) or {}, new and codes_of(new, fields) or {}
      for field = 1, fields do
        if had[field] ~= has[field] then
          local prefix = 'f' .. string.char(math.floor((field - 1) / 256), (field - 1) % 256)
          if had[field] then removed[#removed + 1] = prefix .. had[field] .. key end
          if has[field] then added[#added + 1] = prefix .. has[field] .. key end
        end
      end
    end
  end
  put_entries(index, added, removed)
end

-- Writes the groups that begin at ARGV[from], into keys that begin with `base`; units for which `skip` holds are left.
-- A group: `r` for rows or `c` for commands · unit · count of indexed fields · count of pairs · count of names · pairs of
-- name and value · names that go
local function write(base, from, skip)
  while from <= #ARGV do
    local kind, unit, fields = ARGV[from], ARGV[from + 1], tonumber(ARGV[from + 2])
    local pairs, names = tonumber(ARGV[from + 3]), tonumber(ARGV[from + 4])
    local first, key = from + 5, base .. ':' .. unit
    local middle = first + 2 * pairs
    from = middle + names
    if not skip[unit] then
      for step = first, from - 1, 2000 do
        local ids, after = {}, {}
        local i = step
        while i < math.min(step + 2000, from) do
          ids[#ids + 1] = ARGV[i]
          after[#ids] = i < middle and ARGV[i + 1]
          i = i + (i < middle and 2 or 1)
        end
        local before = redis.call('HMGET', key, unpack(ids))
        if kind == 'c' then
          index_commands(key, ids, before, after)
        else
          index_rows(key .. ':i', ids, before, after, fields)
        end
      end
      in_steps('HSET', key, ARGV, first, middle - 1)
      in_steps('HDEL', key, ARGV, middle, from - 1)
    end
  end
end
