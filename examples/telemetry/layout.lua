-- SPDX-License-Identifier: MIT
-- layout.h for Lua: where things are in the segment of telemetry, and how rings are read.
local HEADER <const> = "<c8I4I4I8I8I4I4d" -- magic ... rate
local HEADER_SIZE <const> = 384
local RATE <const>, HISTORY <const>, SUMMARY <const>, NAMES <const> = 40, 64, 128, 192
local NAME_SIZE <const> = 16
local COLUMNS <const> = {
  "time", "cpu", "user", "system", "runnable", "switches", "forks", "memory", "cached", "swap",
  "received", "sent",
}
-- A row of the summary: time of the newest sample, number of the first, how many, 0; then for each
-- column minimum, mean, maximum, standard deviation.
local SUMMARY_HEAD <const>, STATISTICS <const> = 4, 4

-- Rows of f64 that one process writes and any process reads, without copies.
local Ring = {}
Ring.__index = Ring

function Ring.new(segment, at, columns)
  local offset, rows, found = segment:unpack(at + 8, "<I8I4I4")
  assert(found == columns, segment:address() .. " has rows of another length")
  return setmetatable({
    rows = rows,
    columns = columns,
    memory = segment:view("f64", offset, rows * columns),
    count = segment:view("u64", at, 1),
  }, Ring)
end

-- Rows since the beginning: row number written() - 1 is the newest.
function Ring:written()
  return self.count[1]
end

-- One value of a row, in place; columns count from 1.
function Ring:value(number, column)
  return self.memory[number % self.rows * self.columns + column]
end

-- Whether the rows from number `first` on are not being overwritten yet. To be asked after they
-- were used: layout.h says why that is enough.
function Ring:whole(first)
  return first > self:written() - self.rows
end

local layout = {Ring = Ring, column = {}, statistic = {minimum = 1, mean = 2, maximum = 3}}
for index, name in ipairs(COLUMNS) do layout.column[name] = index end

-- The segment: two rings and what is known about the machine. Raises when it is something else.
function layout.telemetry(segment)
  local self = {segment = segment}
  local magic, version, size, statistics
  magic, version, size, self.memory_total, self.boot_time, self.cpus, statistics =
    segment:unpack(0, HEADER)
  local same = magic == "shmtele\0" and version == 1 and size == HEADER_SIZE
    and statistics == STATISTICS
  for index, name in ipairs(COLUMNS) do
    same = same and name == segment:unpack(NAMES + (index - 1) * NAME_SIZE, "z")
  end
  if not same then error(segment:address() .. " is not telemetry of version 1", 0) end
  self.history = Ring.new(segment, HISTORY, #COLUMNS)
  self.summary = Ring.new(segment, SUMMARY, SUMMARY_HEAD + #COLUMNS * STATISTICS)
  return self
end

-- Samples per second; another sampler may have another rate.
function layout.rate(telemetry)
  return (telemetry.segment:unpack(RATE, "<d"))
end

-- Where a statistic of a column is in a row of the summary.
function layout.index(column, statistic)
  return SUMMARY_HEAD + (layout.column[column] - 1) * STATISTICS + layout.statistic[statistic]
end

return layout
