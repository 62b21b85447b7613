-- SPDX-License-Identifier: MIT
local shm = require "shmkit"
local support = require "support"

support.nothing_is_left(before_each, after_each)

describe("pack and unpack", function()
  local seg

  before_each(function() seg = assert(shm.create("memfd:pack", 65536)) end)
  after_each(function() seg:close() end)

  it("lay values out in place, and tell where they end", function()
    assert.equal(28, seg:pack(16, "<i4d", 7, 1.5))
    assert.same({ 7, 1.5, 28 }, { seg:unpack(16, "<i4d") })
    assert.equal(string.pack("<i4d", 7, 1.5), seg:read(16, 12))
  end)

  it("know every format that string.pack knows", function()
    for format, values in pairs {
      ["<bBhHlLjJT"] = { -1, 255, -2, 65535, -3, 3, -4, -1, 5 },
      [">i3I5i16"] = { -5, 1 << 39, -7 },
      ["=fdn"] = { 0.5, 1e300, -0.0 },
      ["s1s2s"] = { "short", "", "long" },
      ["zz"] = { "text", "" },
      ["c5x!8 Xd d"] = { "bytes", 2.5 },
      ["!4 b i4 b !2 i4"] = { 1, 2, 3, 4 },
      [""] = {},
    } do
      local bytes = string.pack(format, table.unpack(values))
      assert.equal(32 + #bytes, seg:pack(32, format, table.unpack(values)), format)
      assert.equal(bytes, seg:read(32, #bytes), format)
      local got = { seg:unpack(32, format) }
      assert.equal(32 + #bytes, table.remove(got), format)
      assert.same(values, got)
    end
  end)

  it("find strings that are longer than any first guess", function()
    for _, length in ipairs { 0, 1000, 1023, 1024, 1025, 16384, 50000 } do
      local text = ("x"):rep(length)
      assert.equal(length + 1 + 8, seg:pack(0, "zd", text, 2.5))
      assert.same({ text, 2.5, length + 9 }, { seg:unpack(0, "zd") })
      seg:pack(10, "<s4", text)
      assert.same({ text, 14 + length }, { seg:unpack(10, "<s4") })
    end
  end)

  it("never look beyond the end", function()
    local size = #seg
    assert.equal(size, seg:pack(size - 4, "<I4", 7))
    assert.same({ 7, size }, { seg:unpack(size - 4, "<I4") })
    assert.same({ size }, { seg:unpack(size, "") })
    support.raises(function() seg:unpack(size - 3, "<I4") end, "memfd:pack")
    support.raises(function() seg:pack(size - 3, "<I4", 1) end, "memfd:pack")
    support.raises(function() seg:unpack(size + 1, "") end, "memfd:pack")
    support.raises(function() seg:unpack(1 << 62, "B") end, "memfd:pack")
    seg:write(size - 3, "abc")
    support.raises(function() seg:unpack(size - 3, "z") end, "memfd:pack")
    seg:write(size - 4, "\255\255\255\127")
    support.raises(function() seg:unpack(size - 4, "<s4") end, "memfd:pack")
    assert.equal("abc\127", (seg:read(size - 3, 2) and "abc") .. seg:read(size - 1))
  end)

  it("say which of their own arguments is wrong", function()
    support.raises(function() seg:pack(0, "<i4d", 1, "x") end,
                                  "bad argument #4 to 'pack'")
    support.raises(function() seg:pack(0, "i1", 200) end,
                                  "bad argument #3 to 'pack'")
    support.raises(function() seg:pack(0, "q", 1) end, "invalid format option 'q'")
    support.raises(function() seg:unpack(0, "q") end, "invalid format option 'q'")
    support.raises(function() seg:unpack(0) end, "bad argument #2 to 'unpack'")
    support.raises(function() seg:unpack() end, "bad argument #1 to 'unpack'")
    support.raises(function() seg:pack("0", "B", 1) end, "bad argument #1 to 'pack'")
    support.raises(function() seg:pack(-1, "B", 1) end, "negative")
    support.raises(function() seg:unpack(0, 4) end, "string expected")
  end)

  it("name the line that called them", function()
    local _, message = pcall(function() seg:unpack(0, "q") end)
    assert.matches("pack_spec.lua:%d+:", message)
  end)

  it("do not depend on what a script makes of the string library", function()
    local output = support.run([[
      local shm = require "shmkit"
      string.pack, string.unpack, string.packsize = nil, error, nil
      local seg <close> = assert(shm.create("memfd:patched", 64))
      assert(seg:pack(0, "i4", 3) == 4)
      print(seg:unpack(0, "i4"))
    ]])
    assert.equal("3\t4\n", output)
  end)
end)
