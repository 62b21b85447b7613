-- SPDX-License-Identifier: MIT
-- Functions beside each other.
--
-- Both sides of each ratio are measured in the same run, in turns of random order, and the ratio is
-- the median over the rounds of one side's time by the other's: what disturbs the machine for a
-- while disturbs both.
local ROUNDS, CALLS = 101, 20000

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
local function measure(subjects)
  local times, names = {}, {}
  for name in pairs(subjects) do
    names[#names + 1], times[name] = name, {}
  end
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
  return times
end

local function print_times(times)
  local sorted = {}
  for name, list in pairs(times) do
    sorted[#sorted + 1] = { name = name, ns = 1e9 * median { table.unpack(list) } }
  end
  table.sort(sorted, function(a, b) return a.ns < b.ns end)
  for _, row in ipairs(sorted) do print(("  %-26s %8.1f ns"):format(row.name, row.ns)) end
end

-- Measure subjects, each of which runs itself `n` times by its name, and print what they cost.
-- `ratios`: { one, other [, limit] }: how much one may be of the other at most, where that was
-- agreed.
return function(subjects, ratios)
  local times = measure(subjects)
  print(("\nLua: %s, %d rounds of %d calls, loop included"):format(_VERSION, ROUNDS, CALLS))
  print_times(times)
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
end
