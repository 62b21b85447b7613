-- SPDX-License-Identifier: MIT
-- Bars, sparklines and numbers as text. Without UTF-8 in the locale, in ASCII.
local draw = {}

local locale = os.getenv("LC_ALL") or os.getenv("LC_CTYPE") or os.getenv("LANG") or ""
local unicode <const> = locale:lower():find("utf%-?8") ~= nil
local EIGHTHS <const> = {"▏", "▎", "▍", "▌", "▋", "▊", "▉"}
local LEVELS <const> = unicode and {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}
  or {"_", ".", "-", "=", "+", "*", "%", "#"}

-- `text` in exactly `width` columns, of which each character takes one.
function draw.fit(text, width)
  local length = utf8.len(text)
  if length <= width then return text .. (" "):rep(width - length) end
  return width > 0 and text:sub(1, utf8.offset(text, width + 1) - 1) or ""
end

-- `text` at the right end of `width` columns.
function draw.right(text, width)
  return draw.fit((" "):rep(width - utf8.len(text)) .. text, width)
end

-- A bar of `width` columns, filled up to `fraction`.
function draw.bar(fraction, width)
  local eighths = math.floor(math.min(math.max(fraction, 0), 1) * width * 8 + 0.5)
  local full, part = eighths // 8, eighths % 8
  if not unicode then return draw.fit(("#"):rep(full), width):gsub(" ", ".") end
  return draw.fit(("█"):rep(full) .. (EIGHTHS[part] or ""), width)
end

-- One character for each value from 0 to `top`, and a blank for false.
function draw.sparkline(values, top)
  local characters = {}
  for index, value in ipairs(values) do
    local level = top > 0 and value and math.floor(value / top * #LEVELS) or 0
    characters[index] = value and LEVELS[math.min(math.max(level, 0), #LEVELS - 1) + 1] or " "
  end
  return table.concat(characters)
end

local function scaled(value, factor, prefixes)
  local exponent = 1
  while value >= factor * 0.9995 and exponent < #prefixes do
    value, exponent = value / factor, exponent + 1
  end
  return (value < 100 and exponent > 1 and "%.1f %s" or "%.0f %s"):format(value, prefixes[exponent])
end

local units = {}

function units.percent(value)
  return ("%.1f %%"):format(value)
end

function units.count(value)
  return ("%.3g"):format(value)
end

function units.rate(value)
  return (scaled(value, 1000, {"", "k", "M", "G"}) .. "/s"):gsub(" /", "/")
end

function units.bytes(value)
  return scaled(value, 1024, {"B", "KiB", "MiB", "GiB", "TiB"})
end

function units.traffic(value)
  return units.bytes(value) .. "/s"
end

-- A number with its unit: percent, count, rate, bytes or traffic.
function draw.quantity(value, unit)
  return (units[unit](value))
end

return draw
