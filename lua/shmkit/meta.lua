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
---@alias shmkit.Atomic "i32"|"u32"|"i64"|"u64"
---@alias shmkit.Kind "posix"|"sysv"|"memfd"|"fd"|"file"
---@alias shmkit.Lifetime "persistent"|"creator"|"last"
---@alias shmkit.Seal "seal"|"shrink"|"grow"|"write"|"future_write"
---@alias shmkit.InfoKind "posix"|"sysv"|"memfd"|"semaphore"|"anonymous"|"hugetlb"|"file"
---@alias shmkit.State "unknown"|"dest"|"unlinked"|"used"|"leaked"|"locked"|"idle"
---@alias shmkit.CreatorState "alive"|"exited"
---@alias shmkit.Holding "held"|"not held"
---@alias shmkit.ObjectKind "mutex"|"event"
---@alias shmkit.ObjectState "unknown"|"unlocked"|"locked"|"owner died"|"not set"|"set"
---@alias shmkit.Removal "removed"|"kept"|"failed"
---@alias shmkit.Unit "bytes"|"inodes"|"segments"|"files"|"mappings"
---@alias shmkit.Scope "machine"|"file system"|"ipc namespace"|"control group"|"process"
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

--- The mutex in a segment of its own, which is created when there is none. It is persistent unless
--- the options say otherwise: its name stays, and with it the knowledge that a holder died, until
--- somebody unlinks it: `mutex:segment():unlink()`.
---@param address string
---@param options? shmkit.Options as for open_or_create
---@return shmkit.Mutex? mutex
---@return string? message
---@return integer? errno
function shmkit.mutex(address, options) end

--- The event in a segment of its own, which is created when there is none. It is persistent unless
--- the options say otherwise.
---@param address string
---@param options? shmkit.Options as for open_or_create
---@return shmkit.Event? event
---@return string? message
---@return integer? errno
function shmkit.event(address, options) end

--- Wait for the first of several events: one that is set, or was set after this call began.
---@param events shmkit.Event[] at most 128
---@param timeout? number seconds; for ever if not given
---@param since? integer[] a sequence for each: wait for one that was set since
---@return shmkit.Event? event
---@return integer|string index in `events`; the message when there is none
---@return integer? errno ETIMEDOUT when none was set in time
function shmkit.wait_any(events, timeout, since) end

--- Remove the name of a segment. Whoever has it open keeps the memory.
---@param address string
---@return true? done
---@return string? message
---@return integer? errno
function shmkit.unlink(address) end

--- Options of list.
---@class shmkit.ListOptions
---@field kinds? shmkit.InfoKind|"all"|(shmkit.InfoKind|"all")[] posix, sysv and memfd if not given
---@field names_only? boolean do not look at processes: cheap, but nobody is known to map anything,
--- and what has no name is not found. The listing is incomplete.
---@field no_creators? boolean do not look for the creators of files that are in use: half of the
--- system calls of a large listing. States are the same.

--- Options of stat.
---@class shmkit.StatOptions
---@field exact? boolean also ask the kernel whether anybody has it open, by taking a lease on it
--- for an instant; who opens it meanwhile waits. It sees descriptors that nobody mapped, and
--- holders in other containers; it needs to be the owner, or CAP_LEASE. Only for
--- files that have a name.

--- Options of remove.
---@class shmkit.RemoveOptions
---@field force? boolean also when it is in use, or when that cannot be told

--- Options of gc.
---@class shmkit.GcOptions
---@field apply? boolean remove; without it nothing is touched
---@field idle? boolean not only what is leaked: whatever nobody uses now
---@field kinds? shmkit.InfoKind|shmkit.InfoKind[] posix and sysv if not given; or semaphore
---@field older_than? integer leave alone what was made, changed, attached or the like in the
--- last so many nanoseconds
---@field pattern? string only addresses that match this shell pattern, "posix:/frames-*", where '*'
--- goes for slashes too

--- A process that maps a segment. What could not be found out is absent. Times are in nanoseconds
--- since 1970, sizes in bytes.
---@class shmkit.Mapper
---@field pid integer as /proc shows it
---@field start? integer in clock ticks since boot, to tell it from a later process with that PID
---@field started? integer the same as a time
---@field uid? integer its effective user
---@field mappings integer how many it has of this segment
---@field bytes integer their lengths added up, which may reach beyond the segment's end
---@field offset? integer the lowest offset in the segment that is mapped
---@field program? string at most 15 bytes of its name
---@field readable boolean whether it can read
---@field writable boolean whether it can store what others see

--- A stretch of a segment that has pages.
---@class shmkit.Extent
---@field offset integer in bytes
---@field length integer in bytes

