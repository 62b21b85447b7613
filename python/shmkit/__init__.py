# SPDX-License-Identifier: MIT
"""Shared memory on Unix: the same bytes in C, Python and Lua.

    import shmkit

    with shmkit.create("frames", 1 << 20) as segment:
        segment[0:5] = b"hello"
        segment.view("f64", offset=64, count=8)[0] = 1.5

An address is text. `frames` and `posix:/frames` are POSIX shared memory, `sysv:0x5eed` and
`sysv:id=42` System V segments, `memfd:frames` creates an anonymous one, `fd:7` opens a descriptor,
`file:/dev/hugepages/frames` any file that can be mapped. str and bytes name the same segment as
os.fsencode has it, so every name round-trips; an os.PathLike is a file.

Sizes and offsets are in bytes, offsets count from 0. Any thread may call anything at any time.
Below is all there is; help(shmkit.create), help(shmkit.Segment.view) and so on say the rest.

Functions

    create(address, size, ...)          a new segment; ExistsError when there is one
    open(address, ...)                  an existing one; NotFoundError when there is none
    open_or_create(address, size, ...)  either
    receive(socket, ...)                what Segment.send() sent over a Unix socket
    unlink(address)                     remove a name
    list(kinds=...)                     what shared memory exists, a Listing of Info
    stat(address)                       all about one address, a Listing too
    remove(address, force=False)        remove one that nobody uses
    gc(apply=False, ...)                tell or remove what nobody needs, a Listing too
    limits()                            every ceiling, and which one is met first, as Limits
    wait_any(events, ...)               the first Event of several that is set
    type_size(type)                     bytes of one element of a view
    error_name(errno)                   "ENOENT", "SHMKIT_ERR_RANGE"

Properties of a Segment

    address, name     "posix:/frames", "frames"
    kind              "posix", "sysv", "memfd", "fd", "file"
    lifetime          when the name goes: "persistent", "creator", "last"
    size, capacity    accessible bytes, bytes to which it can grow
    readonly          whether it is mapped for reading only
    created           whether this object created it
    closed, views     whether it is closed, how many views are alive
    creator           who made it: a Creator, or None
    seals             names of a memfd's seals

Methods of a Segment, which is a context manager and a buffer

    read(offset=0, size=None)           copy bytes out; segment[a:b], bytes(segment)
    write(offset, data)                 copy bytes in; segment[a:b] = data
    unpack(offset, format)              copy values out, in a format of the struct module
    pack(offset, format, *values)       copy values in
    view(type, offset=0, count=None)    a memoryview of elements in place
    array(type, shape, offset=0)        a NumPy array in place
    load(type, offset)                  an integer, in one step for everybody: an atomic
    store(type, offset, value)          put one there
    add(type, offset, value)            add to it; what it was before
    exchange(type, offset, value)       put another one there; what it was before
    compare_exchange(type, offset, expected, value)   the same, if it is what is expected
    grow(size)                          grow in place, up to the capacity
    refresh()                           see the size that another process gave it
    seal(*seals)                        give up for ever what can be done to a memfd
    send(socket, readonly=False)        send it over a Unix socket
    fileno()                            its descriptor
    unlink()                            remove its name
    close(strict=False)                 end the use of it

    mutex(offset)                       the Mutex at that offset
    event(offset)                       the Event at that offset

A Mutex is used as a threading.Lock, by any process, and survives the death of its holder

    Mutex(address, ...)                 in a segment of its own, that it makes when there is none
    with mutex as state:                state.owner_died: the holder before died inside
    acquire(blocking=True, timeout=-1)  whether it is locked now; owner_died tells the same
    release()                           NotHeldError when this thread does not hold it
    locked(), look()                    whether somebody holds it; a MutexState
    segment, offset, closed, close()    where it is

An Event is used as a threading.Event, by any process

    Event(address, ...)                 in a segment of its own, that it makes when there is none
    set(), clear(), is_set()            for everybody
    wait(timeout=None)                  until it is set
    sequence, wait(sequence)            how often it was set; until it was set since
    wait_async(...)                     the same for asyncio
    fileno()                            a descriptor for other event loops
    always_wake()                       for the sake of read-only users
    segment, offset, closed, close()    where it is

A Listing is a tuple of Info: plain data, a named tuple as Creator is, with None for what is
unknown. It has `complete`, `unreadable` and `time`.

    info.address, .name, .kind, .state, .reason, .size, .resident, .uid, .mode, .created, ...
    info.creator, .creator_state        a Creator, if it is certain who made it; "alive", "exited"
    info.mappers                        a Mapper for each process that maps it: pid, program, ...
    info.extents                        an Extent for each stretch that has pages, by stat()
    info.objects                        an Object for each mutex and event in it, by stat()

Limits are a tuple of Limit, with `tightest` and `scarcest`, the first that each kind meets.

    limit.name, .title, .unit, .limit, .used, .free, .remedy, ...

Exceptions, each an Error, which is an OSError, and what Python programs catch already

    ClosedError          ValueError: a segment or a descriptor is not open
    RangeError           IndexError, ValueError: outside the segment
    InvalidError         ValueError: an address, a size or an option that cannot be
    TruncatedError       another process took the memory away
    UnsupportedError     io.UnsupportedOperation: the kind, file system or kernel cannot do it
    IncompatibleError    what is there is too small, or no segment
    CorruptError         what another process wrote or sent makes no sense
    NotFoundError        FileNotFoundError
    ExistsError          FileExistsError
    DeadlockError        RuntimeError: this thread holds the mutex already
    NotHeldError         RuntimeError: this thread does not hold the mutex
    DeniedError          PermissionError, also of writing to a read-only segment
    NoSpaceError         no room on the file system, or a limit
    NoMemoryError        MemoryError
    BusyError            it is in use, so that it is not removed
    WouldBlockError      BlockingIOError, of a socket
    TimedOutError        TimeoutError, of a socket
    SignalError          InterruptedError
    PeerGoneError        ConnectionError: PeerPipeError (BrokenPipeError) or PeerResetError
                         (ConnectionResetError), of a socket
"""

