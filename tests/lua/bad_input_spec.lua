-- SPDX-License-Identifier: MIT
-- Each wrong input has an error that says so, raised or returned as the conventions have it.
local lfs = require "lfs"
local process = require "process"
local shm = require "shmkit"
local support = require "support"

-- The call failed for a reason that lies outside of the program.
local function refused(name, ...)
  local result, message, errno = ...
  assert.is_nil(result)
  assert.is_string(message)
  assert.is_nil(message:match("\n"))
  assert.equal(name, shm.error_name(errno))
  return message
end

-- An error number for which the C library has no own name is as good as one that has.
local function fails(...)
  local result, message = ...
  assert.is_nil(result)
  assert.is_string(message)
  return message
end

support.nothing_is_left(before_each, after_each)

describe("an address", function()
  it("that cannot be is refused by every function that takes one", function()
    for address, hint in pairs {
      [""] = "name",
      ["."] = ".",
      [".."] = "..",
      ["/"] = "name",
      ["posix:"] = "name",
      ["posix:/."] = ".",
      ["/a/b"] = "slash",
      [("x"):rep(256)] = "255",
      ["nosuchscheme:x"] = "scheme",
      ["sysv:"] = "sysv:",
      ["sysv:key"] = "key",
      ["sysv:0xgg"] = "0xgg",
      ["sysv:0x1ffffffff"] = "0x1ffffffff",
      ["sysv:id="] = "id=",
      ["sysv:id=-3"] = "-3",
      ["fd:"] = "fd:",
      ["fd:-1"] = "-1",
      ["fd:x"] = "fd:x",
      ["file:"] = "file:",
    } do
      local what = ("%q"):format(address)
      support.raises(function() return shm.create(address, 1) end, hint, "create " .. what)
      support.raises(function() return shm.open(address) end, hint, "open " .. what)
      support.raises(function() return shm.open_or_create(address, 1) end, hint, "o_o_c " .. what)
      support.raises(function() return shm.unlink(address) end, hint, "unlink " .. what)
      support.raises(function() return shm.stat(address) end, hint, "stat " .. what)
      support.raises(function() return shm.remove(address) end, hint, "remove " .. what)
    end
  end)

  it("with a NUL byte is refused", function()
    support.raises(function() return shm.create("a\0b", 1) end, "NUL")
    support.raises(function() return shm.open("a\0") end, "NUL")
    support.raises(function() return shm.unlink("\0") end, "NUL")
  end)

  it("is a string", function()
    for _, wrong in ipairs { 42, 4.2, true, {}, print, io.stdout, process.lightuserdata() } do
      support.raises(function() return shm.create(wrong, 1) end, "string expected")
      support.raises(function() return shm.open(wrong) end, "string expected")
      support.raises(function() return shm.unlink(wrong) end, "string expected")
    end
    support.raises(function() return shm.open(nil) end, "string expected, got nil")
    support.raises(function() return shm.open() end, "string expected, got no value")
  end)

  it("that cannot be opened, created or removed in that way is refused", function()
    assert.is_false((pcall(function() return assert(shm.create("fd:0", 1)) end)))
    assert.is_false((pcall(function() return assert(shm.open("memfd:x")) end)))
    assert.is_false((pcall(function() return assert(shm.unlink("memfd:x")) end)))
    assert.is_false((pcall(function() return assert(shm.unlink("fd:0")) end)))
  end)
end)

describe("a size", function()
  it("is a positive integer", function()
    local name = support.name()
    for _, wrong in ipairs { 0, -1, math.mininteger, 1.5, 0 / 0, 1 / 0, "1", true, {} } do
      assert.is_false((pcall(shm.create, name, wrong)))
      assert.is_false((pcall(shm.open_or_create, name, wrong)))
    end
    support.raises(function() return shm.create(name) end, "integer expected")
    support.raises(function() return shm.create(name, nil) end, "integer expected")
  end)

  it("that no machine has is refused with the reason", function()
    for _, huge in ipairs { 1 << 50, 1 << 62, math.maxinteger } do
      local ok, result, message = pcall(shm.create, support.name(), huge)
      assert.is_true(not ok or result == nil)
      assert.is_string(ok and message or result)
    end
  end)
end)

