-- SPDX-License-Identifier: MIT
-- worker.lua ARENA SLOT SERIAL SEED ROLE WORD...: a worker of the soak in Lua; see worker.h.
package.path = arg[0]:match("^(.*)/") .. "/?.lua;" .. package.path
local shm = require "shmkit"

-- As in arena.py.
local STOP <const>, CLAIMED <const>, REPORTED <const> = 0, 8, 16
local REPORTS <const>, TEXT <const> = 8, 256
local SLOTS <const>, SLOT <const>, COUNT <const> = 64 + REPORTS * TEXT, 128, 64
local PROGRESS <const>, PHASE <const>, CONDEMNED <const> = 0, 8, 16
local MARK <const>, TALLIES <const> = 24, 32

local arena <close> = assert(shm.open(arg[1]))
local slot <const> = SLOTS + math.tointeger(tonumber(arg[2])) * SLOT
local worker = { serial = math.tointeger(tonumber(arg[3])) }
math.randomseed(math.tointeger(tonumber(arg[4])))

-- Less than `below`, at random.
function worker.chance(below)
  return math.random(0, below - 1)
end

function worker.told_to_stop()
  return arena:load("u64", STOP) ~= 0
end

function worker.advance()
  arena:add("u64", slot + PROGRESS, 1)
end

function worker.set_phase(phase)
  arena:store("u64", slot + PHASE, phase)
end

function worker.mark()
  return arena:load("u64", slot + MARK)
end

function worker.set_mark(mark)
  arena:store("u64", slot + MARK, mark)
end

function worker.count(tally)
  arena:add("u64", slot + TALLIES + 8 * tally, 1)
end

function worker.is_condemned(serial)
  return arena:load("u64", SLOTS + serial % COUNT * SLOT + CONDEMNED) >= serial
end

function worker.violate(format, ...)
  local number = arena:add("u64", CLAIMED, 1)
  local text = ("Lua %d "):format(worker.serial) .. format:format(...)
  if number < REPORTS then arena:write(64 + number * TEXT, text:sub(1, TEXT - 1)) end
  arena:add("u64", REPORTED, 1)
  os.exit(1)
end

local done, message = pcall(function()
  require(arg[5])(worker, table.unpack(arg, 6))
end)
if not done then worker.violate("%s", message) end
