#!/usr/bin/env lua5.4
-- SPDX-License-Identifier: MIT
-- dashboard: show what sampler.c and summary.py write, live.
--
--   dashboard.lua [ADDRESS]    by default: telemetry
--
-- In a terminal a picture that is redrawn four times a second and fits the terminal, elsewhere a
-- line each second. It only reads the segment. Ends on SIGHUP, SIGINT or SIGTERM, waits while there
-- is no sampler, and may be killed.
local uv = require "luv"
local shm = require "shmkit"
package.path = (arg[0]:match("^.*/") or "./") .. "?.lua;" .. package.path
local draw = require "draw"
local layout = require "layout"

local SILENCE <const> = 1 -- seconds without a sample after which the sampler is held to be gone
local SPAN <const> = 10 -- seconds that a sparkline shows at least
local STARTED <const> = uv.hrtime() / 1e9
local SHOWN <const> = {
  {name = "cpu", unit = "percent", top = 100, plain = true},
  {name = "user", unit = "percent", top = 100},
  {name = "system", unit = "percent", top = 100},
  {name = "runnable", unit = "count"},
  {name = "switches", unit = "rate", plain = true},
  {name = "forks", unit = "rate"},
  {name = "memory", unit = "bytes", top = "memory_total", plain = true},
  {name = "cached", unit = "bytes", top = "memory_total"},
  {name = "swap", unit = "bytes"},
  {name = "received", unit = "traffic", plain = true},
  {name = "sent", unit = "traffic"},
}

-- ---- What is in the segment -------------------------------------------------------------------

-- The newest row of a ring as a function of the column; nil when there is none.
local function newest(ring)
  local number = ring:written() - 1
  if number < 0 then return nil end
  local values = {}
  for column = 1, ring.columns do values[column] = ring:value(number, column) end
  return ring:whole(number) and values or newest(ring)
end