from .errors import (
    BusyError,
    ClosedError,
    CorruptError,
    DeadlockError,
    DeniedError,
    Error,
    ExistsError,
    IncompatibleError,
    InvalidError,
    NoMemoryError,
    NoSpaceError,
    NotFoundError,
    NotHeldError,
    PeerGoneError,
    PeerPipeError,
    PeerResetError,
    RangeError,
    SignalError,
    TimedOutError,
    TruncatedError,
    UnsupportedError,
    WouldBlockError,
    error_name,
)
from .event import Event, wait_any
from .factories import create, open, open_or_create, receive, unlink
from .inspect import Extent, Info, Listing, Mapper, Object, gc, list, remove, stat
from .limits import Limit, Limits, limits
from .mutex import Mutex, MutexState
from .native import version as _version
from .segment import Creator, Segment
from .types import (
    Address,
    AtomicName,
    CreatorState,
    Holding,
    InfoKind,
    Kind,
    Kinds,
    Lifetime,
    ObjectKind,
    ObjectState,
    Removal,
    Scope,
    State,
    TypeName,
    Unit,
    type_size,
)

__version__ = _version()

__all__ = [
    "Address",
    "AtomicName",
    "BusyError",
    "ClosedError",
    "CorruptError",
    "Creator",
    "CreatorState",
    "DeadlockError",
    "DeniedError",
    "Error",
    "Event",
    "ExistsError",
    "Extent",
    "Holding",
    "IncompatibleError",
    "Info",
    "InfoKind",
    "InvalidError",
    "Kind",
    "Kinds",
    "Lifetime",
    "Limit",
    "Limits",
    "Listing",
    "Mapper",
    "Mutex",
    "MutexState",
    "NoMemoryError",
    "NoSpaceError",
    "NotFoundError",
    "NotHeldError",
    "Object",
    "ObjectKind",
    "ObjectState",
    "PeerGoneError",
    "PeerPipeError",
    "PeerResetError",
    "RangeError",
    "Removal",
    "Scope",
    "Segment",
    "SignalError",
    "State",
    "TimedOutError",
    "TruncatedError",
    "TypeName",
    "Unit",
    "UnsupportedError",
    "WouldBlockError",
    "__version__",
    "create",
    "error_name",
    "gc",
    "limits",
    "list",
    "open",
    "open_or_create",
    "receive",
    "remove",
    "stat",
    "type_size",
    "unlink",
    "wait_any",
]

# Where users import them from, for tracebacks, help() and pickles.
for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