--- A mutex or an event in a segment, as it was at that moment, found by the mark that it has. What
--- is unknown, or not of its kind, is absent.
---@class shmkit.Object
---@field offset integer in bytes
---@field kind shmkit.ObjectKind
---@field state shmkit.ObjectState of a mutex "unlocked", "locked" by somebody who lives, "owner
--- died" (and nobody has got it since), "unknown" when it cannot be told whether its holder lives
---@field identity? integer of a mutex: the holder's number, also of one that died; 0 for nobody's
---@field sequence? integer of an event: how often it was set, modulo 2^29
---@field waited_for boolean somebody has said that he waits; he may have been killed since
---@field pid? integer of a mutex that is locked: the process that holds it, if it was seen
---@field start? integer of that process, in clock ticks since boot
---@field program? string at most 15 bytes of its name

--- Everything about one segment. What is unknown, or does not exist for its kind, is absent. Sizes
--- are in bytes, times in nanoseconds since 1970; stores through a mapping leave no trace in any of
--- the times. `<shmkit/inspect.h>` says more about each.
---@class shmkit.Info
---@field address? string what opens it, for whoever may: "posix:/frames", "sysv:0x5eed",
--- "file:/proc/7/fd/4" for what has no name
---@field name? string any bytes: what its maker called it; the path of a file, also of one that
--- is gone
---@field kind shmkit.InfoKind
---@field state shmkit.State whether it is needed, as far as that can be told
---@field reason? string why it has that state; from gc and remove, why it goes or stays
---@field dest boolean System V: marked for removal
---@field locked boolean System V: locked into memory
---@field last boolean its name goes with its last user: lifetime "last"
---@field unlinked boolean no name leads to it any more
---@field elsewhere boolean of another mount or IPC namespace: its name leads to nothing, or to
--- something else, here
---@field may_remove boolean the caller has the right to remove it
---@field mode? integer permission bits
---@field uid? integer
---@field gid? integer
---@field links integer names of the file; 0 for what has none
---@field seals? table<integer|shmkit.Seal, shmkit.Seal|true> of a memfd, by stat alone: as
--- Segment:seals gives them
---@field device integer file system
---@field inode integer file; System V's identifier
---@field ipc_namespace? integer of a System V segment that is `elsewhere`
---@field size? integer
---@field allocated? integer bytes in memory or swap; of a file on a disk, bytes there
---@field resident? integer bytes in memory
---@field swapped? integer bytes in swap
---@field huge_page? integer the size of its pages when they are huge; 0 for ordinary ones
---@field created? integer when it was made; not of System V and on older kernels
---@field changed? integer when its size, owner, permissions or name were changed
---@field modified? integer when it was last written by a system call
---@field accessed? integer when it was last read by a system call or mapped
---@field attached? integer System V: when it was last attached
---@field detached? integer System V: when it was last detached
---@field attachments? integer System V: how many there are; one process may have several
---@field last_pid? integer System V: the last process that attached or detached
---@field locks integer file locks that are held on it
---@field creator_state? shmkit.CreatorState whether its creator still runs
---@field creator? shmkit.Creator who made it, only when that is certain
---@field holding? shmkit.Holding whether anybody has it open, by stat with `exact` alone
---@field removal? shmkit.Removal what remove, or gc with `apply`, did; "kept": it is in
--- use, or another segment by now
---@field mappers shmkit.Mapper[] by PID; a lower bound unless the listing is complete
---@field mappings integer how many they have of it together
---@field extents? shmkit.Extent[] where it has pages, by stat alone; at most the first 4096
---@field objects? shmkit.Object[] mutexes and events in it, by stat alone; at most the first 4096
--- in the first 16 MiB of these stretches

--- A snapshot of segments, by kind and then name: plain data that holds nothing of the system.
---@class shmkit.Listing
---@field [integer] shmkit.Info
---@field complete boolean whether every process that could map something was looked at; if not,
--- numbers of mappers are lower bounds
---@field unreadable integer processes that could be seen but not looked at; there may be others
--- that cannot even be seen
---@field time integer when it was begun

--- All shared memory there is. Looking changes nothing. Takes milliseconds, in proportion to the
--- processes, mappings and segments there are.
---@param options? shmkit.ListOptions
---@return shmkit.Listing? listing
---@return string? message
---@return integer? errno
function shmkit.list(options) end

--- Everything about what one address leads to; if the caller may read it, with seals, extents, and
--- the mutexes and events in it. A listing of one; "memfd:NAME" gives all memfds of that name that
--- processes map.
---@param address string
---@param options? shmkit.StatOptions
---@return shmkit.Listing? listing
---@return string? message
---@return integer? errno
function shmkit.stat(address, options) end

