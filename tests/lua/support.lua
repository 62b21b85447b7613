-- SPDX-License-Identifier: MIT
-- What the specs share: names nobody else uses, other processes, and proof that nothing is left.
local lfs = require "lfs"
local process = require "process"
local shm = require "shmkit"

local support = {}

local prefix = ("shmkit-lua-%d-"):format(process.pid())
local count = 0

--- A POSIX name that no other test uses.
function support.name()
  count = count + 1
  return prefix .. count
end

function support.path(name)
  return "/dev/shm/" .. name
end

local keys = {}

--- The address of a System V key that nobody uses.
function support.sysv_address()
  for _ = 1, 100 do
    local key = math.random(0x10000000, 0x7fffffff)
    local address = ("sysv:0x%x"):format(key)
    local taken = shm.open(address)
    if not taken then
      keys[key] = true
      return address
    end
    taken:close()
  end
  error("no free System V key")
end

function support.temporary_directory()
  local path = ("%s/%sdirectory%d"):format(os.getenv("TMPDIR") or "/tmp", prefix, count)
  count = count + 1
  assert(lfs.mkdir(path))
  return path
end

--- Run `body` in a forked child and wait for it; an error in it is one here, too.
function support.in_child(body)
  local pid = support.start_child(body)
  local how, code = process.wait(pid)
  assert(how == "exited" and code == 0, ("the child %s: %s"):format(how, code))
end

--- The same without waiting. Children leave by _exit: they run nothing of what the parent has
--- prepared for its end.
function support.start_child(body)
  local pid = assert(process.fork())
  if pid ~= 0 then
    return pid
  end
  local ok, message = xpcall(body, debug.traceback)
  if not ok then
    io.stderr:write("in the child: ", tostring(message), "\n")
  end
  process.exit(ok and 0 or 1)
end

--- A child that runs `body` and then stays until it is killed. Returns its pid when `body` is done.
function support.start_staying_child(body)
  local reading, writing = process.pipe()
  local never, hold = process.pipe()
  local pid = support.start_child(function()
    process.close(hold)
    body()
    process.write(writing, "!")
    process.read(never, 1)
  end)
  process.close(writing)
  process.close(never)
  local answer = process.read(reading, 1)
  process.close(reading)
  assert(answer == "!", "the child did not get ready")
  return pid, hold
end

function support.kill(pid, hold)
  process.kill(pid, 9)
  process.wait(pid)
  process.close(hold)
end

--- Return when another process is in a state, in the letters of /proc: "S" when it waits in a
--- system call, "T" when it is stopped.
function support.wait_for_state(pid, wanted)
  repeat
    local file <close> = assert(io.open(("/proc/%d/stat"):format(pid)))
    local state = file:read("a"):match("^.*%) (%a)")
    assert(state ~= "Z", "the process has ended")
  until state == wanted
end

--- Run a program text in a fresh interpreter, with `argument` if there is one and started by the
--- command `inside` if there is one. Returns all it prints, how it ended and its code.
function support.run(text, argument, inside)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  local command = ("%s lua5.4 %s %s 2>&1"):format(inside or "", path, argument or "")
  local pipe = assert(io.popen(command))
  local output = pipe:read("a")
  local _, how, code = pipe:close()
  os.remove(path)
  return output, how, code
end

--- The same in mount and IPC namespaces of its own, with a /dev/shm of that size. What it prints,
--- or nil when that is not permitted.
function support.run_in_own_place(text, size)
  local as = process.uid() == 0 and "" or "--map-root-user"
  local command = "unshare --mount --ipc --propagation=unchanged %s sh -c 'mount --make-private "
    .. "/dev/shm && mount -t tmpfs -o size=%s none /dev/shm || exit 99; $0 $@'"
  local output, how, code = support.run(text, nil, command:format(as, size))
  if code == 99 or output:find("^unshare:") then
    return nil
  end
  assert(how == "exit" and code == 0, ("%s %d: %s"):format(how, code, output))
  return output
end

--- `call` raises an error that contains `text`, and that names a line of Lua.
function support.raises(call, text, what)
  local ok, message = pcall(call)
  what = what and what .. ": " or ""
  assert(not ok, what .. "no error was raised")
  assert(type(message) == "string" and message:find(text, 1, true),
         ("%sthe error does not say %q: %s"):format(what, text, message))
  assert(message:find("^[^:]+:%d+: "), what .. "the error names no line: " .. message)
end

--- For busted's pending: the reason is printed for whoever collects skips.
function support.skip(pending, reason)
  print("\nSKIP: " .. reason)
  pending(reason)
end

-- What is open, by number, and what it is: a descriptor that only changed is a leak as well.
local function descriptors()
  local open = {}
  for entry in lfs.dir("/proc/self/fd") do
    local target = lfs.symlinkattributes("/proc/self/fd/" .. entry, "target")
    -- The listing itself.
    if target and not target:match("^/proc/%d+/fd$") then
      open[#open + 1] = entry .. " " .. target
    end
  end
  table.sort(open)
  return table.concat(open, "\n")
end

local function names_left()
  local left = {}
  for entry in lfs.dir("/dev/shm") do
    if entry:sub(1, #prefix) == prefix then
      left[#left + 1] = entry
    end
  end
  return left
end

local function keys_left()
  local left = {}
  for line in io.lines("/proc/sysvipc/shm") do
    local key = tonumber(line:match("^%s*(%-?%d+)"))
    if key and keys[key] then
      left[#left + 1] = ("sysv:0x%x"):format(key)
    end
  end
  return left
end

--- Around every test of a file: afterwards there is no name, no key and no descriptor that was not
--- there before. Takes busted's before_each and after_each.
function support.nothing_is_left(before_each, after_each)
  local before
  before_each(function()
    collectgarbage()
    collectgarbage()
    before = descriptors()
  end)
  after_each(function()
    collectgarbage()
    collectgarbage()
    local left = {}
    for _, name in ipairs(names_left()) do
      left[#left + 1] = name
      os.remove(support.path(name))
    end
    for _, address in ipairs(keys_left()) do
      left[#left + 1] = address
      shm.unlink(address)
    end
    assert(#left == 0, "left behind: " .. table.concat(left, ", "))
    local after = descriptors()
    assert(before == after, "descriptors before:\n" .. before .. "\nand after:\n" .. after)
  end)
end

return support
