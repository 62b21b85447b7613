/* SPDX-License-Identifier: MIT */
/*
 * What help() says about the methods and properties that come straight from C. The first lines of a
 * method are its signature, for inspect. Types are in python/shmkit/native.pyi.
 */
%feature("docstring") shmkit_segment
"Shared memory with an address, a size and a mapping. The base of shmkit.Segment.";

%feature("docstring") shmkit_segment::address
"Canonical address, which opens the same segment: 'posix:/frames'. Also on a closed segment.";
%feature("docstring") shmkit_segment::name
"The address without its scheme: 'frames'.";
%feature("docstring") shmkit_segment::kind
"'posix', 'sysv', 'memfd', 'fd' or 'file'.";
%feature("docstring") shmkit_segment::lifetime
"When the name goes: 'persistent', 'creator' or 'last'.";
%feature("docstring") shmkit_segment::size
"Accessible bytes, as the kernel said it last; 0 when closed. See refresh() and grow().";
%feature("docstring") shmkit_segment::capacity
"Mapped bytes of address space: how far the segment can grow in place; 0 when closed.";
%feature("docstring") shmkit_segment::readonly
"Whether it was opened for reading only.";
%feature("docstring") shmkit_segment::created
"Whether this object created the segment, rather than opened it.";
%feature("docstring") shmkit_segment::closed
"Whether close() was called. Views may still keep the mapping.";
%feature("docstring") shmkit_segment::pins
"Number of live views: memoryviews, NumPy arrays and others that export its memory.";

%feature("docstring") shmkit_segment::unlink
"unlink($self)
--

Remove this segment's name. Whoever has it open keeps the memory.

Done at once when the name is gone or leads to another segment by now; works on a closed segment.
Raises UnsupportedError for memfd and fd, which have no name.";

%feature("docstring") shmkit_segment::write
"write($self, offset, data, /)
--

Copy data, any C-contiguous buffer, into the segment at a byte offset.

Never raises SIGBUS and never changes the size: RangeError when data reaches beyond it,
TruncatedError when another process took the memory away, DeniedError on a read-only
segment. Not atomic for readers. Copies of 64 KiB and more let other threads run.";

%feature("docstring") shmkit_segment::python_read
"read($self, offset=0, size=None)
--

Copy size bytes, or all to the end, out of the segment from a byte offset on.

Never raises SIGBUS: RangeError when they reach beyond the size, TruncatedError when another
process took the memory away. Not a consistent state while others write. Copies of 64 KiB and more
let other threads run.";

%feature("docstring") shmkit_segment::python_view
"view($self, type, offset=0, count=None)
--

Elements of one type in place, as a memoryview with that format; all that fit without a count.

type is one of i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 bool char, in the machine's byte order.
offset is in bytes and must be a multiple of the type's size, count is in elements. The view keeps
the mapping, also across close(). Touching what another process has truncated raises SIGBUS, as
with every view of shared memory; use read() and write() where that must not happen.";

%feature("docstring") shmkit_segment::refresh
"refresh($self)
--

Ask the kernel for the size again, which other processes may have changed.

Never beyond this mapping's capacity: open with capacity to follow growth.";

%feature("docstring") shmkit_segment::grow
"grow($self, size, /)
--

Grow to at least size bytes in place; memory never moves and views stay valid.

The new bytes are zero and their room is reserved; all or nothing. Nothing happens when it is that
large already. RangeError beyond the capacity, UnsupportedError for System V and huge pages. May
block; other threads run meanwhile.";

%feature("docstring") shmkit_segment::load
"load($self, type, offset, /)
--

The integer at a byte offset, in one step for everybody. type is one of i32 u32 i64 u64.

Atomics are one step for all threads of all processes in every language, and what was written
before one of them is seen by who sees its result. Offsets are multiples of the type's size. Unlike
read() they touch the memory itself, as views do.";

%feature("docstring") shmkit_segment::store
"store($self, type, offset, value, /)
--

Put an integer there in one step. See load().";

%feature("docstring") shmkit_segment::add
"add($self, type, offset, value, /)
--

Add to the integer there in one step, and return what it was before. See load().

value may be negative; sums wrap around.";

%feature("docstring") shmkit_segment::exchange
"exchange($self, type, offset, value, /)
--

Put an integer there and return what was there, in one step. See load().";

%feature("docstring") shmkit_segment::compare_exchange
"compare_exchange($self, type, offset, expected, value, /)
--

Put an integer there if what is there is expected, in one step, and return what was there.

It was changed exactly when the result is expected. See load().";

%feature("docstring") shmkit_mutex
"One holder at a time. The base of shmkit.Mutex.";
%feature("docstring") shmkit_mutex::offset
"Where in its segment it is, in bytes.";

%feature("docstring") shmkit_event
"Something that others wait for. The base of shmkit.Event.";
%feature("docstring") shmkit_event::offset
"Where in its segment it is, in bytes.";
%feature("docstring") shmkit_event::sequence
"How often it was set, modulo 2**29: wait(sequence) waits for the next time.";

%feature("docstring") shmkit_event::set
"set($self)
--

Set it, count one up, and wake everybody who waits, in whatever process. DeniedError in a read-only
segment.";

%feature("docstring") shmkit_event::clear
"clear($self)
--

It is not set any more; the sequence stays. DeniedError in a read-only segment.";

%feature("docstring") shmkit_event::always_wake
"always_wake($self)
--

From now on each set() makes the system call that wakes, so that those who have the segment open for
reading only need not look every millisecond.";

%feature("docstring") shmkit_event::is_set
"is_set($self)
--

Whether it is set now.";

%feature("docstring") shmkit_event::fileno
"fileno($self)
--

A descriptor, for event loops, that gets readable when it is set after this call.

Reading its 8 bytes makes it wait for the next time: os.read(event.fileno(), 8). It stays the
event's, is the same at every call, and a forked child must ask for its own.";

%feature("docstring") shmkit_segment::fileno
"fileno($self)
--

The segment's descriptor. It stays the segment's: do not close it, duplicate it with os.dup().

UnsupportedError for System V.";
