-- SPDX-License-Identifier: MIT
-- Mutex: one holder at a time, whatever happens to it.
local lfs = require "lfs"
local process = require "process"
local shm = require "shmkit"
local support = require "support"

support.nothing_is_left(before_each, after_each)

local function passing(name)
  return assert(shm.mutex(name or support.name(), { lifetime = "creator" }))
end

-- Somebody sleeps on it: it is in the word.
local function is_waited_for(mutex)
  return mutex:segment():load("u32", mutex:offset()) >> 31 == 1
end

-- `body(pid)` while another process holds the mutex, with its own object on which it then does
-- `more` if there is that; in the end it is killed.
local function while_held(mutex, body, more)
  local name = mutex:segment():name()
  local pid, hold = support.start_staying_child(function()
    local own = assert(shm.mutex(name))
    assert(own:lock())
    if more then more(own) end
  end)
  local good, message = pcall(body, pid)
  support.kill(pid, hold)
  assert(good, message)
end

-- Tried for long enough to ask whether its holder lives.
local function assert_stays_held(mutex)
  local none, message = mutex:lock(0.2)
  assert.is_nil(none)
  assert.equal("timed out", message)
end

local function assert_owner_died(mutex)
  local guard <close> = assert(mutex:lock())
  assert.is_true(guard:owner_died())
end

