-- SPDX-License-Identifier: MIT
---@meta shmkit

--- Shared memory on Unix: the same bytes in C, Python and Lua programs.
---
---     local shm = require "shmkit"
---     local seg <close> = assert(shm.create("frames", 4096))
---     assert(seg:write(0, "hello"))
---     assert(seg:unlink())
---
--- **Addresses**: `frames` or `posix:/frames`, `sysv:0x5eed`, `sysv:id=42`, `memfd:frames`, `fd:7`,
--- `file:/dev/hugepages/frames`. `<shmkit/segment.h>` describes them, and everything else, in full.
---
--- **Errors**: what the world refuses (no such segment, no room, no permission, what a kind of
--- segment, a file system or the kernel does not support) is returned as `nil, message, errno`.
--- What is wrong whatever the world is like (an impossible address, an offset outside, a wrong
--- type, an unknown option, a closed segment, a descriptor that is not open) raises. Writing to a
--- read-only segment is returned by `write` and `pack`, and raised by a view.
---
--- **Methods**: `size`, `created`, `readonly` and the others are methods: `seg:size()`. Without the
--- call, `seg.created` is a function, which is always true.
---
--- **Sockets** are descriptors, such as the numbers that luv's `uv.socketpair()` gives.
---
--- **Numbers**: byte offsets count from 0, as in C and Python; elements of views count from 1, as
--- everything in Lua. Integers are Lua's own, exact to 64 bits.
---
--- **Threads**: a Lua state is for one thread. Any number of states in any number of threads may
--- use shmkit at once.
---
--- **Signals**: another process that truncates a segment turns an access through a view into
--- SIGBUS; `read`, `write`, `pack` and `unpack` report it instead.
---@class shmkit
---@field _VERSION string "shmkit 0.1.0"
local shmkit = {}

---@alias shmkit.Type "i8"|"i16"|"i32"|"i64"|"u8"|"u16"|"u32"|"u64"|"f32"|"f64"|"bool"|"char"
---@alias shmkit.Kind "posix"|"sysv"|"memfd"|"fd"|"file"
---@alias shmkit.Lifetime "persistent"|"creator"|"last"
---@alias shmkit.Seal "seal"|"shrink"|"grow"|"write"|"future_write"
---@alias shmkit.Element integer|number|boolean|string

--- Options of create, open, open_or_create and receive. Names that are not here are an error, and
--- so is what does not apply to a call; open_or_create uses those of create only when it creates.
---
--- Lifetimes: "persistent": somebody unlinks the name. "creator", for posix, sysv and file: it goes
--- when this object is closed or this process ends normally; one that is killed, `_exit` and exec
--- leave it. "last", for posix, and for file on tmpfs or hugetlbfs: when the last process closes it
--- or exits; what killed ones leave is removed by the next open or create. memfd takes neither.
---@class shmkit.Options
---@field any_owner? boolean open, posix only: accept a segment of another user
---@field capacity? integer bytes of address space to map, so that it can grow in place
---@field content? string create: what is at offset 0 before the name appears
---@field huge_pages? boolean create, memfd and sysv: use huge pages
---@field lifetime? shmkit.Lifetime create: when the name goes; "persistent" if not given
---@field lock? boolean keep the pages in memory
---@field mode? integer create: permission bits; 0x180 (octal 600) if not given
---@field populate? boolean make the page tables now
---@field readonly? boolean open and receive, not open_or_create: map for reading only
---@field seals? shmkit.Seal[] create, memfd: promises that nobody can take back
---@field sparse? boolean create: do not reserve room

---@class shmkit.SendOptions
---@field readonly? boolean send a descriptor that can only read

--- Who made a segment, as its maker wrote it down. What is unknown is absent.
---@class shmkit.Creator
---@field pid integer in the PID namespace below
---@field start? integer of that process, in clock ticks since boot
---@field pid_namespace? integer inode
---@field boot? string identifier of the machine's run
---@field program? string at most 15 bytes of its name

--- Create a segment of `size` bytes; fails when the address exists.
---@param address string
---@param size integer at least 1
---@param options? shmkit.Options
---@return shmkit.Segment? segment
---@return string? message
---@return integer? errno
function shmkit.create(address, size, options) end

--- Open an existing segment.
---@param address string
---@param options? shmkit.Options
---@return shmkit.Segment? segment
---@return string? message
---@return integer? errno
function shmkit.open(address, options) end

--- Open a segment, or create it when there is none; `segment:created()` tells which. Any number of
--- processes may do so at once.
---@param address string
---@param size integer an existing segment may be larger
---@param options? shmkit.Options
---@return shmkit.Segment? segment
---@return string? message
---@return integer? errno
function shmkit.open_or_create(address, size, options) end

--- Receive a segment's descriptor from a connected Unix socket, and open it. After a failure to
--- open what came, its descriptor is closed: the sender has to send again.
---@param socket integer descriptor of the socket
---@param options? shmkit.Options as for open
---@return shmkit.Segment? segment
---@return string? message
---@return integer? errno EAGAIN when a non-blocking socket has nothing yet
function shmkit.receive(socket, options) end

--- Remove the name of a segment. Whoever has it open keeps the memory.
---@param address string
---@return true? done
---@return string? message
---@return integer? errno
function shmkit.unlink(address) end

--- The bytes of one element of a type.
---@param type shmkit.Type
---@return integer
function shmkit.type_size(type) end

--- The symbolic name of an errno that a function returned: "ENOENT", "SHMKIT_ERR_TRUNCATED".
---@param errno integer
---@return string
function shmkit.error_name(errno) end

