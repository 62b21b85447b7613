-- SPDX-License-Identifier: MIT
local lfs = require "lfs"
local process = require "process"
local shm = require "shmkit"
local support = require "support"

support.nothing_is_left(before_each, after_each)

describe("a segment", function()
  it("is created with what it says of itself", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096))
    finally(function() shm.unlink(name) end)
    assert.equal("posix:/" .. name, seg:address())
    assert.equal(name, seg:name())
    assert.equal("posix", seg:kind())
    assert.equal("persistent", seg:lifetime())
    assert.equal(4096, seg:size())
    assert.equal("integer", math.type(seg:size()))
    assert.equal(4096, #seg)
    assert.is_true(seg:capacity() >= 4096)
    assert.is_false(seg:readonly())
    assert.is_true(seg:created())
    assert.is_false(seg:closed())
    assert.equal(("\0"):rep(4096), seg:read())
  end)

  it("can be seen and opened under its name", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 100, { mode = tonumber("640", 8) }))
    finally(function() shm.unlink(name) end)
    assert.equal(100, lfs.attributes(support.path(name), "size"))
    assert.equal("rw-r-----", lfs.attributes(support.path(name), "permissions"))
    local other <close> = assert(shm.open("posix:/" .. name))
    assert.is_false(other:created())
    assert.equal(100, #other)
    assert.is_true(seg:write(95, "bytes"))
    assert.equal("bytes", other:read(95))
  end)

  it("is private to the user unless asked", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 1))
    assert.equal("rw-------", lfs.attributes(support.path(name), "permissions"))
    assert.is_true(seg:unlink())
  end)

  it("is created once", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 1))
    local second, message, errno = shm.create(name, 1)
    assert.is_nil(second)
    assert.matches(name, message, 1, true)
    assert.equal("EEXIST", shm.error_name(errno))
    local third <close> = assert(shm.open_or_create(name, 1))
    assert.is_false(third:created())
    assert.is_true(seg:unlink())
    local fourth <close> = assert(shm.open_or_create(name, 1, { lifetime = "creator" }))
    assert.is_true(fourth:created())
  end)

  it("must be large enough for open_or_create", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 10, { lifetime = "creator" }))
    local other, _, errno = shm.open_or_create(name, 11)
    assert.is_nil(other)
    assert.equal("SHMKIT_ERR_INCOMPATIBLE", shm.error_name(errno))
    assert.equal(10, #seg)
  end)

  it("that does not exist is not opened, which is no error of the program", function()
    local seg, message, errno = shm.open(support.name())
    assert.is_nil(seg)
    assert.matches("does not exist", message, 1, true)
    assert.equal("ENOENT", shm.error_name(errno))
    seg, message, errno = shm.unlink(support.name())
    assert.is_nil(seg)
    assert.is_string(message)
    assert.equal("ENOENT", shm.error_name(errno))
  end)

  it("has its content before it has its name", function()
    local name = support.name()
    local content = "a\0b\xff"
    local seg <close> =
      assert(shm.create(name, 6, { content = content, lifetime = "creator" }))
    assert.equal(content .. "\0\0", seg:read())
  end)

  it("reads and writes bytes of any value anywhere inside", function()
    local seg <close> = assert(shm.create("memfd:bytes", 512))
    local all = {}
    for byte = 0, 255 do all[byte + 1] = string.char(byte) end
    local text = table.concat(all)
    assert.is_true(seg:write(256, text))
    assert.equal(text, seg:read(256))
    assert.equal(text:sub(11, 20), seg:read(266, 10))
    assert.equal("", seg:read(512))
    assert.equal("", seg:read(0, 0))
    assert.is_true(seg:write(512, ""))
    assert.equal(512, #seg:read(nil, nil))
  end)

  it("takes offsets that are floats with integral values, as Lua does", function()
    local seg <close> = assert(shm.create("memfd:floats", 64.0))
    assert.is_true(seg:write(8.0, "x"))
    assert.equal("x", seg:read(8.0, 1.0))
  end)

  it("ignores surplus arguments, as Lua does", function()
    local seg <close> = assert(shm.create("memfd:surplus", 64, nil, "more"))
    assert.equal(64, seg:size("more", "arguments"))
  end)

  it("cannot be written when it is open for reading only", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 8, { lifetime = "creator" }))
    local reader <close> = assert(shm.open(name, { readonly = true, capacity = 100 }))
    assert.is_true(reader:readonly())
    assert.is_true(seg:write(0, "shared"))
    assert.equal("shared", reader:read(0, 6))
    local done, message, errno = reader:write(0, "x")
    assert.is_nil(done)
    assert.matches(name, message, 1, true)
    assert.equal("EACCES", shm.error_name(errno))
    assert.is_nil((reader:pack(0, "B", 1)))
    assert.is_nil((reader:grow(100)))
    assert.equal("shared", reader:read(0, 6))
  end)

  it("grows in place up to its capacity", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 4096, { capacity = 1 << 20, lifetime = "creator" }))
    local view = seg:view("u8", 0, 4096)
    assert.is_true(seg:capacity() >= 1 << 20)
    assert.is_true(seg:grow(10000))
    assert.equal(10000, #seg)
    assert.equal("\0", seg:read(9999))
    assert.is_true(seg:grow(1))
    assert.equal(10000, #seg)
    view[1] = 7
    assert.equal("\7", seg:read(0, 1))
    support.raises(function() return seg:grow(1 << 40) end, name)
  end)

  it("knows its maker where the file system remembers", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 1, { lifetime = "creator" }))
    local creator, message, errno = seg:creator()
    if not creator then
      assert.is_string(message)
      return support.skip(pending, "no creator stamp: " .. shm.error_name(errno))
    end
    assert.equal(process.pid(), creator.pid)
    assert.equal("string", type(creator.program))
    assert.equal("integer", math.type(creator.start))
  end)

  it("has no maker when shmkit did not make it", function()
    local name = support.name()
    local file <close> = assert(io.open(support.path(name), "w"))
    assert(file:write("by hand") and file:flush())
    local seg <close> = assert(shm.open(name))
    assert(seg:unlink())
    local creator, message, errno = seg:creator()
    assert.is_nil(creator)
    assert.matches(name, message, 1, true)
    assert.is_not_nil(({ ENOENT = true, SHMKIT_ERR_UNSUPPORTED = true })[shm.error_name(errno)])
  end)

  it("has a descriptor that stays its own", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 3, { content = "abc", lifetime = "creator" }))
    local fd = assert(seg:fileno())
    assert.equal("integer", math.type(fd))
    assert.equal(lfs.attributes(support.path(name), "ino"),
                 lfs.attributes("/proc/self/fd/" .. fd, "ino"))
  end)

  it("keeps its address and name when it is closed, and nothing else", function()
    local name = support.name()
    local seg = assert(shm.create(name, 8))
    local view = seg:view("u8")
    seg:close()
    seg:close()
    assert.is_true(seg:closed())
    assert.equal("posix:/" .. name, seg:address())
    assert.equal(name, seg:name())
    assert.equal(0, #seg)
    assert.equal(0, seg:capacity())
    for what, call in pairs {
      read = function() return seg:read() end,
      write = function() return seg:write(0, "x") end,
      pack = function() return seg:pack(0, "B", 1) end,
      unpack = function() return seg:unpack(0, "B") end,
      view = function() return seg:view("u8") end,
      refresh = function() return seg:refresh() end,
      grow = function() return seg:grow(10) end,
      fileno = function() return seg:fileno() end,
      get = function() return view[1] end,
      set = function() view[1] = 1 end,
      totable = function() return view:totable() end,
      fill = function() view:fill(0) end,
      copy = function() view:set { 1 } end,
      slice = function() return view:slice(1, 1) end,
    } do
      support.raises(call, name, what)
    end
    assert.is_true(seg:unlink())
    assert.is_true(seg:unlink())
  end)

  it("says what it is", function()
    local name = support.name()
    local seg = assert(shm.create(name, 77))
    local reader <close> = assert(shm.open(name, { readonly = true }))
    assert.equal("shmkit.Segment: posix:/" .. name .. ", 77 bytes", tostring(seg))
    assert.equal("shmkit.Segment: posix:/" .. name .. ", 77 bytes, read-only", tostring(reader))
    assert.equal("shmkit.View: u16[3] at 4 of posix:/" .. name, tostring(seg:view("u16", 4, 3)))
    seg:close()
    assert.equal("shmkit.Segment: posix:/" .. name .. ", closed", tostring(seg))
    assert.is_true(seg:unlink())
  end)

  it("may have a name of any bytes", function()
    for _, suffix in ipairs { " with spaces ", "\n\t", "\xff\xfe", "ü", "a:b", "%s", "\27[0m" } do
      local name = support.name() .. suffix
      local address = "posix:/" .. name
      local seg <close> = assert(shm.create(address, 3, { content = "abc" }))
      assert.equal(name, seg:name())
      assert.equal(address, seg:address())
      assert.is_nil(tostring(seg):match("%c"))
      local other <close> = assert(shm.open(seg:address()))
      assert.equal("abc", other:read())
      assert.is_true(shm.unlink(address))
    end
  end)

  it("may have a name of 255 bytes", function()
    local name = support.name()
    name = name .. ("x"):rep(255 - #name)
    local seg <close> = assert(shm.create(name, 1, { lifetime = "creator" }))
    assert.equal(name, seg:name())
  end)

  it("takes each option that applies", function()
    local seg <close> = assert(shm.create("memfd:options", 1 << 16, {
      sparse = true,
      populate = true,
      capacity = 1 << 20,
      seals = { "seal" },
      content = "x",
      huge_pages = false,
    }))
    assert.equal("x", seg:read(0, 1))
    local name = support.name()
    local made <close> = assert(shm.create(name, 1, { lifetime = "creator" }))
    local opened <close> = assert(shm.open(name, {
      any_owner = true,
      readonly = true,
      populate = true,
      lock = false,
      capacity = 1 << 16,
    }))
    assert.equal(1, #opened)
    assert.equal(1, #made)
  end)
end)

describe("the module", function()
  it("has a version", function()
    assert.matches("^shmkit %d+%.%d+%.%d+$", shm._VERSION)
  end)

  it("knows types and error numbers", function()
    for type, size in pairs {
      i8 = 1, i16 = 2, i32 = 4, i64 = 8, u8 = 1, u16 = 2, u32 = 4, u64 = 8,
      f32 = 4, f64 = 8, bool = 1, char = 1,
    } do
      assert.equal(size, shm.type_size(type))
    end
    assert.equal("ENOENT", shm.error_name(2))
    assert.equal("unknown", shm.error_name(12345))
  end)

  it("leaves the globals alone", function()
    local output = support.run([[
      local before = {}
      for key in pairs(_G) do before[key] = true end
      require "shmkit"
      for key in pairs(_G) do if not before[key] then print(key) end end
    ]])
    assert.equal("", output)
  end)
end)
