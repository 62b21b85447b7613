-- SPDX-License-Identifier: MIT
local shm = require "shmkit"
local support = require "support"

-- What each integer type holds.
local ranges = {
  i8 = { -128, 127 },
  i16 = { -32768, 32767 },
  i32 = { -2147483648, 2147483647 },
  i64 = { math.mininteger, math.maxinteger },
  u8 = { 0, 255 },
  u16 = { 0, 65535 },
  u32 = { 0, 4294967295 },
}

local function segment(size)
  return assert(shm.create("memfd:view", size or 4096))
end

support.nothing_is_left(before_each, after_each)

describe("a view", function()
  it("reads and writes elements, counted from 1", function()
    local seg <close> = segment()
    local v = seg:view("f64", 64, 8)
    assert.equal(8, #v)
    v[1] = 1.5
    v[8] = -0.25
    assert.equal(1.5, v[1])
    assert.equal(0.0, v[2])
    assert.equal(1.5, (seg:unpack(64, "d")))
    assert.equal(-0.25, (seg:unpack(64 + 7 * 8, "d")))
    assert.equal("f64", v:type())
    assert.equal(64, v:offset())
    assert.equal(seg, v:segment())
  end)

  it("covers the rest of the segment unless told how much", function()
    local seg <close> = segment(1001)
    assert.equal(1001, #seg:view("u8"))
    assert.equal(1, #seg:view("char", 1000))
    assert.equal(0, #seg:view("char", 1001))
    assert.equal(125, #seg:view("f64"))
    assert.equal(124, #seg:view("f64", 8))
    assert.equal(0, #seg:view("u8", 5, 0))
  end)

  it("holds the limits of each integer type and refuses what is beyond", function()
    local seg <close> = segment()
    for type, range in pairs(ranges) do
      local v = seg:view(type, 0, 3)
      local least, most = range[1], range[2]
      v[2] = least
      assert.equal(least, v[2], type)
      v[2] = most
      assert.equal(most, v[2], type)
      assert.equal("integer", math.type(v[2]))
      assert.equal(0, v[1])
      assert.equal(0, v[3])
      if type ~= "i64" then
        support.raises(function() v[2] = least - 1 end, "outside of " .. type)
        support.raises(function() v[2] = most + 1 end, "outside of " .. type)
      end
      support.raises(function() v[2] = 1.5 end, "integer expected")
      support.raises(function() v[2] = 2.0 ^ 63 end, "integer expected")
      assert.equal(most, v[2], "a refused value leaves the element alone")
      v[2] = 5.0
      assert.equal("integer", math.type(v[2]))
      v:fill(0)
    end
  end)

  it("wraps u64 as Lua's integers do", function()
    local seg <close> = segment()
    local v = seg:view("u64", 0, 1)
    v[1] = -1
    assert.equal(-1, v[1])
    assert.equal(("\xff"):rep(8), seg:read(0, 8))
    v[1] = math.mininteger
    assert.equal(math.mininteger, v[1])
  end)

  it("is exact beyond 2^53", function()
    local seg <close> = segment()
    local v = seg:view("i64", 0, 1)
    for _, n in ipairs { (1 << 53) + 1, -(1 << 53) - 1, math.maxinteger, math.mininteger } do
      v[1] = n
      assert.equal(n, v[1])
      assert.equal(n, (seg:unpack(0, "i8")))
    end
  end)

  it("holds floating-point numbers", function()
    local seg <close> = segment()
    local f32, f64 = seg:view("f32", 0, 2), seg:view("f64", 8, 2)
    f32[1], f64[1] = 0.1, 0.1
    assert.equal(string.unpack("f", string.pack("f", 0.1)), f32[1])
    assert.equal(0.1, f64[1])
    for _, special in ipairs { math.huge, -math.huge } do
      f32[2], f64[2] = special, special
      assert.equal(special, f32[2])
      assert.equal(special, f64[2])
    end
    f32[2], f64[2] = 0 / 0, 0 / 0
    assert.is_true(f32[2] ~= f32[2] and f64[2] ~= f64[2])
    f32[2] = 1e300
    assert.equal(math.huge, f32[2])
    f64[2] = 3
    assert.equal("float", math.type(f64[2]))
    support.raises(function() f64[1] = "1" end, "number expected, got string")
  end)

  it("holds booleans and characters", function()
    local seg <close> = segment()
    local bools, chars = seg:view("bool", 0, 4), seg:view("char", 8, 4)
    bools[1] = true
    assert.is_true(bools[1])
    assert.is_false(bools[2])
    seg:write(2, "\2")
    assert.is_true(bools[3])
    support.raises(function() bools[1] = 1 end, "boolean expected, got number")
    chars[1], chars[2] = "\0", "\xff"
    assert.equal("\0", chars[1])
    assert.equal("\xff", chars[2])
    assert.equal("\0\xff", seg:read(8, 2))
    support.raises(function() chars[1] = "ab" end, "one byte")
    support.raises(function() chars[1] = "" end, "one byte")
    support.raises(function() chars[1] = 65 end, "one byte")
  end)

  it("gives nil past its ends and refuses to write there", function()
    local seg <close> = segment()
    local v = seg:view("i32", 0, 4)
    for _, key in ipairs { 0, 5, -1, 1.5, math.maxinteger, math.mininteger, 2.0 ^ 70, 0 / 0 } do
      assert.is_nil(v[key])
      support.raises(function() v[key] = 1 end, "not in 1..4")
    end
    for _, key in ipairs { "1", "nothing", true, v, seg } do
      assert.is_nil(v[key])
      support.raises(function() v[key] = 1 end, "not in 1..4")
    end
    assert.is_nil(v[nil])
    assert.has_error(function() v[nil] = 1 end)
    assert.has_error(function() v.fill = 1 end)
    assert.equal(("\0"):rep(32), seg:read(0, 32))
  end)

  it("takes float keys with integral values for integers", function()
    local seg <close> = segment()
    local v = seg:view("i32", 0, 4)
    v[1.0] = 42
    assert.equal(42, v[1])
    assert.equal(42, v[1.0])
  end)

  it("works with ipairs, select, table.concat, table.unpack and table.move", function()
    local seg <close> = segment()
    local v = seg:view("u16", 0, 5)
    for i = 1, #v do v[i] = i * i end
    local seen = {}
    for i, value in ipairs(v) do seen[i] = value end
    assert.same({ 1, 4, 9, 16, 25 }, seen)
    assert.equal("1 4 9 16 25", table.concat(v, " "))
    assert.same({ 4, 9 }, { table.unpack(v, 2, 3) })
    assert.same({ 1, 4, 9, 16, 25 }, table.move(v, 1, 5, 1, {}))
    table.move({ 7, 8 }, 1, 2, 4, v)
    assert.same({ 1, 4, 9, 7, 8 }, v:totable())
    table.sort(v, function(a, b) return a > b end)
    assert.same({ 9, 8, 7, 4, 1 }, v:totable())
  end)

  it("copies into tables", function()
    local seg <close> = segment()
    local v = seg:view("i8", 0, 5)
    v:set { 1, 2, 3, 4, 5 }
    assert.same({ 1, 2, 3, 4, 5 }, v:totable())
    assert.same({ 2, 3 }, v:totable(2, 3))
    assert.same({ 4, 5 }, v:totable(-2))
    assert.same({ 1 }, v:totable(-100, 1))
    assert.same({ 5 }, v:totable(5, 100))
    assert.same({}, v:totable(3, 2))
    assert.same({}, v:totable(6))
    assert.same({}, v:totable(math.maxinteger, math.mininteger))
    assert.same({ 1, 2, 3, 4, 5 }, v:totable(math.mininteger, math.maxinteger))
    assert.same({ 97, 0 }, (function()
      seg:write(100, "a\0")
      return seg:view("u8", 100, 2):totable()
    end)())
    assert.same({ "a", "\0" }, seg:view("char", 100, 2):totable())
  end)

  it("is set from tables, all or nothing", function()
    local seg <close> = segment()
    local v = seg:view("u8", 8, 4)
    v:set({ 1, 2 }, 3)
    assert.same({ 0, 0, 1, 2 }, v:totable())
    v:set({}, 5)
    support.raises(function() v:set { 9, 9, 256, 9 } end, "element 3: 256 is outside")
    support.raises(function() v:set { 9, "x" } end, "element 2: integer expected")
    support.raises(function() v:set { 9, 9, 9, 9, 9 } end, "do not fit")
    support.raises(function() v:set({ 9 }, 5) end, "do not fit")
    support.raises(function() v:set({ 9 }, 0) end, "count from 1")
    support.raises(function() v:set({ 9 }, -1) end, "negative")
    support.raises(function() v:set(9) end, "table, view or string expected")
    support.raises(function() v:set() end, "table, view or string expected")
    assert.same({ 0, 0, 1, 2 }, v:totable())
    assert.equal(("\0"):rep(8), seg:read(0, 8))
    assert.equal(("\0"):rep(8), seg:read(12, 8))
  end)

  it("is set from strings when its elements are bytes", function()
    local seg <close> = segment()
    local chars, bytes = seg:view("char", 0, 8), seg:view("u8", 8, 8)
    chars:set "hello"
    bytes:set("\0\xff", 7)
    assert.equal("hello\0\0\0\0\0\0\0\0\0\0\xff", seg:read(0, 16))
    support.raises(function() chars:set "too long a text" end, "do not fit")
    assert.has_error(function() seg:view("i8"):set "text" end)
  end)

  it("is set from views of its type, which may overlap", function()
    local seg <close> = segment()
    local v = seg:view("u32", 0, 6)
    v:set { 1, 2, 3, 4, 5, 6 }
    v:set(v:slice(1, 5), 2)
    assert.same({ 1, 1, 2, 3, 4, 5 }, v:totable())
    v:set(v:slice(2, 6))
    assert.same({ 1, 2, 3, 4, 5, 5 }, v:totable())
    local other <close> = segment(24)
    other:view("u32"):set(v)
    assert.equal(seg:read(0, 24), other:read())
    support.raises(function() v:set(seg:view("i32", 0, 1)) end, "another type")
    support.raises(function() v:set(seg:view("u32", 0, 7)) end, "do not fit")
  end)

  it("is filled, in whole or in part", function()
    local seg <close> = segment()
    local v = seg:view("f32", 4, 4)
    v:fill(1.5)
    assert.same({ 1.5, 1.5, 1.5, 1.5 }, v:totable())
    v:fill(0, 2, 3)
    assert.same({ 1.5, 0.0, 0.0, 1.5 }, v:totable())
    v:fill(2, -1)
    assert.same({ 1.5, 0.0, 0.0, 2.0 }, v:totable())
    assert.equal("\0\0\0\0", seg:read(0, 4))
    assert.equal("\0\0\0\0", seg:read(20, 4))
    support.raises(function() v:fill("x") end, "number expected")
    support.raises(function() v:fill(1, "2") end, "integer expected")
    support.raises(function() v:fill() end, "number expected")
  end)

  it("has slices that share its memory", function()
    local seg <close> = segment()
    local v = seg:view("i64", 16, 8)
    local middle = v:slice(3, 5)
    assert.equal(3, #middle)
    assert.equal(32, middle:offset())
    middle[1] = 7
    assert.equal(7, v[3])
    assert.equal(7, v:slice(2):slice(2)[1])
    assert.equal(0, #v:slice(9))
    assert.equal(8, #v:slice())
    assert.is_nil(middle[4])
    assert.equal(seg, middle:segment())
  end)

  it("keeps its segment's object alive", function()
    local v
    do
      local seg = segment()
      seg:write(0, "kept")
      v = seg:view("char", 0, 4):slice(1, 4)
    end
    collectgarbage()
    collectgarbage()
    assert.equal("k", v[1])
    assert.equal("kept", v:segment():read(0, 4))
    v:segment():close()
  end)

  it("of a read-only segment only reads", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 16, { lifetime = "creator" }))
    local reader <close> = assert(shm.open(name, { readonly = true }))
    local v = reader:view("u8", 0, 4)
    seg:write(0, "\1\2")
    assert.same({ 1, 2, 0, 0 }, v:totable())
    support.raises(function() v[1] = 9 end, name)
    support.raises(function() v:fill(9) end, name)
    support.raises(function() v:set { 9 } end, name)
    support.raises(function() v:slice(1, 1)[1] = 9 end, name)
    assert.same({ 1, 2, 0, 0 }, v:totable())
  end)

  it("survives finalizers that close the segment in the middle of it", function()
    local seg = segment(1 << 16)
    seg:write(0, ("x"):rep(1 << 16))
    local v = seg:view("char")
    -- Each character is a string, so that the collector gets its turn, and with it the finalizer.
    setmetatable({}, { __gc = function() seg:close() end })
    for _ = 1, 100 do
      local ok, message = pcall(v.totable, v)
      if not ok then
        assert.matches("closed", message, 1, true)
        return
      end
      local _ = ("garbage"):rep(1000)
    end
    collectgarbage()
    assert.has_error(function() v:totable() end)
  end)
end)