describe("a mutex", function()
  it("is unlocked at the end of the guard's block", function()
    local mutex <close> = passing()
    assert.is_false(mutex:locked())
    do
      local guard <close> = assert(mutex:lock())
      assert.is_true(mutex:locked())
      assert.is_false(guard:owner_died())
      local state = mutex:look()
      assert.is_true(state.locked and state.mine and not state.owner_died)
      assert.equal(state.identity, mutex:segment():load("u32", 0))
    end
    assert.is_false(mutex:locked())
    assert.same({ locked = false, mine = false, owner_died = false, identity = 0 }, mutex:look())
    support.raises(function()
      local guard <close> = assert(mutex:try_lock())
      error("inside " .. tostring(guard:owner_died()))
    end, "inside false")
    assert.is_false(mutex:locked())
  end)

  it("can be unlocked before the end of the block", function()
    local mutex <close> = passing()
    do
      local guard <close> = assert(mutex:lock())
      guard:unlock()
      assert.is_false(mutex:locked())
      guard:unlock()
    end
    assert(mutex:lock())
    assert.is_nil(mutex:unlock())
    assert.is_false(mutex:locked())
  end)

  it("is made of zeros anywhere in a segment", function()
    local seg <close> = assert(shm.create("memfd:x", 4096))
    for _, offset in ipairs { 0, 64, 4032 } do
      local mutex <close> = assert(seg:mutex(offset))
      assert.equal(offset, mutex:offset())
      assert.equal(seg, mutex:segment())
      local _ <close> = assert(mutex:lock())
      assert.is_true(seg:load("u32", offset) ~= 0)
    end
    assert.equal(("\0"):rep(56), seg:read(8, 56))
  end)

  it("cannot be locked twice, nor unlocked by who does not hold it", function()
    local mutex <close> = passing()
    local same <close> = assert(shm.mutex(mutex:segment():address()))
    support.raises(function() mutex:unlock() end, "not locked")
    do
      local _ <close> = assert(mutex:lock())
      for _, again in ipairs { mutex, same } do
        support.raises(function() again:lock() end, "holds the mutex")
        support.raises(function() again:try_lock() end, "holds the mutex")
        support.raises(function() again:lock(1) end, "holds the mutex")
      end
    end
    while_held(mutex, function()
      support.raises(function() mutex:unlock() end, "does not hold it")
      assert.is_true(mutex:locked())
    end)
  end)

  it("is not got in time while somebody else holds it", function()
    local mutex <close> = passing()
    while_held(mutex, function()
      for _, got in ipairs {
        table.pack(mutex:try_lock()),
        table.pack(mutex:lock(0)),
        table.pack(mutex:lock(0.0)),
        table.pack(mutex:lock(1e-12)),
        table.pack(mutex:lock(0.01)),
      } do
        assert.is_nil(got[1])
        assert.equal("timed out", got[2])
        assert.equal("ETIMEDOUT", shm.error_name(got[3]))
      end
    end)
    for _, timeout in ipairs { 0, 1, 0.5, 1e10, 1e300, math.huge } do
      local _ <close> = assert(mutex:lock(timeout))
    end
    local _ <close> = assert(mutex:lock(nil))
  end)

  it("refuses timeouts that cannot be", function()
    local mutex <close> = passing()
    for _, timeout in ipairs { -1, -0.5, -math.huge, 0 / 0 } do
      support.raises(function() mutex:lock(timeout) end, "a timeout is 0 seconds or more")
    end
    for _, timeout in ipairs { "1", {}, true } do
      support.raises(function() mutex:lock(timeout) end, "timeout in seconds expected")
    end
    assert.is_false(mutex:locked())
  end)

  it("says why there can be none", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    support.raises(function() seg:mutex(32) end, "64")
    support.raises(function() seg:mutex(4096) end, name)
    support.raises(function() seg:mutex(-64) end, "negative")
    support.raises(function() seg:mutex() end, "offset")
    local reader <close> = assert(shm.open(name, { readonly = true }))
    local none, message, errno = reader:mutex(0)
    assert.is_nil(none)
    assert.matches("read-only", message, 1, true)
    assert.equal("EACCES", shm.error_name(errno))
    none, message, errno = shm.mutex(support.sysv_address())
    assert.is_nil(none)
    assert.matches("System V", message, 1, true)
    assert.equal("SHMKIT_ERR_UNSUPPORTED", shm.error_name(errno))
    support.raises(function() shm.mutex(5) end, "string expected")
    support.raises(function() shm.mutex("x", { size = 5 }) end, "size")
  end)

  it("is not made of anything else", function()
    local seg <close> = assert(shm.create("memfd:x", 4096))
    local mutex <close> = assert(seg:mutex(0))
    local event <close> = assert(seg:event(64))
    seg:write(128, "something else")
    seg:store("u32", 0, 1 << 30)
    local function fails(name, words, none, message, errno)
      assert.is_nil(none)
      assert.matches(words, message, 1, true)
      assert.equal(name, shm.error_name(errno))
    end
    fails("SHMKIT_ERR_CORRUPT", "there is no mutex at offset 0", mutex:look())
    fails("SHMKIT_ERR_CORRUPT", "neither zeros nor a mutex", seg:mutex(128))
    fails("SHMKIT_ERR_CORRUPT", "neither zeros nor an event", seg:event(128))
    fails("SHMKIT_ERR_INCOMPATIBLE", "there is a mutex", seg:event(0))
    fails("SHMKIT_ERR_INCOMPATIBLE", "there is an event", seg:mutex(64))
    assert.is_false(event:is_set())
  end)

  it("has a segment of its own, which is persistent unless asked", function()
    local name = support.name()
    local mutex = assert(shm.mutex(name, { mode = tonumber("640", 8) }))
    local seg = mutex:segment()
    assert.is_true(seg:created())
    assert.equal(64, seg:size())
    assert.equal("rw-r-----", lfs.attributes(support.path(name), "permissions"))
    mutex:close()
    assert.is_true(seg:closed())
    local again <close> = assert(shm.mutex(name))
    assert.is_false(again:segment():created())
    assert(again:segment():unlink())
  end)

  it("keeps no segment open in which it cannot be, nor does an event", function()
    local name = support.name()
    for _, make in ipairs { shm.mutex, shm.event } do
      local seg = assert(shm.create(name, 64, { lifetime = "last", content = "something else" }))
      assert.is_nil((make(name, { lifetime = "last" })))
      seg:close()
      assert.is_nil(lfs.attributes(support.path(name)))
    end
  end)

  it("says what it is", function()
    local mutex = passing()
    local expected = "shmkit.Mutex: " .. mutex:segment():address() .. ", offset 0"
    assert.equal(expected, tostring(mutex))
    do
      local _ <close> = mutex:lock()
      assert.equal(expected .. ", locked", tostring(mutex))
    end
    mutex:close()
    assert.equal("shmkit.Mutex: closed", tostring(mutex))
  end)

  it("can be used no more when it is closed", function()
    local mutex = passing()
    mutex:close()
    mutex:close()
    assert.is_true(mutex:closed())
    for _, method in ipairs { "lock", "try_lock", "unlock", "locked", "look", "offset" } do
      support.raises(function() mutex[method](mutex) end, "closed shmkit.Mutex", method)
    end
    for _, wrong in ipairs { io.stdout, {}, "x", mutex:segment() } do
      support.raises(function() mutex.lock(wrong) end, "shmkit.Mutex expected")
    end
    support.raises(function() mutex.lock() end, "shmkit.Mutex expected")
    support.raises(function() shm.open("x", mutex) end, "table")
  end)

  it("that is closed while it is held can be unlocked still", function()
    local name = support.name()
    local other <close> = passing(name)
    local mutex = assert(shm.mutex(name))
    do
      local _ <close> = assert(mutex:lock())
      mutex:close()
      assert.is_true(mutex:closed())
      assert.is_true(other:locked())
    end
    assert.is_true(mutex:segment():closed())
    local guard <close> = assert(other:try_lock())
    assert.is_false(guard:owner_died())
  end)

  it("is ended by close when nobody can unlock it any more", function()
    local name = support.name()
    local other <close> = passing(name)
    local mutex = assert(shm.mutex(name))
    do
      local _ <close> = assert(mutex:lock())
      support.in_child(function()
        mutex:close()
        assert(mutex:segment():closed())
      end)
    end
    assert(mutex:lock())
    other:unlock()
    mutex:close()
    assert.is_true(mutex:segment():closed())
  end)

  it("outlives the close of its segment", function()
    local seg = assert(shm.create("memfd:x", 64))
    local mutex <close> = assert(seg:mutex(0))
    seg:close()
    local _ <close> = assert(mutex:lock())
    assert.is_true(mutex:locked())
  end)

  it("tells the next one, once, that its holder was killed", function()
    local mutex <close> = passing()
    while_held(mutex, function() assert.is_true(mutex:locked()) end)
    assert.is_false(mutex:locked())
    assert.is_true(mutex:look().owner_died)
    do
      local guard <close> = assert(mutex:lock())
      assert.is_true(guard:owner_died())
      assert.is_true(mutex:owner_died())
    end
    local guard <close> = assert(mutex:lock())
    assert.is_false(guard:owner_died())
  end)

  it("is given to who waits when its holder is killed", function()
    local mutex <close> = passing()
    local name = mutex:segment():name()
    local waiter
    while_held(mutex, function()
      waiter = support.start_child(function()
        local own <close> = assert(shm.mutex(name))
        local guard <close> = assert(own:lock())
        assert(guard:owner_died())
      end)
      repeat until is_waited_for(mutex)
    end)
    assert.same({ "exited", 0 }, { process.wait(waiter) })
  end)

  it("is held by who is stopped", function()
    local mutex <close> = passing()
    while_held(mutex, function(pid)
      process.kill(pid, 19)
      support.wait_for_state(pid, "T")
      assert_stays_held(mutex)
      process.kill(pid, 18)
    end)
    assert_owner_died(mutex)
  end)

  it("is held by who has closed all its descriptors", function()
    local mutex <close> = passing()
    while_held(mutex, function() assert_stays_held(mutex) end, function(own)
      process.closefrom(own:segment():fileno())
      own:unlock()
      assert(own:lock())
    end)
    assert_owner_died(mutex)
  end)

  it("that is collected while it is held has lost its holder", function()
    local name = support.name()
    local other <close> = passing(name)
    assert(assert(shm.mutex(name, {})):lock())
    collectgarbage()
    collectgarbage()
    -- The thread holds it as long as it has an object on the same segment.
    assert.is_true(other:look().mine)
    other:unlock()
  end)

  it("lets processes take turns", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 128, { lifetime = "creator" }))
    local children = {}
    for i = 1, 4 do
      children[i] = support.start_child(function()
        local own <close> = assert(shm.open(name))
        local mutex <close> = assert(own:mutex(0))
        local count = own:view("u64", 64, 1)
        for _ = 1, 3000 do
          local guard <close> = assert(mutex:lock(60))
          assert(not guard:owner_died())
          count[1] = count[1] + 1
        end
      end)
    end
    for _, pid in ipairs(children) do
      assert.same({ "exited", 0 }, { process.wait(pid) })
    end
    assert.equal(12000, seg:load("u64", 64))
  end)

  it("does not pass from a parent to its child", function()
    local mutex <close> = passing()
    local _ <close> = assert(mutex:lock())
    support.in_child(function()
      assert(not mutex:try_lock())
      assert(not pcall(mutex.unlock, mutex))
    end)
    assert.is_true(mutex:look().mine)
  end)
end)

describe("the interpreter", function()
  local script = [[
    local shm = require "shmkit"
    local mutex <close> = assert(shm.mutex(arg[1]))
    print(pcall(mutex.lock, mutex, %s))
  ]]

  it("is interrupted by Ctrl-C while it waits", function()
    for _, timeout in ipairs { "nil", "1000" } do
      local mutex <close> = passing()
      local _ <close> = assert(mutex:lock())
      -- A shell runs it, and sends the signal when it has said that it sleeps.
      local path = os.tmpname()
      local file <close> = assert(io.open(path, "w"))
      assert(file:write(script:format(timeout)) and file:flush())
      local pipe <close> = assert(io.popen(("lua5.4 %s %s & echo $!; wait $!"):format(
        path, mutex:segment():name())))
      local pid = pipe:read("n")
      repeat until is_waited_for(mutex)
      -- A shell without job control starts what is in the background deaf to SIGINT; lua is not.
      process.kill(pid, 2)
      assert.matches("false%s+.*interrupted!", pipe:read("a"))
      os.remove(path)
    end
  end)
end)
