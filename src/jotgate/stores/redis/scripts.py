"""What the servers of a Redis store do in one step each.

A replica that was taken for the primary, or was it until a moment ago, must not answer. So every script, also one that
only reads, calls a command that writes: a replica refuses it. Where nothing is to be written it is one that changes
nothing (``ZREM`` of a member that never is, ``GETEX`` without an option), and which a server does not pass on.

The first command that writes is, where something is written, one that needs memory: Redis 6.2 asks whether there is
memory left at the first one alone.

They are sent whole each time (``EVAL``), which costs some 5 us more than by their hash. By the hash, a server that has
forgotten a script is asked twice, and a call that waits for replicas would then have to wait twice.
"""

from __future__ import annotations

from typing import Final

# Before Redis 7 a script that has read the time may write only after this.
_NOW = """
if redis.replicate_commands then redis.replicate_commands() end
local now = tonumber(redis.call('TIME')[1])
"""

# Numbers are given on as they came, as text; %.17g, in which Lua writes them, is exact for those up to 2^53.
_JOIN = """
local grown = {}

local function join(key, value, till)
  local had_value = redis.call('HGET', KEYS[2], key) or '0'
  local had_till = redis.call('ZSCORE', KEYS[1], key) or '-1'
  local later, more = tonumber(till) > tonumber(had_till), tonumber(value) > tonumber(had_value)
  if not (later or more) then return end
  if later then redis.call('ZADD', KEYS[1], till, key) else till = had_till end
  if more then redis.call('HSET', KEYS[2], key, value) else value = had_value end
  grown[#grown + 1] = struct.pack('>ddI4', tonumber(value), tonumber(till), #key) .. key
end

local function tell(history, mark)
  if #grown == 0 then return end
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', history, '*', 'm', mark, 'r', table.concat(grown))
end
"""

# KEYS: until, values, log. ARGV: history, mark, how many to remove, then key, value and time of each rule.
WRITE: Final = (
    _NOW
    + _JOIN
    + """
for at = 4, #ARGV, 3 do join(ARGV[at], ARGV[at + 1], ARGV[at + 2]) end
tell(ARGV[1], ARGV[2])
local left = tonumber(ARGV[3])
while left > 0 do
  local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, math.min(left, 1000))
  if #dead == 0 then break end
  redis.call('ZREM', KEYS[1], unpack(dead))
  redis.call('HDEL', KEYS[2], unpack(dead))
  left = left - #dead
end
redis.call('ZREM', KEYS[1], '')
return #grown
"""
)

# KEYS: until, values, log. ARGV: history, mark, key, the time that never comes.
ADVANCE_EPOCH: Final = (
    _NOW
    + _JOIN
    + """
local epoch = string.format('%.0f', tonumber(redis.call('HGET', KEYS[2], ARGV[3]) or '0') + 1)
join(ARGV[3], epoch, ARGV[4])
tell(ARGV[1], ARGV[2])
return epoch
"""
)

# KEYS: until, values. ARGV: keys. Returns time and value of each; an empty time where there is none.
RULES: Final = """
redis.call('ZREM', KEYS[1], '')
local found = {}
for _, key in ipairs(ARGV) do
  found[#found + 1] = redis.call('ZSCORE', KEYS[1], key) or ''
  found[#found + 1] = redis.call('HGET', KEYS[2], key) or '0'
end
return found
"""

# KEYS: until, log. ARGV: a mark, should this be the beginning of a history. Returns place and mark of the last entry.
POSITION: Final = (
    _NOW
    + """
redis.call('ZREM', KEYS[1], '')
local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
if last then return {last[1], last[2][2]} end
return {redis.call('XADD', KEYS[2], '*', 'm', ARGV[1]), ARGV[1]}
"""
)

# KEYS: until, values. ARGV: cursor, about how many. Returns the next cursor, then key, time and value of each.
PORTION: Final = (
    _NOW
    + """
redis.call('ZREM', KEYS[1], '')
local cursor, pairs = unpack(redis.call('ZSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2]))
local found = {cursor}
for at = 1, #pairs, 2 do
  found[#found + 1] = pairs[at]
  found[#found + 1] = pairs[at + 1]
  found[#found + 1] = redis.call('HGET', KEYS[2], pairs[at]) or '0'
end
return found
"""
)

# KEYS: until, log. ARGV: place, mark, how many at most. Returns nothing if there is no such entry, else what follows.
CHANGES: Final = """
redis.call('ZREM', KEYS[1], '')
local entry = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])[1]
if not entry or entry[2][2] ~= ARGV[2] then return false end
return redis.call('XRANGE', KEYS[2], '(' .. ARGV[1], '+', 'COUNT', ARGV[3])
"""

# KEYS: beat. ARGV: seconds. Replicas are sent it, and also a server without memory left does it.
BEAT: Final = """
if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 0 then redis.call('SET', KEYS[1], '', 'EX', ARGV[1]) end
return 1
"""

# KEYS: record. ARGV: whether there must be something, what, what instead, until.
SWAP: Final = (
    _NOW
    + """
local known = redis.call('GET', KEYS[1])
if known ~= (ARGV[1] == '1' and ARGV[2]) then
  redis.call('GETEX', KEYS[1])
  return 0
end
if tonumber(ARGV[4]) > now then redis.call('SET', KEYS[1], ARGV[3], 'EXAT', ARGV[4]) else redis.call('DEL', KEYS[1]) end
return 1
"""
)

# KEYS: group. ARGV: member, until.
JOIN_GROUP: Final = (
    _NOW
    + """
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local last = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if last then redis.call('EXPIREAT', KEYS[1], last) end
return 1
"""
)

# KEYS: group.
MEMBERS: Final = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
)
