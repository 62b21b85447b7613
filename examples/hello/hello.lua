#!/usr/bin/env lua5.4
-- SPDX-License-Identifier: MIT
-- hello: one program leaves a greeting in shared memory, others find it there.
--
--   hello.lua write NAME TEXT    create the segment
--   hello.lua read NAME          show what is in it, and sign
--   hello.lua remove NAME        show who signed, and remove it
--
-- hello.c and hello.py do the same: mix them. plain.c does it without shmkit.
local shm = require "shmkit"

-- struct hello of hello.h: a number, a text, the reader's language; both end with a NUL.
local HELLO <const> = "dc48c8"
local SIZE <const> = string.packsize(HELLO)
local READER <const> = 56

-- The text in a field of characters.
local function text_of(field)
  return (field:gsub("\0.*", ""))
end

local commands = {}

function commands.write(name, text)
  local content = string.pack(HELLO, 3.14159, text:sub(1, 47), "")
  -- Given as content, it is there before the name is: nobody can find an unfinished segment. The
  -- memory and its name stay after this process, until somebody removes them.
  local segment <close> = assert(shm.create(name, SIZE, {content = content}))
  local number, field = segment:unpack(0, HELLO)
  print(('Lua wrote "%s" and %g to %s'):format(text_of(field), number, segment:address()))
end

function commands.read(name)
  local segment <close> = assert(shm.open(name))
  local number, field = segment:unpack(0, HELLO)
  print(('Lua read "%s" and %g'):format(text_of(field), number))
  assert(segment:write(READER, "Lua\0"))
end

function commands.remove(name)
  local segment <close> = assert(shm.open(name))
  local reader = assert(segment:read(READER, SIZE - READER))
  print("Lua removed it, last read by " .. text_of(reader))
  assert(segment:unlink())
end

local arguments <const> = {write = 3, read = 2, remove = 2}
if arguments[arg[1]] ~= #arg then
  io.stderr:write("usage: hello.lua write NAME TEXT | read NAME | remove NAME\n")
  os.exit(2)
end
local ok, problem = pcall(commands[arg[1]], table.unpack(arg, 2))
if not ok then
  io.stderr:write("hello.lua: ", (problem:gsub("^.-:%d+: ", "")), "\n")
  os.exit(1)
end
