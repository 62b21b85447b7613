-- SPDX-License-Identifier: MIT
-- shmkit: shared memory. What there is and how it behaves is written down in meta.lua.

-- The core is built for one version, and loading it into another one says nothing helpful.
if _VERSION ~= "Lua 5.4" then
  error("shmkit is for Lua 5.4, this is " .. _VERSION .. ": run lua5.4", 2)
end

local core = require "shmkit.core"

-- Bare C functions, so that their errors name the line that called them.
return {
  _VERSION = "shmkit " .. core.version(),
  create = core.segment_create,
  open = core.segment_open,
  open_or_create = core.segment_open_or_create,
  receive = core.segment_receive,
  unlink = core.unlink,
  mutex = core.mutex_open,
  event = core.event_open,
  wait_any = core.wait_any,
  list = core.listing_take,
  stat = core.listing_stat,
  remove = core.remove,
  gc = core.gc,
  limits = core.limits_take,
  type_size = core.type_size,
  error_name = core.error_name,
}
