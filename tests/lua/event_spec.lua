-- SPDX-License-Identifier: MIT
-- Event: what happens in one process and is waited for in others.
local process = require "process"
local shm = require "shmkit"
local support = require "support"

support.nothing_is_left(before_each, after_each)

local function passing(name)
  return assert(shm.event(name or support.name(), { lifetime = "creator" }))
end

-- Somebody sleeps on it: it is in the word.
local function is_waited_for(event)
  return event:segment():load("u32", event:offset()) & 1 == 1
end

local function timed_out(...)
  local done, message, errno = ...
  assert.is_nil(done)
  assert.equal("timed out", message)
  assert.equal("ETIMEDOUT", shm.error_name(errno))
end

-- What `wait` returns while a child sets the event as soon as somebody waits for it.
local function when_set_by_a_child(event, wait)
  local name, offset = event:segment():name(), event:offset()
  local pid = support.start_child(function()
    local seg <close> = assert(shm.open(name))
    local own <close> = assert(seg:event(offset))
    repeat until is_waited_for(own)
    assert(own:set())
    assert(own:clear())
  end)
  local results = table.pack(wait())
  assert.same({ "exited", 0 }, { process.wait(pid) })
  return table.unpack(results)
end

describe("an event", function()
  it("is set until it is cleared", function()
    local event <close> = passing()
    assert.is_false(event:is_set())
    timed_out(event:wait { timeout = 0 })
    timed_out(event:wait(nil, 0.001))
    assert.is_true(event:set())
    assert.is_true(event:is_set())
    assert.is_true(event:wait())
    assert.is_true(event:wait { timeout = 1 })
    assert.is_true(event:clear())
    assert.is_false(event:is_set())
    timed_out(event:wait { timeout = 1e-12 })
  end)

  it("counts how often it was set", function()
    local event <close> = passing()
    local sequence = event:sequence()
    assert.equal("integer", math.type(sequence))
    timed_out(event:wait(sequence, 0))
    assert(event:set())
    assert(event:clear())
    assert.is_true(event:wait(sequence))
    assert.is_true(event:wait { since = sequence, timeout = 0 })
    timed_out(event:wait(event:sequence(), 0.001))
    timed_out(event:wait { since = event:sequence(), timeout = 0.001 })
    assert.equal(1, event:sequence())
  end)

  it("is waited for, also when it is set and cleared at once", function()
    local event <close> = passing()
    for _, wait in ipairs {
      function() return event:wait() end,
      function() return event:wait(event:sequence()) end,
      function() return event:wait { timeout = 1000 } end,
    } do
      assert.is_true(when_set_by_a_child(event, wait))
    end
    local found, index = when_set_by_a_child(event, function() return shm.wait_any { event } end)
    assert.equal(event, found)
    assert.equal(1, index)
  end)

  it("refuses what makes no sense", function()
    local event <close> = passing()
    for _, timeout in ipairs { -1, -0.5, 0 / 0 } do
      support.raises(function() event:wait(nil, timeout) end, "0 seconds or more")
      support.raises(function() event:wait { timeout = timeout } end, "0 seconds or more")
      support.raises(function() shm.wait_any({ event }, timeout) end, "0 seconds or more")
    end
    support.raises(function() event:wait(0.5) end, "integer expected")
    support.raises(function() event:wait(-1) end, "negative")
    support.raises(function() event:wait(1 << 29) end, "no sequence")
    support.raises(function() event:wait { since = "1" } end, "integer expected")
    support.raises(function() event:wait { timeouts = 1 } end, "timeouts")
    support.raises(function() event:wait(nil, "1") end, "timeout in seconds expected")
    assert.is_true(event:set())
    for _, wrong in ipairs { io.stdout, {}, "x", event:segment() } do
      support.raises(function() event.set(wrong) end, "shmkit.Event expected")
      support.raises(function() shm.wait_any { wrong } end, "element 1 is no open shmkit.Event")
    end
    support.raises(function() shm.wait_any() end, "table")
    support.raises(function() shm.wait_any {} end, "0 events")
    support.raises(function() shm.wait_any({ event }, 0, {}) end, "integer expected, got nil")
    local many = {}
    for i = 1, 129 do many[i] = event end
    support.raises(function() shm.wait_any(many) end, "129 events")
    many[129] = nil
    assert.equal(event, (shm.wait_any(many)))
  end)

  it("lies in any segment, also of System V, and can be waited for read-only", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { lifetime = "creator" }))
    local event <close> = assert(seg:event(128))
    assert.equal(128, event:offset())
    assert.equal(seg, event:segment())
    support.raises(function() seg:event(1) end, "64")
    support.raises(function() seg:event(4096) end, name)
    local reader <close> = assert(shm.open(name, { readonly = true }))
    local there <close> = assert(reader:event(128))
    local done, message, errno = there:set()
    assert.is_nil(done)
    assert.matches("read-only", message, 1, true)
    assert.equal("EACCES", shm.error_name(errno))
    assert.is_nil((there:clear()))
    assert.is_nil((there:always_wake()))
    timed_out(there:wait { timeout = 0.01 })
    assert(event:always_wake())
    assert(event:set())
    assert.is_true(there:wait())
    local other <close> = assert(shm.event(support.sysv_address()))
    assert(other:segment():unlink())
    assert(other:set())
    assert.is_true(other:wait { timeout = 0 })
  end)

  it("says what it is, and can be used no more when it is closed", function()
    local event = passing()
    local expected = "shmkit.Event: " .. event:segment():address() .. ", offset 0"
    assert.equal(expected, tostring(event))
    event:set()
    assert.equal(expected .. ", set", tostring(event))
    event:close()
    event:close()
    assert.is_true(event:closed())
    assert.is_true(event:segment():closed())
    assert.equal("shmkit.Event: closed", tostring(event))
    for _, method in ipairs { "set", "clear", "is_set", "wait", "sequence", "fileno", "offset" } do
      support.raises(function() event[method](event) end, "closed shmkit.Event", method)
    end
    support.raises(function() shm.wait_any { event } end, "no open shmkit.Event")
  end)

  it("is found among several", function()
    local seg <close> = assert(shm.create(support.name(), 4096, { lifetime = "creator" }))
    local events, since = {}, {}
    for i = 1, 64 do
      events[i] = assert(seg:event(64 * (i - 1)))
      since[i] = 0
    end
    timed_out(shm.wait_any(events, 0))
    timed_out(shm.wait_any(events, 0.01))
    for i = 1, 64, 21 do
      events[i]:set()
      assert.same({ events[i], i }, { shm.wait_any(events) })
      events[i]:clear()
      local found, index =
        when_set_by_a_child(events[i], function() return shm.wait_any(events, 1000) end)
      assert.equal(events[i], found)
      assert.equal(i, index)
    end
    for i = 1, 64 do since[i] = events[i]:sequence() end
    timed_out(shm.wait_any(events, 0, since))
    events[7]:set()
    events[7]:clear()
    timed_out(shm.wait_any(events, 0))
    assert.same({ events[7], 7 }, { shm.wait_any(events, 0, since) })
    for _, event in ipairs(events) do event:close() end
  end)

  it("has a descriptor that gets readable when it is set", function()
    -- In a process of its own, for the library's thread stays.
    local output, how, code = support.run [[
      local shm = require "shmkit"
      local process = require "process"
      local event <close> = assert(assert(shm.create("memfd:x", 64)):event(0))
      local descriptor = assert(event:fileno())
      assert(event:fileno() == descriptor)
      local function read()
        local bytes
        repeat bytes = process.read(descriptor, 8) until bytes
        return #bytes
      end
      for _ = 1, 3 do
        assert(not process.read(descriptor, 8))
        event:set()
        assert(read() == 8)
      end
    ]]
    assert(how == "exit" and code == 0, output)
  end)

  it("stops being waited for by Ctrl-C", function()
    for _, wait in ipairs { "event:wait()", "event:wait { timeout = 1000 }",
                            "shm.wait_any { event }" } do
      local event <close> = passing()
      local path = os.tmpname()
      local file <close> = assert(io.open(path, "w"))
      assert(file:write(([[
        local shm = require "shmkit"
        local event <close> = assert(shm.event(arg[1]))
        print(pcall(function() %s end))
      ]]):format(wait)) and file:flush())
      local pipe <close> = assert(io.popen(("lua5.4 %s %s & echo $!; wait $!"):format(
        path, event:segment():name())))
      local pid = pipe:read("n")
      repeat until is_waited_for(event)
      process.kill(pid, 2)
      assert.matches("false%s+.*interrupted!", pipe:read("a"))
      os.remove(path)
    end
  end)
end)
