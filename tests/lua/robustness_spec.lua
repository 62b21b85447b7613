-- SPDX-License-Identifier: MIT
-- Nothing that is written in Lua crashes the interpreter.
local process = require "process"
local shm = require "shmkit"
local support = require "support"

-- Everything that might be taken for a segment or a view.
local function impostors()
  local closed = assert(shm.create("memfd:closed", 1))
  closed:close()
  local list = { false, 0, 1.5, "segment", {}, print, coroutine.create(print), io.stdout }
  list[#list + 1] = process.lightuserdata()
  for size = 0, 64, 8 do list[#list + 1] = process.userdata(size) end
  list[#list + 1] = setmetatable({}, { __index = closed, __name = "shmkit.Segment" })
  return list
end

-- The methods, which scripts get by indexing only.
local function methods(object)
  local found = {}
  local index = debug.getmetatable(object).__index
  if type(index) == "function" then
    local _, list = debug.getupvalue(index, 2)
    index = list
  end
  for name, method in pairs(index) do found[name] = method end
  return found
end

support.nothing_is_left(before_each, after_each)

describe("the interpreter survives", function()
  local seg, view

  before_each(function()
    seg = assert(shm.create("memfd:robust", 4096, { capacity = 1 << 16 }))
    view = seg:view("i64")
  end)
  after_each(function() seg:close() end)

  it("methods called on anything else", function()
    for _, object in ipairs { seg, view } do
      for name, method in pairs(methods(object)) do
        assert.is_false((pcall(method)), name)
        assert.is_false((pcall(method, nil)), name)
        for _, wrong in ipairs(impostors()) do
          local ok, message = pcall(method, wrong)
          assert.is_false(ok, name)
          assert.matches("expected, got", message, 1, true)
        end
      end
    end
    for name, method in pairs(methods(seg)) do
      assert.is_false((pcall(method, view)), name)
    end
    for name, method in pairs(methods(view)) do
      assert.is_false((pcall(method, seg)), name)
    end
  end)

  it("methods and functions called with anything", function()
    local values = impostors()
    for _, value in ipairs {
      math.maxinteger, math.mininteger, (1 << 53) + 1, 2.0 ^ 53, 2.0 ^ 63, -2.0 ^ 63, 0 / 0, 1 / 0,
      -1, "", "\0", ("x"):rep(1 << 16), "<i4", "s8", "z", "u8", "f64", "memfd:x", seg, view, _G,
    } do
      values[#values + 1] = value
    end
    local harmless = { close = true, unlink = true, send = true }
    for _, object in ipairs { seg, view } do
      for name, method in pairs(methods(object)) do
        if not harmless[name] then
          for _, a in ipairs(values) do
            pcall(method, object, a)
            for _, b in ipairs(values) do pcall(method, object, a, b) end
            pcall(method, object, 0, a, a)
            pcall(method, object, nil, nil, a)
            pcall(method, object, "u8", a, a)
            pcall(method, object, 0, "<i8z", a)
          end
        end
      end
    end
    for _, name in ipairs { "open", "unlink", "type_size", "error_name" } do
      for _, a in ipairs(values) do
        for _, b in ipairs(values) do
          local ok, result = pcall(shm[name], a, b)
          if ok and name == "open" and result then result:close() end
        end
      end
    end
    assert.is_false(seg:closed())
  end)

  it("keys of every sort", function()
    for _, key in ipairs(impostors()) do
      local _ = view[key]
      pcall(function() view[key] = 1 end)
      assert.is_nil(seg[key])
      assert.is_false((pcall(function() seg[key] = 1 end)))
    end
  end)

  it("operators that it does not have", function()
    for _, object in ipairs { seg, view } do
      for _, operation in ipairs {
        function() return object + 1 end,
        function() return object .. "x" end,
        function() return object < object end,
        function() return object() end,
        function() return -object end,
        function() return ~object end,
        function() return next(object) end,
      } do
        assert.is_false((pcall(operation)))
      end
      assert.is_true(object == object)
      assert.is_false(object == 1)
    end
  end)

  it("attempts to get at the metatables", function()
    for _, object in ipairs { seg, view } do
      assert.is_false(getmetatable(object))
      assert.is_false((pcall(setmetatable, object, {})))
      for _, name in ipairs { "__gc", "__close", "__index", "__disown", "__metatable" } do
        assert.is_nil(object[name])
      end
    end
    for name, value in pairs(require "shmkit.core") do
      assert.equal("function", type(value), name)
    end
  end)

  it("metamethods called by hand on anything, should somebody get at them", function()
    for _, object in ipairs { seg, view } do
      local class = debug.getmetatable(object)
      for _, name in ipairs {
        "__gc", "__close", "__len", "__tostring", "__index", "__newindex",
      } do
        if class[name] then
          for _, wrong in ipairs(impostors()) do
            assert.is_false((pcall(class[name], wrong, wrong)), name)
            assert.is_false((pcall(class[name], wrong, 1, 2)), name)
          end
          assert.is_false((pcall(class[name])), name)
        end
      end
    end
    local class = debug.getmetatable(seg)
    class.__gc(seg)
    class.__gc(seg)
    class.__close(seg, "an error")
    assert.equal("shmkit.Segment: finalized", tostring(seg))
    support.raises(function() return seg:read() end, "finalized")
    support.raises(function() return view[1] end, "finalized")
    support.raises(function() view[1] = 1 end, "finalized")
    support.raises(function() return view:totable() end, "finalized")
    assert.equal("shmkit.View: of a finalized segment", tostring(view))
  end)

  it("tables that do more than hold options", function()
    local trap = setmetatable({}, {
      __index = function() error("not read") end,
      __pairs = function() error("not read") end,
    })
    local made <close> = assert(shm.create("memfd:trap", 1, trap))
    assert.equal(1, #made)
    local sly = setmetatable({}, {
      __index = function() seg:close() end,
      __len = function() return 9 end,
    })
    view:set(sly)
    assert.is_false(seg:closed())
  end)

  it("segments far larger than memory", function()
    local huge <close> = assert(shm.create("memfd:huge", 1 << 42, { sparse = true }))
    assert.equal(1 << 42, #huge)
    support.raises(function() return huge:view("u8"):totable() end, "too many elements")
    assert.equal(0, huge:view("i64")[1 << 39])
    huge:view("i64")[1 << 39] = 7
    assert.equal("\7\0\0\0\0\0\0\0", huge:read((1 << 42) - 8))
    assert.equal(7, (huge:unpack((1 << 42) - 8, "<i8")))
  end)

  it("lack of memory in a copy", function()
    if (os.getenv("LD_PRELOAD") or ""):find("asan") then
      return support.skip(pending, "AddressSanitizer ends the process when memory is short")
    end
    support.in_child(function()
      local large = assert(shm.create("memfd:large", 1 << 30, { sparse = true }))
      local status <close> = assert(io.open("/proc/self/status"))
      local kilobytes = status:read("a"):match("VmSize:%s*(%d+) kB")
      assert(process.limit_memory(tonumber(kilobytes) * 1024 + (1 << 29)))
      for _, call in ipairs {
        function() return large:read() end,
        function() return large:unpack(0, "c1000000000") end,
        function() return large:view("f64"):totable() end,
      } do
        local ok, message = pcall(call)
        assert(not ok and message:find("memory"), message)
      end
      assert(large:write(0, "fine") and large:read(0, 4) == "fine")
    end)
  end)

  it("the collector at every moment", function()
    local mode = collectgarbage("incremental", 0, 1000)
    finally(function() collectgarbage(mode) end)
    collectgarbage("generational")
    for i = 1, 200 do
      local made = assert(shm.create("memfd:moment", 64))
      local part = made:view("char"):slice(1, 8)
      part:set "12345678"
      assert.equal("12345678", table.concat(part:totable()))
      if i % 2 == 0 then made:close() end
      collectgarbage("step")
    end
  end)
end)
