#!/usr/bin/env lua5.4
-- SPDX-License-Identifier: MIT
-- books: several programs keep the same books, and one of them is killed while it writes.
--
--   books.lua work NAME TIMES    move money from one account to the other so many times
--   books.lua crash NAME         be killed in the middle of a transfer
--   books.lua wait NAME          wait until somebody has done his work
--
-- books.c and books.py do the same: mix them, and run several at once.
local shm = require "shmkit"

-- struct books of books.h.
local SIZE <const>, MUTEX <const>, EVENT <const> = 152, 0, 64
local ACCOUNTS <const>, REPAIRS <const> = 128, 144

-- The segment, and what there is in it. Whoever comes first creates it.
local function open(name)
  local segment = assert(shm.open_or_create(name, SIZE))
  return {
    mutex = assert(segment:mutex(MUTEX)),
    event = assert(segment:event(EVENT)),
    accounts = segment:view("i64", ACCOUNTS, 2),
    repairs = segment:view("u64", REPAIRS, 1),
  }
end

-- Lock, and put right what somebody who was killed has left half-done: that is the first thing to
-- do for who is told, because nobody will be told again. The guard unlocks at the end of a block.
local function lock(books)
  local guard = assert(books.mutex:lock())
  if guard:owner_died() then
    books.accounts[2] = -books.accounts[1]
    books.repairs[1] = books.repairs[1] + 1
    print("Lua put right what somebody who was killed had left")
  end
  return guard
end

local commands = {}

function commands.work(books, times)
  for i = 0, math.tointeger(times) - 1 do
    local _ <close> = lock(books)
    books.accounts[1] = books.accounts[1] + i % 7
    books.accounts[2] = books.accounts[2] - i % 7
  end
  print("Lua did its work")
  books.event:set()
end

function commands.crash(books)
  lock(books)
  books.accounts[1] = books.accounts[1] + 1000
  os.execute("kill -KILL $PPID") -- of the shell, whose parent this is
end

function commands.wait(books)
  assert(books.event:wait())
  local _ <close> = lock(books)
  local balanced = books.accounts[1] + books.accounts[2] == 0
  print(("Lua sees %s, %d repaired"):format(balanced and "balanced books" or "WRONG BOOKS",
                                            books.repairs[1]))
end

local arguments <const> = {work = 3, crash = 2, wait = 2}
if arguments[arg[1]] ~= #arg then
  io.stderr:write("usage: books.lua work NAME TIMES | crash NAME | wait NAME\n")
  os.exit(2)
end
local ok, problem = pcall(function() commands[arg[1]](open(arg[2]), arg[3]) end)
if not ok then
  io.stderr:write("books.lua: ", (problem:gsub("^.-:%d+: ", "")), "\n")
  os.exit(1)
end