--- Remove the one segment that an address leads to, unless somebody uses it; `unlink` does not ask.
---
--- In use is what a process maps, attaches, locks or, of files, has open, wherever that is; what
--- cannot be told counts as in use. Whether its creator runs does not matter. By force, POSIX
--- segments and files lose their name and who maps them keeps the memory; a System V segment goes
--- when nobody attaches it any more.
---@param address string
---@param options? shmkit.RemoveOptions
---@return shmkit.Listing? listing the one segment as it was, with its `removal`
---@return string? message
---@return integer? errno EBUSY when it is in use
function shmkit.remove(address, options) end

--- Tell, and with `apply` remove, the segments that nobody needs: those whose state is "leaked".
---
--- Gives the candidates, each with its `reason` and what was done, its `removal`. That some could
--- not be removed is no error. What cannot be found out counts as in use. Any number of processes
--- may do it at once.
---@param options? shmkit.GcOptions
---@return shmkit.Listing? listing
---@return string? message
---@return integer? errno
function shmkit.gc(options) end

--- A ceiling on shared memory. What is unknown is absent.
---@class shmkit.Limit
---@field name string for programs, stable: "shm-bytes", "shmmax", "memory", "huge-2048kB"; only
--- "cgroup-memory" may come several times
---@field title string for people: "size of /dev/shm"
---@field source string the path or the call that the figure comes from
---@field effect string what happens to who exceeds it
---@field remedy string how to raise it
---@field note? string what is special about it here, "a container's usual 64 MiB"
---@field unit shmkit.Unit what is counted
---@field scope shmkit.Scope who shares it
---@field kinds shmkit.InfoKind[] the kinds that it holds for
---@field each boolean a ceiling on the size of each segment by itself: nothing uses it up
---@field on_request boolean it holds only for what asks for it: locked memory, huge pages
---@field unlimited boolean there is no such limit; `limit` is absent then
---@field limit? integer in units
---@field used? integer in units
---@field free? integer in units: what the system would grant now, not always limit minus used

--- What holds here and now.
---@class shmkit.Limits
---@field [integer] shmkit.Limit
---@field tightest table<shmkit.InfoKind, shmkit.Limit> the limit on bytes that a new segment of a
--- kind meets first: its `free` is how large that can be at most
---@field scarcest table<shmkit.InfoKind, shmkit.Limit> the one on how many more there can be

--- Every ceiling on shared memory, how much of it is used, and which is met first. Ceilings of a
--- process are those of this one. Changes nothing and needs no permission.
---@return shmkit.Limits? limits
---@return string? message
---@return integer? errno
function shmkit.limits() end

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

--- The event at a byte offset, where 64 zero bytes are one that is not set. It keeps the mapping.
---@param offset integer in bytes, a multiple of 64
---@return shmkit.Event? event
---@return string? message
---@return integer? errno
function Segment:event(offset) end

--- The mutex at a byte offset, where 64 zero bytes are an unlocked one. It keeps the mapping.
---@param offset integer in bytes, a multiple of 64
---@return shmkit.Mutex? mutex
---@return string? message
---@return integer? errno SHMKIT_ERR_UNSUPPORTED for System V, EACCES in a read-only segment
function Segment:mutex(offset) end

--- The integer at a byte offset, in one step for everybody. Atomics are one step for all threads of
--- all processes in every language, and what was written before one of them is seen by who sees its
--- result. In `u64`, values from 2^63 on are negative integers. A value that the type cannot hold
--- raises, and so does an offset that is no multiple of its size.
---@param type shmkit.Atomic
---@param offset integer in bytes
---@return integer value
function Segment:load(type, offset) end

--- Put an integer there in one step. See load.
---@param type shmkit.Atomic
---@param offset integer in bytes
---@param value integer
---@return true? done
---@return string? message
---@return integer? errno EACCES in a read-only segment
function Segment:store(type, offset, value) end

--- Add to the integer there in one step; sums wrap around. See load.
---@param type shmkit.Atomic
---@param offset integer in bytes
---@param value integer may be negative
---@return integer? before
---@return string? message
---@return integer? errno EACCES in a read-only segment
function Segment:add(type, offset, value) end

--- Put an integer there and tell what was there, in one step. See load.
---@param type shmkit.Atomic
---@param offset integer in bytes
---@param value integer
---@return integer? before
---@return string? message
---@return integer? errno EACCES in a read-only segment
function Segment:exchange(type, offset, value) end

