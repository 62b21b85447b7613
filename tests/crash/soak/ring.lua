-- SPDX-License-Identifier: MIT
-- The same as ring.c, without poll.
local shm = require "shmkit"

local MEMBERS <const>, TURN <const>, WORDS <const> = 6, 448, 456
local PHASE_TRYING <const>, PHASE_INSIDE <const> = 1, 2
local SINCE <const>, ANY <const>, LEVEL <const> = 0, 1, 3

-- Whether a wait ended well.
local function check(worker, done, message)
  if not done and message ~= "timed out" then
    worker.violate("waiting: %s", message)
  end
end

return function(worker, address, me, members, own)
  local segment <close> = assert(shm.open(address))
  local noise, events = assert(segment:event(0)), {}
  local words = segment:view("u64", WORDS, 4)
  -- The first turn may be one that the predecessor had begun.
  local fresh = true
  me, members = math.tointeger(tonumber(me)), math.tointeger(tonumber(members))
  for i = 0, MEMBERS - 1 do events[i] = assert(segment:event(64 * (i + 1))) end

  local function event_of(member)
    return events[own == "1" and member % members or 0]
  end

  local function take_turn(turn)
    for _, word in ipairs(words) do
      if word ~= turn and not (fresh and word == turn + 1) then
        worker.violate("has turn %d, but sees word %d", turn, word)
      end
    end
    fresh = false
    for i = 1, 4 do words[i] = turn + 1 end
    if worker.chance(4) == 0 then assert(noise:set()) end
    if segment:compare_exchange("u64", TURN, turn, turn + 1) ~= turn then
      worker.violate("has turn %d, and somebody took it", turn)
    end
    assert(event_of(turn + 1):set())
    worker.advance()
  end

  local function wait()
    local ways = own == "1" and { SINCE, ANY, LEVEL } or { SINCE, ANY }
    local way, mine = ways[1 + worker.chance(#ways)], event_of(me)
    -- All that is needed to miss nothing comes before the look.
    if way == LEVEL then assert(mine:clear()) end
    local since = { mine:sequence(), noise:sequence() }
    if segment:load("u64", TURN) % members == me or worker.told_to_stop() then return end
    local timeout = worker.chance(16) == 0 and worker.chance(20) / 1000 or nil
    worker.count(way)
    if way == SINCE then check(worker, mine:wait(since[1], timeout))
    elseif way == ANY then check(worker, shm.wait_any({ mine, noise }, timeout, since))
    else check(worker, mine:wait(nil, timeout))
    end
  end

  -- The predecessor may have died after it gave its turn away and before it said so.
  assert(event_of(segment:load("u64", TURN)):set())
  while not worker.told_to_stop() do
    local turn = segment:load("u64", TURN)
    if turn % members == me then
      worker.set_phase(PHASE_INSIDE)
      take_turn(turn)
      worker.set_phase(PHASE_TRYING)
    else
      wait()
    end
  end
  for _, event in pairs(events) do event:close() end
  noise:close()
end