--- Shared memory with an address, a size and a mapping. `#segment` is its size; a variable
--- declared `<close>` closes it at the end of the scope.
---
--- The garbage collector closes what is forgotten, at some time, at the latest when another segment
--- gets no descriptor or no memory: it does not see how large a mapping is.
---
--- `os.exit()` without `true` as second argument closes nothing; names of segments with lifetime
--- "creator" or "last" are still seen to.
---@class shmkit.Segment: userdata
---@operator len: integer
local Segment = {}

--- End the use of it. Does nothing when it is closed already. Views of it raise afterwards.
function Segment:close() end

--- Remove its name. Done when the name is gone already, or leads to another segment by now; works
--- on a closed segment too.
---@return true? done
---@return string? message
---@return integer? errno
function Segment:unlink() end

--- The address in canonical form, "posix:/frames".
---@return string
function Segment:address() end

--- The address without its scheme, "frames".
---@return string
function Segment:name() end

---@return shmkit.Kind
function Segment:kind() end

--- When its name goes.
---@return shmkit.Lifetime
function Segment:lifetime() end

--- Accessible bytes; 0 when closed.
---@return integer
function Segment:size() end

--- Bytes of address space, to which it can grow; 0 when closed.
---@return integer
function Segment:capacity() end

--- Whether it is mapped for reading only.
---@return boolean
function Segment:readonly() end

--- Whether this object created the segment.
---@return boolean
function Segment:created() end

---@return boolean
function Segment:closed() end

--- Copy bytes out.
---@param offset? integer in bytes; 0 if not given
---@param n? integer bytes; all that follow if not given
---@return string? bytes
---@return string? message
---@return integer? errno
function Segment:read(offset, n) end

--- Copy bytes in.
---@param offset integer in bytes
---@param data string
---@return true? done
---@return string? message
---@return integer? errno
function Segment:write(offset, data) end

--- Write values as `string.pack(format, ...)` lays them out.
---@param offset integer in bytes; alignment in the format counts from here
---@param format string
---@param ... any
---@return integer? next offset of the first byte after what was written
---@return string? message
---@return integer? errno
function Segment:pack(offset, format, ...) end

--- Read values as `string.unpack(format, ...)` does.
---@param offset integer in bytes; alignment in the format counts from here
---@param format string
---@return any ... the values, then the offset of the first byte after them
function Segment:unpack(offset, format) end

--- Elements of one type, in place.
---@param type shmkit.Type
---@param offset? integer in bytes, a multiple of the type's size; 0 if not given
---@param count? integer elements; as many as fit if not given
---@return shmkit.View
function Segment:view(type, offset, count) end

--- Ask the system for the size again, which other processes may have changed. Never beyond this
--- mapping's capacity: open with `capacity` to follow growth.
---@return true? done
---@return string? message
---@return integer? errno
function Segment:refresh() end

--- Grow to at least `size` bytes, in place: views stay valid.
---@param size integer at most the capacity
---@return true? done
---@return string? message
---@return integer? errno
function Segment:grow(size) end

--- The segment's descriptor, which stays its own: valid until it is closed.
---@return integer? fd
---@return string? message
---@return integer? errno
function Segment:fileno() end

--- Add seals to a memfd.
---@param seals shmkit.Seal[]
---@return true? done
---@return string? message
---@return integer? errno
function Segment:seal(seals) end

--- The seals of a memfd: a list of names that also has each name as a key, so that both
--- `table.concat(seals, " ")` and `seals.shrink` say something.
---@return table<integer|shmkit.Seal, shmkit.Seal|true>? seals
---@return string? message
---@return integer? errno
function Segment:seals() end

--- Who made the segment; ENOENT when nobody wrote it down.
---@return shmkit.Creator? creator
---@return string? message
---@return integer? errno
function Segment:creator() end

--- Send its descriptor over a connected Unix socket, for receive.
---@param socket integer descriptor of the socket
---@param options? shmkit.SendOptions
---@return true? done
---@return string? message
---@return integer? errno EAGAIN when a non-blocking socket has no room
function Segment:send(socket, options) end

--- Elements of a segment's memory, indexed from 1: `view[i]`, `view[i] = value`, `#view`,
--- `ipairs(view)`. Reading past the end gives nil, writing there raises.
---
--- Integers that do not fit the type raise. In `u64`, values from 2^63 on are negative integers, as
--- Lua's own integers wrap. `bool` takes booleans, `char` strings of one byte. An element is never
--- seen half-written, provided that the other side writes it in one piece, too; nothing is promised
--- about several.
---@class shmkit.View: userdata
---@operator len: integer
---@field [integer] shmkit.Element
local View = {}

--- Its elements in a new table.
---@param i? integer first element, as in string.sub; 1 if not given
---@param j? integer last element; -1 if not given
---@return shmkit.Element[]
function View:totable(i, j) end

--- Write many elements: all or none, should one not fit the type.
---@param source shmkit.Element[]|shmkit.View|string a view must be of the same type and may
--- overlap; a string is for char and u8
---@param first? integer where to begin; 1 if not given
function View:set(source, first) end

--- Set elements to one value.
---@param value shmkit.Element
---@param i? integer first element, as in string.sub; 1 if not given
---@param j? integer last element; -1 if not given
function View:fill(value, i, j) end

--- A view of a part of it, on the same memory.
---@param i? integer first element, as in string.sub; 1 if not given
---@param j? integer last element; -1 if not given
---@return shmkit.View
function View:slice(i, j) end

---@return shmkit.Type
function View:type() end

--- Where it begins in the segment, in bytes.
---@return integer
function View:offset() end

---@return shmkit.Segment
function View:segment() end

return shmkit