-- The last rows in `cells` parts of equal length, each with the mean of every column: a list of
-- values for each column, false where there are no rows. Parts begin at multiples of their length,
-- so that the picture moves only as a whole.
local function condense(history, cells, rate)
  local length = math.max(1, math.ceil(SPAN * rate / cells))
  local written = history:written()
  local first = math.max(0, written - history.rows // 2)
  local last_part = (written - 1) // length
  local lines = {}
  for column = 1, history.columns do lines[column] = {} end
  for cell = 1, cells do
    local from = (last_part - cells + cell) * length
    local to = math.min(from + length, written) - 1
    from = math.max(from, first)
    for column, line in ipairs(lines) do
      local sum = 0.0
      for number = from, to do sum = sum + history:value(number, column) end
      line[cell] = to >= from and sum / (to - from + 1)
    end
  end
  -- Half of the ring was overwritten meanwhile? Then this process has slept: look again.
  return history:whole(first) and lines or condense(history, cells, rate)
end

-- Everything that a picture shows.
local function look(telemetry, cells)
  local now = newest(telemetry.history)
  if not now then return nil end
  local clock, summary = uv.hrtime() / 1e9, newest(telemetry.summary)
  local state = {now = now, summary = summary}
  local age = clock - now[layout.column.time]
  if age > SILENCE then
    state.problem = ("no sample for %.0f s: the sampler is gone"):format(age)
  elseif clock - math.max(summary and summary[1] or 0, STARTED) > 2 * SILENCE then
    state.problem = "no new summary: is summary.py running?"
  end
  if cells > 0 then state.lines = condense(telemetry.history, cells, layout.rate(telemetry)) end
  return state
end

-- ---- Pictures ---------------------------------------------------------------------------------

local colours <const> = os.getenv("NO_COLOR") == nil

local function colour(code, text)
  return colours and ("\27[%sm%s\27[0m"):format(code, text) or text
end

local function bar_line(name, fraction, text, width)
  local room = width - 10 - 1 - #text
  if room < 4 then return draw.fit(name .. " " .. text, width) end
  local code = fraction > 0.85 and 31 or fraction > 0.6 and 33 or 32
  return draw.fit(name, 10) .. colour(code, draw.bar(fraction, room)) .. " " .. text
end

local function statistics_shown(width)
  if width >= 90 then return {"minimum", "mean", "maximum"} end
  return width >= 60 and {"mean"} or {}
end

local function graph_width(width)
  local room = width - 10 - 10 - 1 - 11 * #statistics_shown(width)
  return room >= 4 and room or 0
end

local function row_line(telemetry, state, item, width)
  local column = layout.column[item.name]
  local now = draw.quantity(state.now[column], item.unit)
  local line = draw.fit(item.name, 10) .. draw.right(now, 10)
  if state.lines then
    local values = state.lines[column]
    local top = telemetry[item.top] or item.top or 0
    if not item.top then
      for _, value in ipairs(values) do top = math.max(top, value or 0) end
    end
    line = line .. " " .. colour(36, draw.sparkline(values, top))
  end
  for _, statistic in ipairs(statistics_shown(width)) do
    local value = state.summary and state.summary[layout.index(item.name, statistic)]
    line = line .. draw.right(value and draw.quantity(value, item.unit) or "-", 11)
  end
  return line
end

-- The lines of a picture that fits into `width` and `height`.
local function picture(telemetry, state, width, height)
  local now, total = state.now, telemetry.memory_total
  local cpu, memory = now[layout.column.cpu], now[layout.column.memory]
  local heading = draw.fit("", 10) .. draw.right("now", 10)
  local graph = graph_width(width)
  if graph > 0 then heading = heading .. " " .. draw.right("last seconds", graph) end
  for _, statistic in ipairs(statistics_shown(width)) do
    heading = heading .. draw.right(statistic, 11)
  end
  local status = state.problem or ("%d samples, %d windows of %d"):format(
    telemetry.history:written(), telemetry.summary:written(),
    state.summary and state.summary[3] // 1 or 0)
  local lines = {
    colour(1, draw.fit(("telemetry: %d CPUs, %s, %.0f samples a second"):format(
      telemetry.cpus, draw.quantity(total, "bytes"), layout.rate(telemetry)), width)),
    bar_line("cpu", cpu / 100, draw.right(draw.quantity(cpu, "percent"), 8), width),
    bar_line("memory", memory / total, draw.right(draw.quantity(memory, "bytes"), 8), width),
    colour(2, draw.fit(heading, width)),
  }
  for _, item in ipairs(SHOWN) do
    if #lines < height - 2 then lines[#lines + 1] = row_line(telemetry, state, item, width) end
  end
  lines[#lines + 1] = colour(state.problem and 31 or 2, draw.fit(status, width))
  return lines
end

-- One line, for files and pipes.
local function plain_line(state)
  local words = {os.date("%H:%M:%S")}
  for _, item in ipairs(SHOWN) do
    if item.plain then
      local now = draw.quantity(state.now[layout.column[item.name]], item.unit)
      local mean = state.summary and state.summary[layout.index(item.name, "mean")]
      mean = mean and (" (mean %s)"):format(draw.quantity(mean, item.unit)) or ""
      words[#words + 1] = item.name .. " " .. now .. mean
    end
  end
  if state.problem then words[#words + 1] = state.problem end
  return table.concat(words, ", ")
end

-- ---- The screen -------------------------------------------------------------------------------

local terminal <const> = uv.guess_handle(1) == "tty" and os.getenv("TERM") ~= "dumb"
  and uv.new_tty(1, false)
local drawn = 0 -- lines of the last picture, which the next one replaces

local function size()
  local width, height = terminal:get_winsize()
  if not width or width == 0 then return 80, 24 end
  return width, height
end

local function show(telemetry)
  local width, height = 80, 24
  if terminal then width, height = size() end
  local state = look(telemetry, terminal and graph_width(width) or 0)
  if not state then return false end
  if terminal then
    local lines = picture(telemetry, state, width, height)
    local up = drawn > 0 and ("\27[%dA"):format(drawn) or ""
    io.write(up, "\r", table.concat(lines, "\27[K\n"), "\27[K\n\27[J")
    drawn = #lines
  else
    io.write(plain_line(state), "\n")
  end
  io.flush()
  return true
end

-- ---- The process ------------------------------------------------------------------------------

local stopped = false
local timer <const> = uv.new_timer()

local function say(text)
  io.stderr:write("dashboard: ", text, "\n")
end

local handlers <const> = {} -- which would be collected otherwise

local function on(signal, action)
  local handler = uv.new_signal()
  handler:start(signal, action)
  handlers[#handlers + 1] = handler
end

-- Let signals come in for some time.
local function wait(seconds)
  timer:start(math.floor(seconds * 1000), 0, function() end)
  uv.run("once")
end

local function wait_for_segment(address)
  local waiting = false
  while not stopped do
    local segment, message, errno = shm.open(address, {readonly = true})
    if segment then return segment end
    if shm.error_name(errno) ~= "ENOENT" then error(message, 0) end
    if not waiting then say("waiting for a sampler to create " .. address) end
    waiting = true
    wait(0.2)
  end
end

local function main(address)
  local segment <close> = wait_for_segment(address)
  local telemetry = segment and layout.telemetry(segment)
  local frames = 0
  while not stopped do
    if show(telemetry) then frames = frames + 1 end
    wait(terminal and 0.25 or 1)
  end
  say(("%d frames shown"):format(frames))
end

if #arg > 1 or (arg[1] or ""):sub(1, 1) == "-" then
  io.stderr:write("usage: dashboard.lua [ADDRESS]\n")
  os.exit(2)
end
for _, signal in ipairs {"sighup", "sigint", "sigterm"} do
  on(signal, function() stopped = true end)
end
if terminal then
  on("sigwinch", function()
    io.write("\27[2J\27[H") -- what was drawn for another width is in disorder
    drawn = 0
  end)
end
local ok, problem = pcall(main, arg[1] or "telemetry")
if not ok then
  say(problem)
  os.exit(1)
end
