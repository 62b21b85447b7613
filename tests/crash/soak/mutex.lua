-- SPDX-License-Identifier: MIT
-- The same as mutex.c.
local shm = require "shmkit"

local INSIDE <const>, IDENTITY <const>, TOLD <const>, WORDS <const> = 64, 72, 80, 96
local TIMEOUTS <const>, REPAIRS <const>, UNTOUCHED <const> = 0, 1, 2
local PHASE_OUTSIDE <const>, PHASE_TRYING <const> = 0, 1
local PHASE_INSIDE <const>, PHASE_LEAVING <const> = 2, 3

local function lock(worker, mutex)
  while true do
    local guard, message, errno
    local way = worker.chance(3)
    if way == 0 then guard, message, errno = mutex:lock()
    elseif way == 1 then guard, message, errno = mutex:lock(worker.chance(20) / 1000)
    else guard, message, errno = mutex:try_lock()
    end
    if guard then return guard end
    if message ~= "timed out" then worker.violate("locking: %s, %d", message, errno) end
    worker.count(TIMEOUTS)
  end
end

local function is_half_done(words)
  return words[2] ~= words[1] or words[3] ~= words[1] or words[4] ~= words[1]
end

local function repair(worker, words, before)
  if before ~= 0 and not worker.is_condemned(before) then
    worker.violate("got the mutex of %d, who lives", before)
  end
  worker.count(before == 0 and UNTOUCHED or REPAIRS)
  for i = 2, 4 do words[i] = words[1] end
end

local function check_mine(worker, mutex)
  local is = assert(mutex:look())
  if not is.locked or not is.mine or is.owner_died or is.identity ~= worker.mark() then
    worker.violate("is inside with identity %d, but the mutex is %d's", worker.mark(), is.identity)
  end
end

local function do_work(worker, segment, words)
  local count = words[1]
  for i = 1, 4 do
    words[i] = words[i] + 1
    local inside = segment:load("u64", INSIDE)
    if words[i] ~= count + 1 or inside ~= worker.serial then
      worker.violate("was not alone: %d is inside", inside)
    end
  end
end

local function do_round(worker, segment, mutex, words)
  worker.set_phase(PHASE_TRYING)
  local guard <close> = lock(worker, mutex)
  local told = guard:owner_died()
  if told then segment:add("u64", TOLD, 1) end
  if worker.mark() == 0 then worker.set_mark(assert(mutex:look()).identity) end
  worker.set_phase(PHASE_INSIDE)
  local before = segment:load("u64", INSIDE)
  if told then
    repair(worker, words, before)
  elseif before ~= 0 or is_half_done(words) then
    worker.violate("was not told that %d is inside, or half-done work", before)
  end
  segment:store("u64", INSIDE, worker.serial)
  check_mine(worker, mutex)
  segment:store("u64", IDENTITY, worker.mark())
  do_work(worker, segment, words)
  local identity = segment:load("u64", IDENTITY)
  if identity ~= worker.mark() then
    worker.violate("was not alone: identity %d was inside", identity)
  end
  segment:store("u64", INSIDE, 0)
  worker.set_phase(PHASE_LEAVING)
end

return function(worker, address)
  local segment <close> = assert(shm.open(address))
  local mutex <close> = assert(segment:mutex(0))
  local words = segment:view("u64", WORDS, 4)
  while not worker.told_to_stop() do
    do_round(worker, segment, mutex, words)
    worker.set_phase(PHASE_OUTSIDE)
    worker.advance()
    -- Others must have a chance.
    for _ = 1, worker.chance(4) * 100 do assert(words) end
  end
end
