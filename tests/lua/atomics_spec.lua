-- SPDX-License-Identifier: MIT
-- Atomics: integers that several processes change at once.
local process = require "process"
local shm = require "shmkit"
local support = require "support"

local TYPES = { "i32", "u32", "i64", "u64" }

support.nothing_is_left(before_each, after_each)

describe("atomics", function()
  it("keep values in every type and kind", function()
    for _, address in ipairs { "memfd:x", support.sysv_address() } do
      local seg <close> = assert(shm.create(address, 64))
      if seg:kind() == "sysv" then assert(seg:unlink()) end
      for _, type in ipairs(TYPES) do
        assert.is_true(seg:store(type, 8, 7))
        assert.equal(7, seg:load(type, 8))
        assert.equal("integer", math.type(seg:load(type, 8)))
        assert.equal(7, seg:add(type, 8, 5))
        assert.equal(12, seg:exchange(type, 8, 1))
        assert.equal(1, seg:compare_exchange(type, 8, 2, 3))
        assert.equal(1, seg:compare_exchange(type, 8, 1, 3))
        assert.equal(3, seg:load(type, 8))
        assert.equal(3, seg:view("u32", 8, 1)[1])
      end
    end
  end)

  it("wrap around as Lua's integers do", function()
    local seg <close> = assert(shm.create("memfd:x", 64))
    assert(seg:store("u32", 0, 7))
    assert.equal(7, seg:add("u32", 0, -8))
    assert.equal(2 ^ 32 - 1, seg:add("u32", 0, 1))
    assert.equal(0, seg:load("u64", 0))
    assert(seg:store("i32", 0, -5))
    assert.equal(-5, seg:load("i32", 0))
    assert.equal((1 << 32) - 5, seg:load("u32", 0))
    assert.equal(0, seg:load("u32", 4))
    assert(seg:store("u64", 0, math.mininteger))
    assert.equal(math.mininteger, seg:add("i64", 0, math.mininteger))
    assert.equal(0, seg:load("u64", 0))
    assert(seg:store("u64", 0, 8.0))
    assert.equal(8, seg:load("u64", 0))
  end)

  it("refuse what makes no sense and change nothing", function()
    local seg <close> = assert(shm.create("memfd:x", 64))
    support.raises(function() seg:load("u8", 0) end, "i32, u32, i64 or u64")
    support.raises(function() seg:load("word", 0) end, "word")
    support.raises(function() seg:load(5, 0) end, "expected, got number")
    support.raises(function() seg:load("u64", 4) end, "misaligned")
    support.raises(function() seg:store("u32", 2, 1) end, "misaligned")
    support.raises(function() seg:add("u32", 64, 1) end, "memfd:x")
    support.raises(function() seg:add("u32", -4, 1) end, "negative")
    for _, call in ipairs {
      function() seg:store("u32", 0, 1 << 32) end,
      function() seg:store("u32", 0, -1) end,
      function() seg:exchange("i32", 0, 1 << 31) end,
      function() seg:compare_exchange("i32", 0, 0, -(1 << 31) - 1) end,
      function() seg:compare_exchange("u32", 0, -1, 0) end,
    } do
      support.raises(call, "does not fit")
    end
    for _, wrong in ipairs { 1.5, "1", true, {} } do
      support.raises(function() seg:store("u32", 0, wrong) end, "value: integer expected, got ")
    end
    support.raises(function() seg:store("u32", 0) end, "value: integer expected, got no value")
    support.raises(function() seg.load(io.stdout, "u32", 0) end, "shmkit.Segment expected")
    assert.equal(("\0"):rep(64), seg:read())
    seg:close()
    support.raises(function() seg:load("u32", 0) end, "closed")
  end)

  it("load from a read-only segment and do not change it", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 64, { lifetime = "creator" }))
    local reader <close> = assert(shm.open(name, { readonly = true }))
    assert(seg:store("u64", 0, 9))
    assert.equal(9, reader:load("u64", 0))
    for _, done in ipairs {
      table.pack(reader:store("u64", 0, 1)),
      table.pack(reader:add("u64", 0, 1)),
      table.pack(reader:exchange("u64", 0, 1)),
      table.pack(reader:compare_exchange("u64", 0, 9, 1)),
    } do
      assert.is_nil(done[1])
      assert.matches("read-only", done[2], 1, true)
      assert.equal("EACCES", shm.error_name(done[3]))
    end
    assert.equal(9, seg:load("u64", 0))
  end)

  it("lose nothing to each other in several processes", function()
    local name = support.name()
    local seg <close> = assert(shm.create(name, 64, { lifetime = "creator" }))
    local children = {}
    for i = 1, 3 do
      children[i] = support.start_child(function()
        local own <close> = assert(shm.open(name))
        for _ = 1, 20000 do
          local before = own:add("u64", 0, (1 << 32) + 1)
          assert(before >> 32 == before & 0xffffffff)
          local expected = own:load("i32", 8)
          repeat
            local last = expected
            expected = own:compare_exchange("i32", 8, last, last + 1)
          until expected == last
        end
      end)
    end
    for _, pid in ipairs(children) do
      assert.same({ "exited", 0 }, { process.wait(pid) })
    end
    assert.equal(60000 << 32 | 60000, seg:load("u64", 0))
    assert.equal(60000, seg:load("i32", 8))
  end)
end)
