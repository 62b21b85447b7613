-- SPDX-License-Identifier: MIT
-- How segments end: by close, by scope, by the collector, with the program.
local lfs = require "lfs"
local process = require "process"
local shm = require "shmkit"
local support = require "support"

local function exists(name)
  return lfs.attributes(support.path(name), "mode") ~= nil
end

local function mappings()
  local n = 0
  for line in io.lines("/proc/self/maps") do
    if line:find("memfd:ending", 1, true) then n = n + 1 end
  end
  return n
end

support.nothing_is_left(before_each, after_each)

describe("the end of a segment", function()
  it("comes with its scope", function()
    local kept
    do
      local seg <close> = assert(shm.create("memfd:ending", 1))
      kept = seg
      assert.equal(1, mappings())
    end
    assert.is_true(kept:closed())
    assert.equal(0, mappings())
  end)

  it("comes with its scope also when an error leaves it", function()
    local kept
    local ok, message = pcall(function()
      local seg <close> = assert(shm.create("memfd:ending", 1))
      kept = seg
      error("in the middle", 0)
    end)
    assert.is_false(ok)
    assert.equal("in the middle", message)
    assert.is_true(kept:closed())
    assert.equal(0, mappings())
  end)

  it("may have come before its scope ends", function()
    do
      local seg <close> = assert(shm.create("memfd:ending", 1))
      seg:close()
    end
    assert.equal(0, mappings())
  end)

  it("comes with its scope in coroutines, finished or not", function()
    local kept = {}
    local function body()
      local seg <close> = assert(shm.create("memfd:ending", 8))
      kept[#kept + 1] = seg
      coroutine.yield(seg:read(0, 1))
      coroutine.yield(seg:view("u8")[1])
    end
    local finished = coroutine.wrap(body)
    assert.equal("\0", finished())
    assert.equal(0, finished())
    finished()
    local given_up = coroutine.create(body)
    assert.is_true(coroutine.resume(given_up))
    assert.is_true(coroutine.close(given_up))
    assert.is_true(kept[1]:closed() and kept[2]:closed())
  end)

  it("comes with the collector when nobody holds it", function()
    for _ = 1, 10 do
      local seg = assert(shm.create("memfd:ending", 1 << 20))
      local _ = seg:view("u8")
    end
    collectgarbage()
    collectgarbage()
    assert.equal(0, mappings())
  end)

  it("comes with the collector through cycles of views, segments and finalizers", function()
    local reports = {}
    do
      local seg = assert(shm.create("memfd:ending", 64))
      local node = setmetatable({ seg = seg, view = seg:view("u8") }, {
        __gc = function(self)
          -- The segment's own finalizer may have run by now: anything but a crash is right.
          reports[#reports + 1] = tostring(self.seg) .. tostring(self.view)
          reports[#reports + 1] = tostring(pcall(function() return self.view[1] end))
          reports[#reports + 1] = tostring(pcall(function() self.view[1] = 1 end))
          reports[#reports + 1] = tostring(pcall(self.seg.read, self.seg))
          reports[#reports + 1] = tostring(pcall(self.view.totable, self.view))
          self.seg:close()
        end,
      })
      node.self = node
    end
    collectgarbage()
    collectgarbage()
    assert.equal(5, #reports)
    assert.equal(0, mappings())
  end)

  it("comes with the collector, at the latest when descriptors run out", function()
    support.in_child(function()
      assert(process.limit_files(64))
      for _ = 1, 1000 do
        local seg = assert(shm.create("memfd:ending", 1))
        assert(shm.open("fd:" .. seg:fileno()))
      end
      local kept = {}
      local seg, message, errno
      repeat
        seg, message, errno = shm.create("memfd:ending", 1)
        kept[#kept + 1] = seg
      until not seg
      assert(shm.error_name(errno) == "EMFILE", message)
      assert(#kept > 40)
    end)
  end)

  it("of a segment with lifetime creator takes the name away", function()
    local name = support.name()
    local seg = assert(shm.create(name, 1, { lifetime = "creator" }))
    assert.equal("creator", seg:lifetime())
    local other <close> = assert(shm.open(name))
    assert.is_true(exists(name))
    seg:close()
    assert.is_false(exists(name))
    assert.equal("\0", other:read())
  end)

  it("of the last holder of a segment with lifetime last takes the name away", function()
    local name = support.name()
    local first = assert(shm.create(name, 1, { lifetime = "last" }))
    local second = assert(shm.open(name))
    assert.equal("last", second:lifetime())
    first:close()
    assert.is_true(exists(name))
    second:close()
    assert.is_false(exists(name))
  end)

  it("of the last holder by kill leaves the name to the next who opens it", function()
    local name = support.name()
    local pid, hold = support.start_staying_child(function()
      assert(shm.create(name, 1, { lifetime = "last" }))
    end)
    do
      local seg <close> = assert(shm.open(name))
      support.kill(pid, hold)
      assert.equal(1, #seg)
    end
    assert.is_false(exists(name))
    pid, hold = support.start_staying_child(function()
      assert(shm.create(name, 1, { lifetime = "last" }))
    end)
    support.kill(pid, hold)
    local seg, _, errno = shm.open(name)
    assert.is_nil(seg)
    assert.equal("ENOENT", shm.error_name(errno))
    assert.is_false(exists(name))
  end)

  it("in a forked child leaves the parent's segment alone", function()
    local name = support.name()
    local seg = assert(shm.create(name, 8, { lifetime = "creator" }))
    local view = seg:view("u8")
    support.in_child(function()
      view[1] = 7
      assert(seg:write(1, "\8"))
      seg:close()
    end)
    assert.is_true(exists(name))
    assert.same({ 7, 8, 0 }, view:totable(1, 3))
    seg:close()
    assert.is_false(exists(name))
  end)

  it("by closing all descriptors leaves memory and names usable, and other files alone", function()
    local name = support.name()
    local directory = support.temporary_directory()
    finally(function() lfs.rmdir(directory) end)
    support.in_child(function()
      local seg = assert(shm.create(name, 8192, { lifetime = "creator", capacity = 1 << 16 }))
      local view = seg:view("u8")
      process.closefrom(3)
      -- The descriptor's number belongs to this file now.
      local path = directory .. "/file"
      local fds = {}
      for i = 1, 16 do fds[i] = assert(process.open(path .. i, true)) end
      view[1] = 7
      assert(seg:read(0, 1) == "\7")
      assert(seg:write(1, "\8"))
      assert(view[2] == 8)
      assert(seg:refresh())
      seg:close()
      assert(not exists(name))
      local lost = assert(shm.create("memfd:lost", 1))
      process.close(assert(lost:fileno()))
      local done, message, errno = lost:refresh()
      assert(not done and shm.error_name(errno) == "ESTALE", message)
      for i, fd in ipairs(fds) do
        assert(process.write(fd, "still mine"))
        assert(lfs.attributes(path .. i, "size") == 10)
        os.remove(path .. i)
      end
    end)
  end)
end)

describe("the end of a program", function()
  local beginning = [[
    local shm = require "shmkit"
    local name, lifetime = ...
    local seg = assert(shm.create(name, 4096, {lifetime = lifetime or "creator"}))
    local view = seg:view("f64")
    local kept = setmetatable({}, {__gc = function() pcall(function() return view[1] end) end})
    holder = {view, seg, kept}
  ]]

  for what, ending in pairs {
    ["by reaching the last line"] = "",
    ["by os.exit"] = "os.exit(0)",
    ["by os.exit that closes the state"] = "os.exit(0, true)",
    ["by os.exit in a scope with <close>"] = "local s <close> = seg; os.exit(0, true)",
    ["by os.exit in a coroutine"] = "coroutine.wrap(function() os.exit(0, true) end)()",
    ["by os.exit in a finalizer"] = [[
      setmetatable({}, {__gc = function() os.exit(0) end}) collectgarbage()]],
    ["after close"] = "seg:close()",
  } do
    it(what .. " is silent and leaves no name", function()
      for _, lifetime in ipairs { "creator", "last" } do
        local name = support.name()
        local output, how, code = support.run(beginning .. ending, name .. " " .. lifetime)
        assert.equal("", output)
        assert.equal("exit", how)
        assert.equal(0, code)
        assert.is_false(exists(name))
      end
    end)
  end

  it("by an error says only that and leaves no name", function()
    local name = support.name()
    local output, how, code = support.run(beginning .. "error('as planned', 0)", name)
    assert.matches("^lua5%.4: as planned\n", output)
    assert.equal("exit", how)
    assert.equal(1, code)
    assert.is_false(exists(name))
  end)

  it("of a child that forked off runs finalizers without harm to the parent", function()
    local name = support.name()
    local output, _, code = support.run(([[
      package.cpath = %q
      local process = require "process"
    ]]):format(package.cpath) .. beginning .. [[
      local pid = process.fork()
      if pid == 0 then os.exit(0, true) end
      assert(process.wait(pid) == "exited")
      view[1] = 1.5
      local other <close> = assert(shm.open(name))
      assert(other:view("f64")[1] == 1.5)
    ]], name)
    assert.equal("", output)
    assert.equal(0, code)
    assert.is_false(exists(name))
  end)
end)
