-- SPDX-License-Identifier: MIT
-- What a segment costs in Lua, beside what Lua itself has.
--
-- Both sides of each ratio are measured in the same run, in turns of random order, and the ratio is
-- the median over the rounds of one side's time by the other's: what disturbs the machine for a
-- while disturbs both.
package.cpath = os.getenv("SHMKIT_BUILD") .. "/bench/?.so;" .. package.cpath
local bare = require "bare"
local shm = require "shmkit"

local ROUNDS, CALLS = 101, 20000

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

-- What is compared with what, and how much it may be at most, where a limit was agreed.
local ratios = {
  { "seg:size()", "#string in a C function", 3 },
  { "#seg", "#string in a C function" },
  { "x = v[i]", "string.unpack('d', s)", 1 },
  { "v[i] = x", "string.pack('d', x)", 1 },
  { "seg:read(0, 64)", "s:sub(1, 64)" },
  { "seg:unpack(0, 'd')", "string.unpack('d', s)" },
}

local names = {}
for name in pairs(subjects) do names[#names + 1] = name end

local function shuffle(list)
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
end

local function median(list)
  table.sort(list)
  return list[(#list + 1) // 2]
end

-- Seconds for one call of each, by round.
local times = {}
for _, name in ipairs(names) do times[name] = {} end
for round = 0, ROUNDS do
  shuffle(names)
  for _, name in ipairs(names) do
    collectgarbage()
    local run, start = subjects[name], os.clock()
    run(CALLS)
    -- Round 0 warms up.
    if round > 0 then times[name][round] = (os.clock() - start) / CALLS end
  end
end

print(("\nLua: %s, %d rounds of %d calls, loop included"):format(_VERSION, ROUNDS, CALLS))
local sorted = {}
for name, list in pairs(times) do
  sorted[#sorted + 1] = { name = name, ns = 1e9 * median({ table.unpack(list) }) }
end
table.sort(sorted, function(a, b) return a.ns < b.ns end)
for _, row in ipairs(sorted) do print(("  %-26s %8.1f ns"):format(row.name, row.ns)) end
for _, ratio in ipairs(ratios) do
  local one, other, limit = table.unpack(ratio)
  local list = {}
  for round = 1, ROUNDS do list[round] = times[one][round] / times[other][round] end
  local value = median(list)
  local verdict = ""
  if limit then
    verdict = ("  (at most %g: %s)"):format(limit, value <= limit and "yes" or "NO")
  end
  print(("  %-20s / %-26s %6.2f%s"):format(one, other, value, verdict))
end
