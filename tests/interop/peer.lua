-- SPDX-License-Identifier: MIT
-- peer.c in Lua: shmkit for the tests between languages. peers.py speaks to it.
local shm = require "shmkit"

local SEALS <const> = {"seal", "shrink", "grow", "write", "future_write"}
local segments = {}

local function to_hex(bytes)
  if bytes == "" then return "-" end
  return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

local function from_hex(word)
  if word == "-" then return "" end
  return (word:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end))
end

local function flag(value)
  return value and 1 or 0
end

local function split(names)
  local list = {}
  for name in names:gmatch("[^,]+") do list[#list + 1] = name end
  return list
end

local function same(value)
  return value
end

local convert <const> = {
  readonly = function() return true end,
  any_owner = function() return true end,
  sparse = function() return true end,
  capacity = math.tointeger,
  mode = math.tointeger,
  lifetime = same,
  seals = split,
  content = from_hex,
}

local function options_of(...)
  local options = {}
  for _, word in ipairs {...} do
    local name, value = word:match("^(.-)=(.*)$")
    options[name] = convert[name](value)
  end
  return options
end

local function integer(word)
  return math.tointeger(tonumber(word))
end

-- Numbers of u64 as Lua's integers, which wrap, and back.
local function unsigned(word)
  local value = 0
  for digit in word:gmatch("%d") do value = value * 10 + tonumber(digit) end
  return value
end

local function unsigned_text(value)
  if value >= 0 then return tostring(value) end
  local tens = (value >> 1) // 5
  return ("%d%d"):format(tens, value - tens * 10)
end

local function float(word)
  local sign, special = word:match("^(-?)(%a+)$")
  if not special then return tonumber(word) * 1.0 end
  return special == "nan" and 0 / 0 or sign == "-" and -math.huge or math.huge
end

local function seal_bits(found)
  local bits = 0
  for bit, name in ipairs(SEALS) do bits = bits | (found[name] and 1 << bit - 1 or 0) end
  return bits
end

-- Opens into a slot; passes nil and the error on.
local function keep(slot, segment, ...)
  if segment then segments[slot] = segment return true end
  return segment, ...
end

local commands = {}

function commands.create(slot, address, size, ...)
  return keep(slot, shm.create(from_hex(address), integer(size), options_of(...)))
end

function commands.open(slot, address, ...)
  return keep(slot, shm.open(from_hex(address), options_of(...)))
end

function commands.open_or_create(slot, address, size, ...)
  return keep(slot, shm.open_or_create(from_hex(address), integer(size), options_of(...)))
end

function commands.receive(slot, socket, ...)
  return keep(slot, shm.receive(integer(socket), options_of(...)))
end

function commands.send(slot, socket, ...)
  return segments[slot]:send(integer(socket), options_of(...))
end

function commands.unlink_address(address)
  return shm.unlink(from_hex(address))
end

function commands.unlink(slot)
  return segments[slot]:unlink()
end

function commands.close(slot)
  segments[slot]:close()
  return true
end

function commands.refresh(slot)
  return segments[slot]:refresh()
end

function commands.grow(slot, size)
  return segments[slot]:grow(integer(size))
end

function commands.seal(slot, names)
  return segments[slot]:seal(split(names))
end

function commands.seals(slot)
  local found, message, errno = segments[slot]:seals()
  if not found then return nil, message, errno end
  return seal_bits(found)
end

function commands.fileno(slot)
  return segments[slot]:fileno()
end

function commands.creator(slot)
  local by, message, errno = segments[slot]:creator()
  if not by then return nil, message, errno end
  return by.pid
end

function commands.info(slot)
  local segment = segments[slot]
  return table.concat({
    to_hex(segment:address()), to_hex(segment:name()), segment:kind(), segment:lifetime(),
    segment:size(), segment:capacity(), flag(segment:readonly()), flag(segment:created()),
    flag(segment:closed()),
  }, " ")
end

function commands.read(slot, offset, size)
  local bytes, message, errno = segments[slot]:read(integer(offset), integer(size))
  if not bytes then return nil, message, errno end
  return to_hex(bytes)
end

function commands.write(slot, offset, bytes)
  return segments[slot]:write(integer(offset), from_hex(bytes))
end

function commands.pack(slot, offset, format, value)
  return segments[slot]:pack(integer(offset), format, integer(value))
end

function commands.unpack(slot, offset, format)
  return segments[slot]:unpack(integer(offset), format)
end

function commands.get(slot, type, offset, count)
  local words = {}
  for index, value in ipairs(segments[slot]:view(type, integer(offset), integer(count))) do
    if type == "f32" or type == "f64" then value = ("%a"):format(value)
    elseif type == "u64" then value = unsigned_text(value)
    elseif type == "bool" then value = flag(value)
    elseif type == "char" then value = value:byte()
    end
    words[index] = value
  end
  return table.concat(words, " ")
end

function commands.set(slot, type, offset, count, ...)
  local view = segments[slot]:view(type, integer(offset), integer(count))
  for index, word in ipairs {...} do
    if type == "f32" or type == "f64" then view[index] = float(word)
    elseif type == "u64" then view[index] = unsigned(word)
    elseif type == "bool" then view[index] = word ~= "0"
    elseif type == "char" then view[index] = string.char(integer(word))
    else view[index] = integer(word)
    end
  end
  return true
end

function commands.atomic_count(slot, type, offset, rounds)
  local segment, place = segments[slot], integer(offset)
  for turn = 1, integer(rounds) do
    if turn % 2 == 0 then
      segment:add(type, place, 1)
    else
      local before
      local seen = segment:load(type, place)
      repeat
        before = seen
        seen = segment:compare_exchange(type, place, before, before + 1)
      until seen == before
    end
  end
  return true
end

-- One field as a word.
local function say(name, value)
  if value == nil then value = "none"
  elseif type(value) == "string" then value = to_hex(value)
  elseif type(value) == "table" then value = #value
  end
  return ("%s=%s"):format(name, value)
end

local function add(words, fields, prefix, record)
  for _, field in ipairs(fields) do
    words[#words + 1] = say(prefix .. field, record[field])
  end
end

-- What has a field and says nothing has no key: here they are.
local MAPPER <const> = {
  "pid", "start", "started", "uid", "mappings", "bytes", "offset", "program", "readable",
  "writable",
}
local EXTENT <const> = { "offset", "length" }
local OBJECT <const> = {
  "offset", "kind", "state", "identity", "sequence", "waited_for", "pid", "start", "program",
}
local INFO <const> = {
  "address", "name", "kind", "state", "reason", "dest", "locked", "last", "unlinked", "elsewhere",
  "may_remove", "mode", "uid", "gid", "links", "device", "inode", "ipc_namespace", "size",
  "allocated", "resident", "swapped", "huge_page", "created", "changed", "modified", "accessed",
  "attached", "detached", "attachments", "last_pid", "locks", "creator_state", "holding", "removal",
  "mappers", "mappings", "extents", "objects",
}

local function describe(listing, name)
  local words = { say("complete", listing.complete), say("unreadable", listing.unreadable) }
  for _, info in ipairs(listing) do
    if not name or name == "" or info.name == name then
      add(words, INFO, "", info)
      words[#words + 1] = say("creator", info.creator and info.creator.pid)
      words[#words + 1] = say("seals", info.seals and seal_bits(info.seals))
      for i, mapper in ipairs(info.mappers) do
        add(words, MAPPER, ("mapper%d."):format(i - 1), mapper)
      end
      for i, extent in ipairs(info.extents or {}) do
        add(words, EXTENT, ("extent%d."):format(i - 1), extent)
      end
      for i, object in ipairs(info.objects or {}) do
        add(words, OBJECT, ("object%d."):format(i - 1), object)
      end
      words[#words + 1] = "end"
    end
  end
  return table.concat(words, " ")
end

-- Options that are flags, by name.
local function flags(...)
  local options = {}
  for _, name in ipairs {...} do options[name] = true end
  return options
end

local function described(name, listing, message, errno)
  if not listing then return nil, message, errno end
  return describe(listing, name)
end

function commands.list(name, kinds, ...)
  local options = flags(...)
  options.kinds = kinds ~= "-" and split(kinds) or nil
  return described(from_hex(name), shm.list(options))
end

function commands.stat(address, exact)
  return described(nil, shm.stat(from_hex(address), { exact = exact ~= nil }))
end

function commands.remove(address, force)
  return described(nil, shm.remove(from_hex(address), { force = force ~= nil }))
end

function commands.gc(pattern, kinds, older_than, ...)
  local options = flags(...)
  options.pattern = from_hex(pattern)
  options.kinds = kinds ~= "-" and split(kinds) or nil
  options.older_than = integer(older_than)
  return described(nil, shm.gc(options))
end

local LIMIT <const> = {
  "name", "title", "source", "effect", "remedy", "note", "unit", "scope", "each", "on_request",
  "unlimited", "limit", "used", "free",
}
local KINDS <const> = { "posix", "sysv", "memfd", "semaphore", "anonymous", "hugetlb", "file" }

function commands.limits()
  local limits, message, errno = shm.limits()
  if not limits then return nil, message, errno end
  local words, bits = {}, {}
  for bit, kind in ipairs(KINDS) do
    bits[kind] = 1 << bit
    for _, choice in ipairs { "tightest", "scarcest" } do
      local limit = limits[choice][kind]
      words[#words + 1] = say(kind .. "." .. choice, limit and limit.name)
    end
  end
  for _, limit in ipairs(limits) do
    local kinds = 0
    for _, kind in ipairs(limit.kinds) do kinds = kinds | bits[kind] end
    add(words, LIMIT, "", limit)
    words[#words + 1] = say("kinds", kinds)
    words[#words + 1] = "end"
  end
  return table.concat(words, " ")
end

local mutexes, events = {}, {}

local function seconds(nanoseconds)
  return nanoseconds ~= "-1" and tonumber(nanoseconds) / 1e9 or nil
end

-- Of a wait: a word when it was in vain.
local function outcome(done, message, errno)
  if done then return "done" end
  if message == "timed out" then return "timeout" end
  return nil, message, errno
end

function commands.mutex_open(slot, address)
  local message, errno
  mutexes[slot], message, errno = shm.mutex(from_hex(address))
  return mutexes[slot] and true, message, errno
end

function commands.mutex_lock(slot, timeout)
  local guard, message, errno = mutexes[slot]:lock(seconds(timeout))
  if guard and guard:owner_died() then return "owner_died" end
  return outcome(guard, message, errno)
end

function commands.mutex_unlock(slot)
  mutexes[slot]:unlock()
  return true
end

function commands.mutex_locked(slot)
  return flag(mutexes[slot]:locked())
end

function commands.mutex_count(slot, rounds)
  local count = mutexes[slot]:segment():view("u64", 64, 1)
  for _ = 1, integer(rounds) do
    local guard <close> = assert(mutexes[slot]:lock())
    assert(not guard:owner_died())
    local before = count[1]
    count[1] = before + 1
  end
  return true
end

function commands.mutex_close(slot)
  mutexes[slot]:close()
  mutexes[slot] = nil
  return true
end

function commands.event_open(slot, address)
  local message, errno
  events[slot], message, errno = shm.event(from_hex(address))
  return events[slot] and true, message, errno
end

function commands.event_set(slot)
  return events[slot]:set()
end

function commands.event_clear(slot)
  return events[slot]:clear()
end

function commands.event_is_set(slot)
  return flag(events[slot]:is_set())
end

function commands.event_sequence(slot)
  return events[slot]:sequence()
end

function commands.event_wait(slot, timeout)
  return outcome(events[slot]:wait(nil, seconds(timeout)))
end

function commands.event_wait_since(slot, since, timeout)
  return outcome(events[slot]:wait(integer(since), seconds(timeout)))
end

function commands.event_close(slot)
  events[slot]:close()
  events[slot] = nil
  return true
end

-- What was raised, without the place and Lua's words about arguments: what C says.
local function bare(message)
  message = message:gsub("^[^:]*peer%.lua:%d+: ", "")
  return message:match("^bad argument #%d+ to '[^']*' %((.*)%)$") or message
end

for line in io.lines() do
  local words = {}
  for word in line:gmatch("%S+") do words[#words + 1] = word end
  local returned, result, message, errno =
    pcall(commands[words[1]], table.unpack(words, 2))
  if not returned then
    -- Misuse: Lua has no errno for it.
    print("error", "misuse", 1, to_hex(bare(result)))
  elseif result == nil then
    print("error", errno, 0, to_hex(message))
  else
    print("ok", result == true and "" or result)
  end
  print(".")
  io.flush()
end
for _, segment in pairs(segments) do segment:close() end
