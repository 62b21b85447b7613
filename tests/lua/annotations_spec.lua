-- SPDX-License-Identifier: MIT
-- meta.lua, which editors read, says what is there: no more and no less.
local shm = require "shmkit"

local function read_annotations()
  local path = assert(package.searchpath("shmkit.meta", package.path))
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- "create(address, size, options)" by name, of what is declared as `owner.name` or `owner:name`.
local function declared(text, owner)
  local found = {}
  for name in text:gmatch("\nfunction " .. owner .. "[.:]([%w_]+)%(") do
    assert(not found[name], name .. " is declared twice")
    found[name] = true
  end
  return found
end

-- The fields of an annotated class; `mark` is "" or "?" for optional ones.
local function fields(text, class, mark)
  local block = assert(text:match("\n%-%-%-@class " .. class .. "\n(.-)\n\n"), class)
  local found = {}
  for name in block:gmatch("%-%-%-@field ([%w_]+)" .. mark .. " ") do found[name] = true end
  return found
end

local function keys(t)
  local found = {}
  for key in pairs(t) do found[key] = true end
  return found
end

describe("the annotations", function()
  local text = read_annotations()
  local seg = assert(shm.create("memfd:annotations", 128))

  it("can be loaded by Lua itself", function()
    assert.is_function(load(text))
  end)

  it("declare the functions of the module", function()
    local functions = declared(text, "shmkit")
    for name in text:match("%-%-%-@class shmkit\n(.-)\nlocal shmkit"):gmatch("@field ([%w_]+)") do
      functions[name] = true
    end
    assert.same(keys(shm), functions)
  end)

  it("declare the methods of segments", function()
    assert.same(keys(debug.getmetatable(seg).__index), declared(text, "Segment"))
  end)

  it("declare the methods of views", function()
    local _, methods = debug.getupvalue(debug.getmetatable(seg:view("u8")).__index, 2)
    assert.same(keys(methods), declared(text, "View"))
  end)

  it("declare the methods of mutexes and their guards", function()
    local mutex <close> = seg:mutex(0)
    local guard <close> = mutex:lock()
    assert.same(keys(debug.getmetatable(mutex).__index), declared(text, "Mutex"))
    assert.same(keys(debug.getmetatable(guard).__index), declared(text, "Guard"))
    assert.same(keys(mutex:look()), fields(text, "shmkit%.MutexState", ""))
  end)

  it("declare the methods of events", function()
    local event <close> = seg:event(64)
    assert.same(keys(debug.getmetatable(event).__index), declared(text, "Event"))
  end)

  it("declare the options", function()
    local function known(call)
      local _, message = pcall(call)
      local found = {}
      for name in message:match("known: (.*)%)"):gmatch("[%w_]+") do found[name] = true end
      return found
    end
    assert.same(known(function() shm.open("x", { [""] = 1 }) end),
                fields(text, "shmkit%.Options", "%?"))
    assert.same(known(function() seg:send(0, { [""] = 1 }) end),
                fields(text, "shmkit%.SendOptions", "%?"))
    for call, class in pairs { list = "List", gc = "Gc" } do
      assert.same(known(function() shm[call] { [""] = 1 } end),
                  fields(text, "shmkit%." .. class .. "Options", "%?"))
    end
    for call, class in pairs { stat = "Stat", remove = "Remove" } do
      assert.same(known(function() shm[call]("x", { [""] = 1 }) end),
                  fields(text, "shmkit%." .. class .. "Options", "%?"))
    end
  end)

  it("declare what is known of a creator", function()
    local creator = seg:creator()
    local required, optional = fields(text, "shmkit%.Creator", ""),
                               fields(text, "shmkit%.Creator", "%?")
    for name in pairs(creator or {}) do assert.is_true(required[name] or optional[name], name) end
    for name in pairs(required) do assert.is_not_nil((creator or required)[name], name) end
  end)

  it("declare what is known of a segment, of its mappers and of what is in it", function()
    local mutex <close> = seg:mutex(0)
    local _ <close> = mutex:lock()
    seg:event(64):close()
    local function check(record, class)
      local required, optional = fields(text, class, ""), fields(text, class, "%?")
      for name in pairs(record) do assert.is_true(required[name] or optional[name], name) end
      for name in pairs(required) do assert.is_not_nil(record[name], name) end
    end
    local listing = assert(shm.stat("memfd:annotations"))
    check(listing[1], "shmkit%.Info")
    check(listing[1].mappers[1], "shmkit%.Mapper")
    assert.equal(2, #listing[1].objects)
    for _, object in ipairs(listing[1].objects) do check(object, "shmkit%.Object") end
    check(assert(shm.limits())[1], "shmkit%.Limit")
  end)

  it("name every type, seal and lifetime", function()
    local function names(alias)
      local found = {}
      local list = assert(text:match("@alias shmkit%." .. alias .. " ([^\n]+)"))
      for name in list:gmatch('"([^"]+)"') do found[#found + 1] = name end
      table.sort(found)
      return table.concat(found, " ")
    end
    local function known(call)
      local _, message = pcall(call)
      local found = {}
      local list = message:match(": ([%w_, ]+)%)$")
      for name in list:gmatch("[%w_]+") do found[#found + 1] = name end
      table.sort(found)
      return table.concat(found, " ")
    end
    assert.equal(known(function() seg:seal { "" } end), names("Seal"))
    assert.equal(known(function() shm.list { kinds = "" } end), "all " .. names("InfoKind"))
    assert.equal(known(function() shm.create("x", 1, { lifetime = "" }) end), names("Lifetime"))
    for name in names("Type"):gmatch("%S+") do assert.is_true(shm.type_size(name) > 0) end
    assert.equal(12, select(2, names("Type"):gsub("%S+", "")))
  end)
end)

describe("the module", function()
  it("says which Lua it is for", function()
    local path = assert(package.searchpath("shmkit", package.path))
    local environment = { _VERSION = "Lua 5.1", error = error, require = require }
    local good, message = pcall(assert(loadfile(path, "t", environment)))
    assert.is_false(good)
    assert.matches("for Lua 5.4, this is Lua 5.1", message, 1, true)
  end)
end)
