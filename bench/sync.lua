-- SPDX-License-Identifier: MIT
-- What a mutex and an event cost in Lua, beside a call of a C function, which is the least that
-- anything can cost there. A mutex takes two calls.
package.cpath = os.getenv("SHMKIT_BUILD") .. "/bench/?.so;" .. package.cpath
local bare = require "bare"
local compare = dofile "measure/compare.lua"
local shm = require "shmkit"

local seg <close> = assert(shm.create("memfd:bench", 4096))
local mutex <close> = assert(seg:mutex(0))
local event <close> = assert(seg:event(64))
local object = bare.new()
event:set()

-- Each runs its subject `n` times. Everything a careful script would have in a local is in one.
compare({
  ["an empty loop"] = function(n)
    for _ = 1, n do end
  end,
  ["a C function"] = function(n)
    local nothing = bare.nothing
    for _ = 1, n do nothing() end
  end,
  ["a C function, twice"] = function(n)
    local nothing = bare.nothing
    for _ = 1, n do
      nothing()
      nothing()
    end
  end,
  ["a C method, twice"] = function(n)
    local o = object
    for _ = 1, n do
      o:nothing()
      o:nothing()
    end
  end,
  ["lock, unlock"] = function(n)
    local m = mutex
    for _ = 1, n do
      m:lock()
      m:unlock()
    end
  end,
  ["lock, unlock, in locals"] = function(n)
    local m, lock, unlock = mutex, mutex.lock, mutex.unlock
    for _ = 1, n do
      lock(m)
      unlock(m)
    end
  end,
  ["local guard <close>"] = function(n)
    local m = mutex
    for _ = 1, n do
      local _ <close> = m:lock()
    end
  end,
  ["event:set()"] = function(n)
    local e = event
    for _ = 1, n do e:set() end
  end,
  ["event:is_set()"] = function(n)
    local e = event
    for _ = 1, n do e:is_set() end
  end,
  ["seg:add('u64', 128, 1)"] = function(n)
    local s = seg
    for _ = 1, n do s:add("u64", 128, 1) end
  end,
}, {
  { "lock, unlock", "a C function", 3 },
  { "lock, unlock", "a C function, twice" },
  { "lock, unlock", "a C method, twice" },
  { "lock, unlock, in locals", "a C function, twice" },
  { "local guard <close>", "a C function, twice" },
  { "event:set()", "a C function" },
})
