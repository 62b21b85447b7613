-- SPDX-License-Identifier: MIT
-- Long sequences of random operations, each compared with what a plain string says.
local shm = require "shmkit"
local support = require "support"

support.nothing_is_left(before_each, after_each)

local SIZE, STEPS = 257, 1000
local formats = { i8 = "b", i16 = "h", i32 = "i4", i64 = "j", u8 = "B", u16 = "H", u32 = "I4",
                  u64 = "j", f32 = "f", f64 = "d" }
local types = {}
for type in pairs(formats) do types[#types + 1] = type end
table.sort(types)

-- A random value of a type, as its view would give it back.
local function value_of(type)
  local format = formats[type]
  local bytes = {}
  for i = 1, string.packsize(format) do bytes[i] = string.char(math.random(0, 255)) end
  local value = string.unpack(format, table.concat(bytes))
  -- Not every bit pattern of a float survives, and nan is not equal to itself.
  if type:sub(1, 1) == "f" then return math.random(-1000, 1000) / 8 end
  return value
end

local function random_bytes(n)
  local bytes = {}
  for i = 1, n do bytes[i] = string.char(math.random(0, 255)) end
  return table.concat(bytes)
end

-- Replace the bytes at an offset.
local function put(model, offset, bytes)
  return model:sub(1, offset) .. bytes .. model:sub(offset + #bytes + 1)
end

-- Each changes the segment and returns what the model is then.
local operations = {
  function(seg, model)
    local offset = math.random(0, SIZE)
    local bytes = random_bytes(math.random(0, SIZE - offset))
    assert(seg:write(offset, bytes))
    return put(model, offset, bytes)
  end,
  function(seg, model)
    local type = types[math.random(#types)]
    local format = "<" .. formats[type]
    local offset = math.random(0, SIZE - string.packsize(format))
    local value = value_of(type)
    assert.equal(offset + string.packsize(format), seg:pack(offset, format, value))
    assert.equal(value, (seg:unpack(offset, format)))
    return put(model, offset, string.pack(format, value))
  end,
  function(seg, model)
    local type = types[math.random(#types)]
    local size, format = shm.type_size(type), formats[type]
    local offset = math.random(0, SIZE // size - 1) * size
    local view = seg:view(type, offset, math.random(1, (SIZE - offset) // size))
    local i, value = math.random(#view), value_of(type)
    view[i] = value
    assert.equal(value, view[i])
    return put(model, offset + (i - 1) * size, string.pack(format, value))
  end,
  function(seg, model)
    local type = types[math.random(#types)]
    local size, format = shm.type_size(type), formats[type]
    local view = seg:view(type)
    local i = math.random(#view)
    local j = math.random(i, #view)
    local value = value_of(type)
    view:fill(value, i, j)
    return put(model, (i - 1) * size, string.pack(format, value):rep(j - i + 1))
  end,
  function(seg, model)
    local type = types[math.random(#types)]
    local size, format = shm.type_size(type), formats[type]
    local view = seg:view(type)
    local first = math.random(#view)
    local values, packed = {}, {}
    for k = 1, math.random(0, #view - first + 1) do
      values[k] = value_of(type)
      packed[k] = string.pack(format, values[k])
    end
    view:set(values, first)
    assert.same(values, view:totable(first, first + #values - 1))
    return put(model, (first - 1) * size, table.concat(packed))
  end,
  function(seg, model)
    local type = types[math.random(#types)]
    local size = shm.type_size(type)
    local view = seg:view(type)
    local i = math.random(#view)
    local source = view:slice(i, math.random(i, #view))
    local first = math.random(#view - #source + 1)
    view:set(source, first)
    local bytes = model:sub((i - 1) * size + 1, (i - 1 + #source) * size)
    return put(model, (first - 1) * size, bytes)
  end,
}

describe("a segment and a string", function()
  local seed = tonumber(os.getenv("SHMKIT_SEED")) or os.time()

  it("are the same after any sequence of operations; SHMKIT_SEED=" .. seed, function()
    math.randomseed(seed)
    local seg <close> = assert(shm.create("memfd:model", SIZE))
    local model = ("\0"):rep(SIZE)
    for step = 1, STEPS do
      local which = math.random(#operations)
      model = operations[which](seg, model)
      local now = seg:read()
      assert(now == model, ("step %d, operation %d"):format(step, which))
    end
  end)
end)