describe("an offset", function()
  local seg
  before_each(function() seg = assert(shm.create("memfd:offsets", 64)) end)
  after_each(function() seg:close() end)

  it("outside is refused", function()
    for _, offset in ipairs { 65, 1 << 32, (1 << 53) + 1, math.maxinteger } do
      support.raises(function() return seg:read(offset, 1) end, "memfd:offsets")
      support.raises(function() return seg:write(offset, "x") end, "memfd:offsets")
      support.raises(function() return seg:pack(offset, "B", 1) end, "memfd:offsets")
      support.raises(function() return seg:unpack(offset, "B") end, "memfd:offsets")
      support.raises(function() return seg:view("u8", offset) end, "memfd:offsets")
    end
    support.raises(function() return seg:read(60, 5) end, "memfd:offsets")
    support.raises(function() return seg:read(1, math.maxinteger) end, "memfd:offsets")
    support.raises(function() return seg:view("u8", 60, 5) end, "memfd:offsets")
    support.raises(function() return seg:view("f64", 8, math.maxinteger) end, "memfd:offsets")
    support.raises(function() return seg:write(60, "12345") end, "memfd:offsets")
    assert.equal(("\0"):rep(64), seg:read())
  end)

  it("that is no natural number is refused", function()
    for _, wrong in ipairs { -1, math.mininteger, 0.5, 0 / 0, 1 / 0, 2.0 ^ 63, "0", {}, true } do
      assert.is_false((pcall(seg.read, seg, wrong, 1)))
      assert.is_false((pcall(seg.read, seg, 0, wrong)))
      assert.is_false((pcall(seg.write, seg, wrong, "x")))
      assert.is_false((pcall(seg.pack, seg, wrong, "B", 1)))
      assert.is_false((pcall(seg.unpack, seg, wrong, "B")))
      assert.is_false((pcall(seg.view, seg, "u8", wrong)))
      assert.is_false((pcall(seg.view, seg, "u8", 0, wrong)))
      assert.is_false((pcall(seg.grow, seg, wrong)))
    end
    support.raises(function() return seg:write(-1, "x") end, "offset: must not be negative, got -1")
  end)

  it("that is misaligned for a view is refused", function()
    support.raises(function() return seg:view("f64", 4) end, "multiple of 8")
    support.raises(function() return seg:view("u16", 1) end, "multiple of 2")
  end)

  it("goes with a type that exists", function()
    support.raises(function() return seg:view("f80") end, "f64")
    support.raises(function() return seg:view("") end, "f64")
    support.raises(function() return seg:view("u8\0") end, "NUL")
    support.raises(function() return seg:view(1) end, "f64 bool char expected")
    support.raises(function() return seg:view() end, "f64 bool char expected")
    support.raises(function() return shm.type_size("int") end, "f64")
  end)

  it("goes with data that is a string", function()
    for _, wrong in ipairs { 1, 1.5, true, {}, print, io.stdout } do
      support.raises(function() return seg:write(0, wrong) end, "string expected")
    end
    support.raises(function() return seg:write(0) end, "string expected, got no value")
  end)
end)

describe("an option", function()
  it("that does not exist is refused with those that do", function()
    for _, call in ipairs {
      function() return shm.create("x", 1, { capacty = 1 }) end,
      function() return shm.open("x", { capacty = 1 }) end,
      function() return shm.open_or_create("x", 1, { capacty = 1 }) end,
      function() return shm.receive(0, { capacty = 1 }) end,
    } do
      support.raises(call, "unknown option 'capacty'; known: any_owner, capacity, content")
    end
    support.raises(function() return shm.create("x", 1, { "readonly" }) end, "options have names")
    local seg <close> = assert(shm.create("memfd:x", 1))
    support.raises(function() return seg:send(0, { capacity = 1 }) end, "known: readonly")
  end)

  it("of a wrong type or value is refused by name", function()
    for option, values in pairs {
      capacity = { "1", -1, 1.5, {}, true },
      content = { 1, {}, true },
      mode = { "600", -1, 1.5, 1 << 40 },
      lifetime = { "forever", 1, true, {} },
      seals = { "shrink", 2, { "shrunk" }, { 1 }, { "shrink", false } },
      readonly = { 1, "yes", {} },
      sparse = { 0, "no" },
      populate = { 1 },
      lock = { 1 },
      huge_pages = { 1 },
      any_owner = { 1 },
    } do
      for _, value in ipairs(values) do
        support.raises(function() return shm.create("x", 1, { [option] = value }) end,
                       "option '" .. option .. "': ")
      end
    end
    support.raises(function() return shm.create("x", 1, "readonly") end, "table expected")
    support.raises(function() return shm.open("x", true) end, "table expected")
  end)

  it("that does not apply is refused, not ignored", function()
    for what, call in pairs {
      ["readonly when creating"] = function()
        return shm.create(support.name(), 1, { readonly = true })
      end,
      ["content longer than the segment"] = function()
        return shm.create(support.name(), 1, { content = "ab" })
      end,
      ["seals for a name"] = function()
        return shm.create(support.name(), 1, { seals = { "shrink" } })
      end,
      ["an impossible mode"] = function()
        return shm.create(support.name(), 1, { mode = 0x10000 })
      end,
    } do
      local ok, result, message = pcall(call)
      assert.is_true(not ok or result == nil, what)
      assert.is_string(ok and message or result, what)
    end
  end)
end)

