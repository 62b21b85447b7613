-- SPDX-License-Identifier: MIT
-- What a segment costs in Lua, beside what Lua itself has.
package.cpath = os.getenv("SHMKIT_BUILD") .. "/bench/?.so;" .. package.cpath
local bare = require "bare"
local compare = dofile "measure/compare.lua"
local shm = require "shmkit"

local seg <close> = assert(shm.create("memfd:bench", 4096))
local view = seg:view("f64", 0, 8)
local text = ("x"):rep(4096)
local packed = string.pack("d", 1.5)

-- Each runs its subject `n` times. Everything a careful script would have in a local is in one.
local subjects = {
  ["an empty loop"] = function(n)
    for _ = 1, n do end
  end,
  ["#string in a C function"] = function(n)
    local length, s = bare.length, text
    for _ = 1, n do length(s) end
  end,
  ["seg:size()"] = function(n)
    local s = seg
    for _ = 1, n do s:size() end
  end,
  ["#seg"] = function(n)
    local s, _ = seg, nil
    for _ = 1, n do _ = #s end
  end,
  ["string.unpack('d', s)"] = function(n)
    local unpack, s, _ = string.unpack, packed, nil
    for _ = 1, n do _ = unpack("d", s) end
  end,
  ["x = v[i]"] = function(n)
    local v, _ = view, nil
    for _ = 1, n do _ = v[3] end
  end,
  ["string.pack('d', x)"] = function(n)
    local pack, _ = string.pack, nil
    for _ = 1, n do _ = pack("d", 1.5) end
  end,
  ["v[i] = x"] = function(n)
    local v = view
    for _ = 1, n do v[3] = 1.5 end
  end,
  ["s:sub(1, 64)"] = function(n)
    local s = text
    for _ = 1, n do s:sub(1, 64) end
  end,
  ["seg:read(0, 64)"] = function(n)
    local s = seg
    for _ = 1, n do s:read(0, 64) end
  end,
  ["seg:unpack(0, 'd')"] = function(n)
    local s = seg
    for _ = 1, n do s:unpack(0, "d") end
  end,
}

compare(subjects, {
  { "seg:size()", "#string in a C function", 3 },
  { "#seg", "#string in a C function" },
  { "x = v[i]", "string.unpack('d', s)", 1 },
  { "v[i] = x", "string.pack('d', x)", 1 },
  { "seg:read(0, 64)", "s:sub(1, 64)" },
  { "seg:unpack(0, 'd')", "string.unpack('d', s)" },
})
