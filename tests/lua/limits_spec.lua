-- SPDX-License-Identifier: MIT
-- Limits: what the system says they are, and which is met first.
local shm = require "shmkit"
local support = require "support"

support.nothing_is_left(before_each, after_each)

local function by_name(limits)
  local found = {}
  for _, limit in ipairs(limits) do found[limit.name] = limit end
  return found
end

local function set(names)
  local found = {}
  for _, name in ipairs(names) do found[name] = true end
  return found
end

local UNITS <const> = set { "bytes", "inodes", "segments", "files", "mappings" }
local SCOPES <const> =
  set { "machine", "file system", "ipc namespace", "control group", "process" }
local KINDS <const> =
  set { "posix", "sysv", "memfd", "semaphore", "anonymous", "hugetlb", "file" }

describe("limits", function()
  it("say what they are", function()
    local limits = assert(shm.limits())
    assert.is_true(#limits > 0)
    for _, limit in ipairs(limits) do
      for _, text in ipairs { "name", "title", "source", "effect", "remedy" } do
        assert.is_string(limit[text])
      end
      assert.is_true(UNITS[limit.unit] and SCOPES[limit.scope])
      assert.is_true(#limit.kinds > 0)
      for _, kind in ipairs(limit.kinds) do assert.is_true(KINDS[kind]) end
      for _, flag in ipairs { "each", "on_request", "unlimited" } do
        assert.is_boolean(limit[flag])
      end
      for _, amount in ipairs { "limit", "used", "free" } do
        local value = limit[amount]
        assert.is_true(value == nil or math.type(value) == "integer")
      end
      if limit.unlimited then assert.is_nil(limit.limit) end
    end
  end)

  it("are the system's", function()
    local limits = by_name(assert(shm.limits()))
    local file <close> = assert(io.open("/proc/sys/kernel/shmmni"))
    assert.equal(file:read("n"), limits.shmmni.limit)
    assert.same({ "sysv" }, limits.shmmni.kinds)
    assert.is_true(limits.shmmax.each)
    assert.is_true(limits["rlimit-memlock"].on_request)
    local output = support.run([[
      for _, limit in ipairs(require "shmkit".limits()) do
        if limit.name == "rlimit-nofile" then print(limit.limit, limit.unlimited) end
      end
    ]], nil, "ulimit -n 77;")
    assert.equal("77\tfalse\n", output)
  end)

  it("name those that are met first", function()
    local limits = assert(shm.limits())
    local known = {}
    for _, limit in ipairs(limits) do known[limit] = true end
    for kind, limit in pairs(limits.tightest) do
      assert.is_true(KINDS[kind] and known[limit])
      assert.equal("bytes", limit.unit)
      assert.is_false(limit.on_request)
    end
    for kind, limit in pairs(limits.scarcest) do
      assert.is_true(KINDS[kind] and known[limit])
      assert.not_equal("bytes", limit.unit)
    end
    assert.is_nil(limits.tightest.file)
    assert.is_nil(getmetatable(limits))
  end)

  it("say how large a segment can be", function()
    local output = support.run_in_own_place([[
      local shm = require "shmkit"
      local tightest = shm.limits().tightest.posix
      print(tightest.name, tightest.limit)
      local _, _, errno = shm.create("large", tightest.free + 4096)
      print(shm.error_name(errno))
      assert(shm.create("large", tightest.free - 65536))
      print(shm.limits().tightest.posix.used >= tightest.free - 65536)
    ]], "1m")
    if not output then
      return support.skip(pending, "mounting in a namespace is not permitted")
    end
    assert.equal("shm-bytes\t1048576\nENOSPC\ntrue\n", output)
  end)
end)