describe("in place of a segment", function()
  it("a symbolic link is not followed and not removed", function()
    local name, target = support.name(), support.name()
    local seg <close> = assert(shm.create(target, 1, { lifetime = "creator" }))
    assert(process.symlink(support.path(target), support.path(name)))
    finally(function() os.remove(support.path(name)) end)
    refused("ELOOP", shm.open(name))
    fails(shm.open_or_create(name, 1))
    refused("EEXIST", shm.create(name, 1))
    refused("ELOOP", shm.unlink(name))
    assert.equal("link", lfs.symlinkattributes(support.path(name), "mode"))
    assert.is_false(seg:closed())
  end)

  it("a directory is not opened and not removed", function()
    local name = support.name()
    assert(lfs.mkdir(support.path(name)))
    finally(function() lfs.rmdir(support.path(name)) end)
    refused("SHMKIT_ERR_INCOMPATIBLE", shm.open(name))
    refused("SHMKIT_ERR_INCOMPATIBLE", shm.unlink(name))
    assert.equal("directory", lfs.attributes(support.path(name), "mode"))
  end)

  it("a fifo neither blocks nor is opened or removed", function()
    local name = support.name()
    assert(process.mkfifo(support.path(name)))
    finally(function() os.remove(support.path(name)) end)
    refused("SHMKIT_ERR_INCOMPATIBLE", shm.open(name))
    refused("SHMKIT_ERR_INCOMPATIBLE", shm.unlink(name))
    assert.equal("named pipe", lfs.attributes(support.path(name), "mode"))
  end)

  it("only a posix segment has an owner to accept", function()
    for _, address in ipairs { "sysv:private", "file:/dev/shm/" .. support.name(), "fd:0" } do
      refused("SHMKIT_ERR_UNSUPPORTED", shm.open(address, { any_owner = true }))
    end
  end)

  it("an empty file is not taken for a segment", function()
    local name = support.name()
    process.close(assert(process.open(support.path(name), true)))
    finally(function() os.remove(support.path(name)) end)
    refused("SHMKIT_ERR_TRUNCATED", shm.open(name))
  end)

  it("a descriptor of something else is refused", function()
    local reading, writing = process.pipe()
    refused("SHMKIT_ERR_INCOMPATIBLE", shm.open("fd:" .. reading, { readonly = true }))
    process.close(reading)
    process.close(writing)
    local ok, seg = pcall(shm.open, "fd:" .. reading)
    assert.is_true(not ok or seg == nil, "a closed descriptor")
    assert.is_false((pcall(function() return assert(shm.receive(reading)) end)))
  end)

  it("somebody else's file is refused unless asked for", function()
    if process.uid() ~= 0 then
      return support.skip(pending, "only root can give a file away")
    end
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4, { content = "mine", lifetime = "creator" }))
    assert(process.chown(support.path(name), 12345))
    refused("EACCES", shm.open(name))
    local theirs <close> = assert(shm.open(name, { any_owner = true }))
    assert.equal("mine", theirs:read())
    assert.equal(4, #seg)
  end)

  it("what one may not read is refused", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4, { lifetime = "creator" }))
    assert.equal(4, #seg)
    assert(process.chmod(support.path(name), 0))
    support.in_child(function()
      local root = process.uid() == 0
      if root then assert(process.become(12345)) end
      local other, message, errno = shm.open(name)
      assert(other == nil and message:find(name, 1, true))
      assert(shm.error_name(errno) == "EACCES", message)
      if not root then return end
      local done, reason = shm.unlink(name)
      assert(done == nil and reason:find(name, 1, true))
    end)
  end)
end)

describe("a lack of room", function()
  it("is an error of create that names the limit, and leaves nothing", function()
    local output = support.run_in_own_place([[
      local lfs, shm = require "lfs", require "shmkit"
      local seg, message, errno = shm.create("too-large", 1 << 20)
      assert(seg == nil and shm.error_name(errno) == "ENOSPC", message)
      print(message)
      for entry in lfs.dir("/dev/shm") do assert(entry:match("^%.+$"), entry) end
      local small <close> = assert(shm.create("small", 65536, { capacity = 1 << 20 }))
      local done, _, why = small:grow(1 << 20)
      assert(done == nil and shm.error_name(why) == "ENOSPC")
      assert(#small == 65536 and small:write(0, ("x"):rep(65536)))
    ]], "256k")
    if not output then
      return support.skip(pending, "mounting in a namespace is not permitted")
    end
    assert.matches("256", output, 1, true)
  end)
end)