--- Put an integer there if what is there is `expected`, and tell what was there, in one step: it
--- was changed exactly when that is `expected`. See load.
---@param type shmkit.Atomic
---@param offset integer in bytes
---@param expected integer
---@param value integer
---@return integer? before
---@return string? message
---@return integer? errno EACCES in a read-only segment
function Segment:compare_exchange(type, offset, expected, value) end

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

--- One holder at a time among all threads of all processes, in every language.
---
---     local guard <close> = assert(mutex:lock())
---     if guard:owner_died() then repair() end
---
--- When its holder is killed, exits, or its thread ends, the next one gets it and is told, once:
--- what it protects may be half-changed. Locking twice raises, and so does unlocking without having
--- locked. While it waits, Ctrl-C ends the script as ever. To be collected while one holds it is to
--- die with it: keep the mutex or the guard.
---@class shmkit.Mutex: userdata
local Mutex = {}

--- Lock it, waiting while somebody else holds it.
---@param timeout? number seconds; for ever if not given
---@return shmkit.Guard? guard the same object each time
---@return string? message
---@return integer? errno ETIMEDOUT when it was not free in time
function Mutex:lock(timeout) end

--- Lock it if nobody holds it.
---@return shmkit.Guard? guard
---@return string? message
---@return integer? errno ETIMEDOUT when somebody holds it
function Mutex:try_lock() end

--- Unlock it; raises when this thread does not hold it.
function Mutex:unlock() end

--- Whether somebody who lives holds it.
---@return boolean? locked
---@return string? message
---@return integer? errno
function Mutex:locked() end

--- What a mutex is at a moment.
---@class shmkit.MutexState
---@field locked boolean somebody who lives holds it
---@field mine boolean the calling thread does
---@field owner_died boolean its holder died, and nobody has got it since
---@field identity integer the holder's number among those who use the segment; 0 for nobody's

---@return shmkit.MutexState? state
---@return string? message
---@return integer? errno
function Mutex:look() end

--- Whether the holder before died with it: what the last lock through this object told.
---@return boolean
function Mutex:owner_died() end

---@return shmkit.Segment
function Mutex:segment() end

--- Where it is in the segment, in bytes.
---@return integer
function Mutex:offset() end

--- End the use of it; a segment of its own is closed too. Who has locked it can still unlock it.
function Mutex:close() end

---@return boolean
function Mutex:closed() end

--- Something that happens in one process and that others wait for, in every language.
---
---     event:set()                       -- here
---     event:wait { timeout = 1 }        -- there
---
--- It is set until it is cleared, and it counts how often it was set. While a script waits, Ctrl-C
--- ends it as ever.
---@class shmkit.Event: userdata
local Event = {}

--- Set it, count one up, and wake everybody who waits.
---@return true? done
---@return string? message
---@return integer? errno EACCES in a read-only segment
function Event:set() end

--- It is not set any more; the sequence stays.
---@return true? done
---@return string? message
---@return integer? errno EACCES in a read-only segment
function Event:clear() end

---@return boolean
function Event:is_set() end

--- How often it was set, modulo 2^29: `event:wait(sequence)` waits for the next time.
---@return integer
function Event:sequence() end

---@class shmkit.WaitOptions
---@field since? integer a sequence: wait until it was set since
---@field timeout? number seconds; for ever if not given

--- Wait until it is set, or was set after this call began; with a sequence, until it was set since
--- then.
---@param since? integer|shmkit.WaitOptions
---@param timeout? number seconds; for ever if not given
---@return true? done
---@return string? message
---@return integer? errno ETIMEDOUT when that did not come in time
function Event:wait(since, timeout) end

--- From now on each set makes the system call that wakes, so that those who have the segment open
--- for reading only need not look every millisecond.
---@return true? done
---@return string? message
---@return integer? errno EACCES in a read-only segment
function Event:always_wake() end

--- A descriptor, for luv and other event loops, that gets readable when it is set after this call.
--- Reading its 8 bytes makes it wait for the next time. It stays the event's.
---@return integer? fd
---@return string? message
---@return integer? errno
function Event:fileno() end

---@return shmkit.Segment
function Event:segment() end

--- Where it is in the segment, in bytes.
---@return integer
function Event:offset() end

--- End the use of it; a segment of its own is closed too.
function Event:close() end

---@return boolean
function Event:closed() end

--- What unlocks a mutex at the end of its block; nothing happens then when it is unlocked already.
---@class shmkit.Guard: userdata
local Guard = {}

--- The same now.
function Guard:unlock() end

--- Whether the holder before died with the mutex.
---@return boolean
function Guard:owner_died() end

return shmkit
