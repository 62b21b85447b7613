-- SPDX-License-Identifier: MIT
-- Listings: what exists, who uses it, what nobody needs. Removes nothing but what it has made.
local lfs = require "lfs"
local process = require "process"
local shm = require "shmkit"
local support = require "support"

local HOUR <const> = 3600 * 10 ^ 9 // 1 | 0
local KINDS <const> = { "posix", "sysv", "memfd", "semaphore", "anonymous", "hugetlb", "file" }

support.nothing_is_left(before_each, after_each)

local function find(listing, address)
  local found
  for _, info in ipairs(listing) do
    if info.address == address then
      assert.is_nil(found)
      found = info
    end
  end
  assert.is_not_nil(found, address .. " is not listed")
  return found
end

local function look_at(address, options)
  local listing = assert(shm.stat(address, options))
  assert.equal(1, #listing)
  return listing[1]
end

-- A plain file in /dev/shm that nobody has open; its address.
local function make_idle(name)
  local file <close> = assert(io.open(support.path(name), "wb"))
  file:write(("\0"):rep(4096))
  return "posix:/" .. name
end

-- The address of a System V segment whose creator has exited.
local function leave_system_v()
  local address = support.sysv_address()
  support.in_child(function() assert(shm.create(address, 4096)) end)
  return address
end

local function refused(name, listing, message, errno)
  assert.is_nil(listing)
  assert.is_string(message)
  assert.equal(name, shm.error_name(errno))
  return message
end

describe("a listing", function()
  it("has a POSIX segment with all about it", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 100000, { mode = tonumber("640", 8) }))
    finally(function() shm.unlink(name) end)
    local listing = assert(shm.list())
    local info = find(listing, seg:address())
    assert.equal(name, info.name)
    assert.equal("posix", info.kind)
    assert.equal("used", info.state)
    assert.equal("mapped by 1 process", info.reason)
    assert.equal(100000, info.size)
    assert.equal(102400, info.allocated)
    assert.equal(tonumber("640", 8), info.mode)
    assert.equal(process.uid(), info.uid)
    assert.equal(1, info.links)
    assert.equal(0, info.huge_page)
    assert.is_true(info.may_remove)
    for _, flag in ipairs { "dest", "locked", "last", "unlinked", "elsewhere" } do
      assert.is_false(info[flag])
    end
    assert.is_boolean(listing.complete)
    assert.equal("integer", math.type(listing.unreadable))
  end)

  it("has integers: times are nanoseconds since 1970", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    local listing = assert(shm.list())
    local info = find(listing, seg:address())
    assert.equal("integer", math.type(listing.time))
    assert.equal(lfs.attributes(support.path(name), "modification"), info.modified // 10 ^ 9 | 0)
    assert.is_true(info.changed <= listing.time and listing.time < info.changed + HOUR)
    for _, field in ipairs { "size", "inode", "device", "changed", "modified", "mode", "uid" } do
      assert.equal("integer", math.type(info[field]), field)
    end
    assert.equal(lfs.attributes(support.path(name), "ino"), info.inode)
  end)

  it("names every process that maps it", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    local pid, hold = support.start_staying_child(function()
      assert(shm.open(name, { readonly = true }))
    end)
    local info = find(shm.list(), seg:address())
    support.kill(pid, hold)
    assert.equal("mapped by 2 processes", info.reason)
    assert.equal(2, #info.mappers)
    local first, second = info.mappers[1], info.mappers[2]
    assert.is_true(first.pid < second.pid)
    local own, child = first, second
    if first.pid == pid then own, child = second, first end
    assert.equal(process.pid(), own.pid)
    assert.equal(pid, child.pid)
    assert.equal(process.uid(), own.uid)
    assert.is_true(own.mappings >= 1 and own.bytes >= 4096 and own.start > 0)
    assert.is_true(own.readable and own.writable)
    assert.equal(0, own.offset)
    assert.is_string(own.program)
    assert.equal(info.mappings, own.mappings + child.mappings)
  end)

  it("names the creator", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    local info = look_at(name)
    assert.same(seg:creator(), info.creator)
    if info.creator then -- Not on file systems before Linux 6.6.
      assert.equal(process.pid(), info.creator.pid)
      assert.equal("alive", info.creator_state)
    end
    assert.is_nil(find(shm.list { no_creators = true }, seg:address()).creator)
  end)

  it("counts the attachments of a System V segment", function()
    local address = support.sysv_address()
    local seg <close> = assert(shm.create(address, 8192, { lifetime = "creator" }))
    local other <close> = assert(shm.open(address))
    local info = find(shm.list(), address)
    assert.equal("sysv", info.kind)
    assert.equal(2, info.attachments)
    assert.equal(1, #info.mappers)
    assert.equal(process.pid(), info.last_pid)
    assert.equal("integer", math.type(info.attached))
    assert.is_nil(info.detached)
    assert.is_nil(info.created)
    assert.equal(seg:size(), other:size())
    assert.is_true(seg:unlink())
    info = look_at("sysv:id=" .. info.inode)
    assert.equal("dest", info.state)
    assert.is_true(info.dest)
  end)

  it("says that what an exited process left is leaked", function()
    local address = leave_system_v()
    local info = find(shm.list(), address)
    assert(shm.unlink(address))
    assert.equal("leaked", info.state)
    assert.equal("exited", info.creator_state)
    assert.equal(0, info.attachments)
    assert.same({}, info.mappers)
  end)

  it("finds memfds by their name, also several", function()
    local name = support.name()
    local address = "memfd:" .. name
    local seg <close> = assert(shm.create(address, 12288, { seals = { "shrink", "grow" } }))
    assert(seg:write(0, "hello"))
    local info = look_at(address)
    assert.equal("memfd", info.kind)
    assert.equal(name, info.name)
    assert.equal(0, info.links)
    assert.is_true(info.seals.shrink and info.seals.grow)
    assert.same(seg:seals(), info.seals)
    local other <close> = assert(shm.open(info.address))
    assert.equal("hello", other:read(0, 5))
    local second <close> = assert(shm.create(address, 4096))
    assert.equal(2, #shm.stat(address))
    assert.is_true(second:created())
    seg:close()
    other:close()
    second:close()
    refused("ENOENT", shm.stat(address))
  end)

  it("finds an unlinked segment while it is mapped", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096))
    local inode = look_at(name).inode
    assert(seg:unlink())
    local found
    for _, info in ipairs(shm.list { kinds = "posix" }) do
      if info.inode == inode then found = info end
    end
    assert.equal("unlinked", found.state)
    assert.is_true(found.unlinked)
    assert.is_false(found.may_remove)
    assert.equal(0, found.links)
  end)

  it("has names of any bytes", function()
    for _, ending in ipairs { "\xff\xfe", "a\nb", "\27[31m", " (deleted)", "ü" } do
      local name = support.name() .. ending
      local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
      local info = find(shm.list(), seg:address())
      assert.equal(name, info.name)
      assert.equal("posix:/" .. name, info.address)
    end
  end)

  it("has the kinds that are asked for", function()
    local seg <close> = assert(shm.create("memfd:" .. support.name(), 4096))
    for _, kind in ipairs(KINDS) do
      for _, info in ipairs(assert(shm.list { kinds = { kind } })) do
        assert.equal(kind, info.kind)
      end
    end
    local known = {}
    for _, kind in ipairs(KINDS) do known[kind] = true end
    local seen = {}
    for _, info in ipairs(shm.list { kinds = "all" }) do
      assert.is_true(known[info.kind])
      seen[info.kind] = true
    end
    assert.is_true(seen.memfd and seen.file)
    assert.is_false(seg:closed())
  end)

  it("of names only looks at no process", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    local listing = assert(shm.list { names_only = true })
    assert.is_false(listing.complete)
    assert.same({}, find(listing, seg:address()).mappers)
  end)

  it("is plain data", function()
    local listing = assert(shm.list {})
    assert.is_nil(getmetatable(listing))
    local count = 0
    for key, value in pairs(listing) do
      count = count + 1
      if math.type(key) == "integer" then
        assert.is_nil(getmetatable(value))
      else
        assert.is_true(key == "complete" or key == "unreadable" or key == "time")
      end
    end
    assert.equal(#listing + 3, count)
  end)
end)

describe("stat", function()
  it("tells where pages are", function()
    local name = support.name()
    local page = 4096
    local seg <close> =
      assert(shm.create(name, 16 * page, { sparse = true, lifetime = "creator" }))
    assert.same({}, look_at(name).extents)
    assert(seg:write(3 * page, ("x"):rep(2 * page)))
    assert.same({ { offset = 3 * page, length = 2 * page } }, look_at(name).extents)
    assert.is_nil(find(shm.list(), seg:address()).extents)
  end)

  it("names who holds a mutex, until it is killed", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    assert.same({}, look_at(name).objects)
    assert.is_nil(find(shm.list(), seg:address()).objects)
    local mutex <close> = assert(seg:mutex(128))
    local unlocked = { offset = 128, kind = "mutex", state = "unlocked", identity = 0,
                       waited_for = false }
    assert.same({ unlocked }, look_at(name).objects)
    do
      local _ <close> = assert(mutex:lock())
      local held = look_at(name).objects[1]
      assert.equal("locked", held.state)
      assert.equal(process.pid(), held.pid)
      assert.equal(seg:load("u32", 128), held.identity)
      assert.is_true(held.start > 0)
      assert.is_nil(held.sequence)
    end
    local pid, hold = support.start_staying_child(function() assert(mutex:lock()) end)
    local held = look_at(name).objects[1]
    assert.equal("locked", held.state)
    assert.equal(pid, held.pid)
    support.kill(pid, hold)
    assert.same({ offset = 128, kind = "mutex", state = "owner died", identity = held.identity,
                  waited_for = false }, look_at(name).objects[1])
  end)

  it("tells that somebody waits for a mutex", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    local mutex <close> = assert(seg:mutex(0))
    assert(mutex:lock())
    local pid = support.start_child(function()
      assert(mutex:lock())
      mutex:unlock()
    end)
    repeat until look_at(name).objects[1].waited_for
    assert.equal(process.pid(), look_at(name).objects[1].pid)
    mutex:unlock()
    assert.equal("exited", process.wait(pid))
  end)

  it("tells how often an event was set", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    local event <close> = assert(seg:event(64))
    for _ = 1, 17 do assert(event:set()) end
    local told = { offset = 64, kind = "event", state = "set", sequence = 17, waited_for = false }
    assert.same({ told }, look_at(name).objects)
    assert(event:clear())
    told.state = "not set"
    assert.same({ told }, look_at(name).objects)
  end)

  it("asks the kernel who has it open", function()
    local name = support.name()
    local address = make_idle(name)
    assert.is_nil(look_at(address).holding)
    assert.equal("not held", look_at(address, { exact = true }).holding)
    local file = assert(io.open(support.path(name)))
    local info = look_at(address, { exact = true })
    file:close()
    assert.equal("held", info.holding)
    assert.equal("used", info.state)
    assert(os.remove(support.path(name)))
  end)

  it("fails as open does", function()
    local name = support.name()
    local message = refused("ENOENT", shm.stat(name))
    assert.matches("does not exist", message, 1, true)
    refused("SHMKIT_ERR_INCOMPATIBLE", shm.stat("file:/dev/shm"))
    assert(process.symlink("/etc/hosts", support.path(name)))
    refused("ELOOP", shm.stat(name))
    assert(os.remove(support.path(name)))
    support.raises(function() shm.stat("a/b") end, "slash")
    support.raises(function() shm.stat("fd:999") end, "fd:999")
    support.raises(function() shm.stat("a\0b") end, "NUL")
    support.raises(function() shm.stat(5) end, "string expected")
    support.raises(function() shm.stat() end, "string expected")
  end)
end)

describe("options of listings", function()
  it("that cannot be raise", function()
    for _, call in ipairs { shm.list, shm.gc } do
      support.raises(function() call { kinds = { "posics" } } end, "'posics' is none of: posix")
      support.raises(function() call { kinds = "a\0b" } end, "NUL")
      support.raises(function() call { kinds = {} } end, "no kinds at all")
      support.raises(function() call { kinds = { 5 } } end, "string expected")
      support.raises(function() call { kinds = 5 } end, "list of kinds expected")
      support.raises(function() call { kind = "posix" } end, "unknown option 'kind'")
      support.raises(function() call "posix" end, "table expected")
      support.raises(function() call { [1] = "posix" } end, "options have names")
    end
    support.raises(function() shm.list { names_only = 1 } end, "boolean expected")
    support.raises(function() shm.stat("x", { exact = "yes" }) end, "boolean expected")
    support.raises(function() shm.remove("x", { apply = true }) end, "known: force")
    support.raises(function() shm.gc { kinds = "memfd" } end, "posix, sysv and semaphore")
    support.raises(function() shm.gc { older_than = -1 } end, "must not be negative")
    support.raises(function() shm.gc { older_than = 1.5 } end, "integer expected")
    support.raises(function() shm.gc { older_than = "1" } end, "integer expected")
    support.raises(function() shm.gc { pattern = 5 } end, "string expected")
    support.raises(function() shm.gc { pattern = "a\0b" } end, "NUL")
  end)
end)

describe("removing", function()
  it("is not done unless asked", function()
    local name = support.name()
    local address = make_idle(name)
    local found = assert(shm.gc { idle = true, pattern = address })
    assert.equal(1, #found)
    assert.equal(address, found[1].address)
    assert.is_nil(found[1].removal)
    assert.is_string(found[1].reason)
    assert.equal(0, #shm.gc { pattern = address, apply = true }) -- Idle is not leaked.
    found = assert(shm.gc { idle = true, pattern = address, apply = true })
    assert.equal("removed", found[1].removal)
    assert.is_nil(lfs.attributes(support.path(name)))
  end)

  it("leaves what is open, in use, young, or of another kind", function()
    local name = support.name()
    local address = make_idle(name)
    assert.equal(0, #shm.gc { idle = true, pattern = address, apply = true, older_than = HOUR })
    assert.equal(0, #shm.gc { idle = true, pattern = address, apply = true, kinds = { "sysv" } })
    local file = assert(io.open(support.path(name)))
    assert.equal("kept", shm.gc({ idle = true, pattern = address, apply = true })[1].removal)
    file:close()
    local seg <close> = assert(shm.open(name))
    assert.equal(0, #shm.gc { idle = true, pattern = address, apply = true })
    assert(seg:unlink())
  end)

  it("takes what is leaked", function()
    local address = leave_system_v()
    local found = assert(shm.gc { apply = true, pattern = address })
    assert.equal("removed", found[1].removal)
    assert.equal("leaked", found[1].state)
    refused("ENOENT", shm.stat(address))
  end)

  it("takes one that nobody uses", function()
    local name = support.name()
    make_idle(name)
    local listing = assert(shm.remove(name))
    assert.equal(1, #listing)
    assert.equal("removed", listing[1].removal)
    assert.is_nil(lfs.attributes(support.path(name)))
    refused("ENOENT", shm.remove(name))
    local address = leave_system_v()
    assert.equal(address, shm.remove(address)[1].address)
  end)

  it("takes one that somebody uses by force alone", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096))
    local message = refused("EBUSY", shm.remove(name))
    assert.matches(tostring(process.pid()), message, 1, true)
    refused("EBUSY", shm.remove(name, { force = false }))
    assert.equal("removed", shm.remove(name, { force = true })[1].removal)
    assert.equal("\0", seg:read(0, 1))
    refused("SHMKIT_ERR_UNSUPPORTED", shm.remove("fd:" .. seg:fileno(), { force = true }))
  end)

  it("takes everything that nobody uses, in a place of its own", function()
    local output = support.run_in_own_place([[
      local shm = require "shmkit"
      -- Processes outside of this place can be seen, and so can what they map.
      local function here()
        local count = 0
        for _, info in ipairs(shm.list { kinds = { "posix", "sysv" } }) do
          if not (info.elsewhere or info.unlinked) then count = count + 1 end
        end
        return count
      end
      assert(here() == 0)
      for _, name in ipairs { "idle", "other", "sem.x" } do
        local file <close> = assert(io.open("/dev/shm/" .. name, "wb"))
        file:write(("\0"):rep(32))
      end
      local seg <close> = assert(shm.create("used", 4096))
      print(#shm.gc { idle = true })
      for _, info in ipairs(shm.gc { idle = true, apply = true }) do
        print(info.name, info.removal)
      end
      print(here())
      print(shm.gc({ idle = true, apply = true, kinds = "semaphore" })[1].removal)
    ]], "1m")
    if not output then
      return support.skip(pending, "mounting in a namespace is not permitted")
    end
    assert.equal("2\nidle\tremoved\nother\tremoved\n1\nremoved\n", output)
  end)
end)
