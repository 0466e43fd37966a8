"""What is done in Redis in one piece: scripts in Lua.

They give room back or keep the lease, so they also run where its memory is full.
"""

_ALSO_WHEN_FULL = "#!lua flags=allow-oom\n"


def for_server(script: str, version: tuple[int, ...]) -> str:
    """The script as a server of that version takes it."""
    return _ALSO_WHEN_FULL + script if version >= (7,) else script


# Keys: stream. Arguments: group, ACKED or nothing, ids. What is acknowledged goes, as far as it
# lies before everything that is not: what was read and is pending, and what was not read yet.
ACKNOWLEDGE = """
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if pending['err'] then return 0 end
local ids, keep = {}, nil
for i = 3, #ARGV do ids[#ids + 1] = ARGV[i] end
if #ids > 0 then redis.call('XACK', KEYS[1], ARGV[1], unpack(ids)) end
pending = redis.call('XPENDING', KEYS[1], ARGV[1])
if pending[1] > 0 then keep = pending[2] end
for _, group in ipairs(keep and {} or redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local of = {}
  for i = 1, #group, 2 do of[group[i]] = group[i + 1] end
  local time, number = string.match(of['last-delivered-id'], '(%d+)-(%d+)')
  -- Numbers are exact up to 2^53 here: what somebody put beyond that stays until another follows.
  local exact = of['name'] == ARGV[1] and tonumber(number) < 2^53
  if exact then keep = time .. '-' .. string.format('%d', number + 1) end
end
if not keep then return 0 end
if ARGV[2] == '' then return redis.call('XTRIM', KEYS[1], 'MINID', keep) end
return redis.call('XTRIM', KEYS[1], 'MINID', keep, ARGV[2])
"""

# Keys: stream. Arguments: group. It reads from the beginning.
CREATE_GROUP = """
local answer = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if answer['err'] and not string.find(answer['err'], 'BUSYGROUP') then return answer end
return 'OK'
"""

# Keys: stream, record of what was dropped. Arguments: most bytes, most entries to let go of now.
# The newest entry always stays. To measure all of a large log takes long, and everybody waits: so
# it is measured once, and as much goes as is too much on the average, and some more.
DROP_OLDEST = """
local most, left = tonumber(ARGV[1]), tonumber(ARGV[2])
local bytes = redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', '0') or 0
if bytes <= most then return {bytes, 0, 0} end
local entries, trades = 0, 0
local length = redis.call('XLEN', KEYS[1])
left = math.min(left, length - 1, math.ceil(length * (1 - most / bytes)) + math.ceil(length / 64))
while left > 0 do
  local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', math.min(left, 64) + 1)
  if #oldest < 2 then break end
  for i = 1, #oldest - 1 do
    local fields = oldest[i][2]
    for f = 1, #fields, 2 do
      if fields[f] == 'n' then trades = trades + (tonumber(fields[f + 1]) or 0) end
    end
  end
  entries, left = entries + #oldest - 1, left - (#oldest - 1)
  redis.call('XTRIM', KEYS[1], 'MINID', oldest[#oldest][1])
end
if entries > 0 then
  redis.pcall('HINCRBY', KEYS[2], 'entries', entries)
  redis.pcall('HINCRBY', KEYS[2], 'trades', trades)
end
return {bytes, entries, trades}
"""

# Keys: lease, greatest token given, lake, stream. Arguments: ms, a token that is surely not greater
# than given, id of the lake. A log that another lake uses, or has not read to its end, is not given
# away: the answer is what that lake is called.
ACQUIRE = """
local lake = redis.call('GET', KEYS[3])
local leased = redis.call('EXISTS', KEYS[1]) == 1
if lake and string.match(lake, '^%S*') ~= ARGV[3] then
  if leased or redis.call('EXISTS', KEYS[4]) == 1 and redis.call('XLEN', KEYS[4]) > 0 then
    return lake
  end
end
if leased then return 0 end
local given = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
local token = math.max(given, tonumber(ARGV[2])) + 1
redis.call('SET', KEYS[2], string.format('%d', token))
redis.call('SET', KEYS[1], string.format('%d', token), 'PX', ARGV[1])
return token
"""

# Keys: lease, greatest token given, lake. Arguments: ms, token, id and name of the lake. A lease
# that is gone is taken again if nobody had it since.
RENEW = """
local held = redis.call('GET', KEYS[1])
if held == ARGV[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  redis.pcall('SET', KEYS[3], ARGV[3])
  return 1
end
local given = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if held or given > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[2], ARGV[2])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
redis.call('SET', KEYS[3], ARGV[3])
return 1
"""

# Keys: what the log holds, stream, lease, what captures that live publish, symbols that a store has
# chosen. Arguments: what it is for, group, ms that a capture lives from now (0: a store). A log of
# something else is taken over only where nothing is left in it and nobody uses it. The answer is
# what it holds now. In a server that is full this has to do without writing.
CLAIM = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then
  if redis.call('EXISTS', KEYS[3], KEYS[4]) > 0 then return held end
  if redis.call('XLEN', KEYS[2]) > 0 then return held end
  local pending = redis.pcall('XPENDING', KEYS[2], ARGV[2])
  if not pending['err'] and pending[1] > 0 then return held end
  redis.call('DEL', KEYS[5])
end
if held ~= ARGV[1] then redis.pcall('SET', KEYS[1], ARGV[1]) end
held = redis.call('GET', KEYS[1])
if held == ARGV[1] and ARGV[3] ~= '0' then
  redis.pcall('SET', KEYS[4], ARGV[1], 'PX', ARGV[3])
end
return held
"""

# Keys: signs of life of the captures, what the log holds, what captures that live publish.
# Arguments: name, sign, what this one publishes, ms that it lives from now.
TELL = """
if redis.call('GET', KEYS[2]) == ARGV[3] then
  redis.pcall('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
end
return redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""

# Keys: signs of life of the captures, what captures that live publish. Arguments: name, what this
# one published. Others that live say so again within a second.
FORGET = """
if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end
return redis.call('HDEL', KEYS[1], ARGV[1])
"""

# Keys: lease. Arguments: token.
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

# Keys: stream, record of what was dropped. What the log is like: seconds, bytes (of a large one by
# its oldest part), entries, the first id, its groups, and trades dropped.
LOOK = """
local time, dropped = redis.call('TIME')[1], redis.pcall('HGET', KEYS[2], 'trades') or '0'
if type(dropped) == 'table' then dropped = '0' end
if redis.call('EXISTS', KEYS[1]) == 0 then return {time, 0, 0, '', {}, dropped} end
local bytes = redis.call('MEMORY', 'USAGE', KEYS[1], 'SAMPLES', '1000')
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local id = first and first[1] or ''
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
return {time, bytes, redis.call('XLEN', KEYS[1]), id, groups, dropped}
"""
