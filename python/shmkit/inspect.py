# SPDX-License-Identifier: MIT
"""Inspect: which shared memory exists, who made it, who maps it, what nobody needs any more."""

from __future__ import annotations

import collections.abc
import errno
import typing

from . import native
from .errors import InvalidError
from .segment import Creator, seal_names
from .types import (
    Address,
    CreatorState,
    Holding,
    InfoKind,
    Kinds,
    ObjectKind,
    ObjectState,
    Removal,
    State,
)

_L = typing.TypeVar("_L", bound="Listing")
_KINDS = typing.get_args(InfoKind)


class Mapper(typing.NamedTuple):
    """A process that maps a segment, from /proc. What could not be found out is None.

    pid        process ID as /proc shows it
    start      start of the process in clock ticks since boot, to tell it from a later one
    started    the same in nanoseconds since 1970
    uid        its effective user
    mappings   how many mappings it has of this segment
    bytes      their lengths added up, which may reach beyond the segment's end
    offset     the lowest offset in the segment that is mapped
    program    name of the program, at most 15 bytes
    readable   whether it can read
    writable   whether it can store what others see
    """

    pid: int
    start: int | None
    started: int | None
    uid: int | None
    mappings: int
    bytes: int
    offset: int | None
    program: str | None
    readable: bool
    writable: bool


class Extent(typing.NamedTuple):
    """A stretch of a segment that has pages, in bytes."""

    offset: int
    length: int


class Object(typing.NamedTuple):
    """A mutex or an event in a segment, as it was at that moment, found by the mark that it has.

    offset      where in the segment
    kind        "mutex" or "event"
    state       of a mutex: "unlocked", "locked" by somebody who lives, "owner died" (and nobody has
                got it since), "unknown" when it cannot be told whether its holder lives; of an
                event: "set", "not set"
    identity    of a mutex: the holder's number, also of one that died; 0 when nobody's
    sequence    of an event: how often it was set, modulo 2**29
    waited_for  somebody has said that he waits; he may have been killed since
    pid         of a mutex that is locked: the process that holds it, as /proc shows it; None when
                it was not seen
    start       start of that process in clock ticks since boot
    program     name of its program, at most 15 bytes
    """

    offset: int
    kind: ObjectKind
    state: ObjectState
    identity: int | None
    sequence: int | None
    waited_for: bool
    pid: int | None
    start: int | None
    program: str | None


class Info(typing.NamedTuple):
    """Everything about one segment. What is unknown, or does not exist for its kind, is None.

    Sizes are in bytes, times in nanoseconds since 1970; stores through a mapping leave no trace in
    any of the times. What its repr() leaves out is None or False.

    address         what opens it, for whoever may: "posix:/frames", "sysv:0x5eed",
                    "file:/proc/7/fd/4" for what has no name
    name            what its maker called it; a memfd's name; the path of a file, also of one that
                    is gone
    kind            "posix", "sysv", "memfd", "semaphore" (a named one), "anonymous" (shared by
                    forking), "hugetlb", or "file" for any other file with a shared mapping
    state           whether it is needed, as far as that can be told; the first that applies:
                    "dest" (System V: goes with the last process that detaches it), "unlinked" (its
                    name is gone, processes still map it), "used", "leaked" (nobody uses it and its
                    creator has exited), "locked" (System V: locked into memory, unused), "idle";
                    "unknown" when nobody is seen to use it, but not everybody could be looked at
    reason          why it has that state; from gc() and remove(), why it would be, was, or was not
                    removed. One line
    dest            System V: marked for removal
    locked          System V: locked into memory
    last            its name goes with its last user: lifetime "last"
    unlinked        no name leads to it any more
    elsewhere       of another mount or IPC namespace, or covered by another mount: its name leads
                    to nothing, or to something else, here
    may_remove      the caller has the right to remove it; the state says whether that is wise
    mode            permission bits
    uid, gid        its owner
    links           names of the file; 0 for what has none
    seals           names of a memfd's seals, by stat() alone
    device, inode   file system and file; System V's inode is its identifier
    ipc_namespace   of a System V segment that is `elsewhere`
    size            accessible bytes
    allocated       bytes in memory or swap; of a file on a disk, bytes there
    resident        bytes in memory
    swapped         bytes in swap
    huge_page       the size of its pages when they are huge; 0 for ordinary ones
    created         when it was made; None for System V and older kernels
    changed         when its size, owner, permissions or name were changed
    modified        when it was last written by a system call
    accessed        when it was last read by a system call or mapped
    attached        System V: when it was last attached
    detached        System V: when it was last detached
    attachments     System V: how many there are; one process may have several
    last_pid        System V: the last process that attached or detached; may be reused since
    locks           file locks that are held on it
    creator_state   whether its creator still runs: "alive", "exited"
    creator         who made it, only when that is certain
    holding         whether anybody has it open, by stat(exact=True) alone: "held", "not held"
    removal         what gc(apply=True) or remove() did: "removed", "kept" (it is in use, or another
                    segment by now), "failed"
    mappers         the processes that map it, by PID; a lower bound unless the listing is complete
    mappings        how many mappings they have of it together
    extents         where it has pages, by stat() alone; at most the first 4096 stretches
    objects         mutexes and events in it, by stat() alone; at most the first 4096 in the first
                    16 MiB of these stretches. None when it could not be read, or only with a
                    trace in `accessed`
    """

    address: str | None
    name: str | None
    kind: InfoKind
    state: State
    reason: str | None
    dest: bool
    locked: bool
    last: bool
    unlinked: bool
    elsewhere: bool
    may_remove: bool
    mode: int | None
    uid: int | None
    gid: int | None
    links: int
    seals: frozenset[str] | None
    device: int
    inode: int
    ipc_namespace: int | None
    size: int | None
    allocated: int | None
    resident: int | None
    swapped: int | None
    huge_page: int | None
    created: int | None
    changed: int | None
    modified: int | None
    accessed: int | None
    attached: int | None
    detached: int | None
    attachments: int | None
    last_pid: int | None
    locks: int
    creator_state: CreatorState | None
    creator: Creator | None
    holding: Holding | None
    removal: Removal | None
    mappers: tuple[Mapper, ...]
    mappings: int
    extents: tuple[Extent, ...] | None
    objects: tuple[Object, ...] | None

    def __repr__(self) -> str:
        known = (
            f"{name}={value:#o}" if name == "mode" else f"{name}={value!r}"
            for name, value in zip(self._fields, self)
            if value is not None and value is not False
        )
        return f"{type(self).__name__}({', '.join(known)})"


class Listing(tuple[Info, ...]):
    """A snapshot: a tuple of Info, by kind and then name, that holds nothing of the system."""

    _whole: tuple[bool, int, int]

    def __new__(
        cls: type[_L],
        infos: collections.abc.Iterable[typing.Any],  # Info, but mypy wants it so.
        complete: bool,
        unreadable: int,
        time: int,
    ) -> _L:
        self: _L = super().__new__(cls, infos)
        self._whole = complete, unreadable, time
        return self

    @property
    def complete(self) -> bool:
        """Whether every process that could map something was looked at.

        If not, numbers of mappers are lower bounds.
        """
        return self._whole[0]

    @property
    def unreadable(self) -> int:
        """How many processes could be seen but not looked at.

        0 does not mean complete: there may be others that cannot even be seen.
        """
        return self._whole[1]

    @property
    def time(self) -> int:
        """When it was begun, in nanoseconds since 1970."""
        return self._whole[2]

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return type(self), (tuple(self), *self._whole)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({tuple(self)!r}, complete={self.complete}, "
            f"unreadable={self.unreadable}, time={self.time})"
        )


def _kind_bits(kinds: Kinds | None) -> int:
    """The set of one kind or several, by name; 0, which C takes for its default, for None."""
    if kinds is None:
        return 0
    if not isinstance(kinds, collections.abc.Iterable):
        raise TypeError(f"kinds must be names such as 'posix', not {type(kinds).__name__}")
    bits = 0
    for name in (kinds,) if isinstance(kinds, str) else kinds:
        if not isinstance(name, str):
            raise TypeError(f"kinds must be names such as 'posix', not {type(name).__name__}")
        found = native.kinds_find(name)
        if not found:
            known = ", ".join(map(repr, _KINDS))
            raise InvalidError(errno.EINVAL, f"a kind is one of {known} or 'all', not {name!r}")
        bits |= found
    if not bits:
        raise InvalidError(errno.EINVAL, "kinds are none at all: leave them out for the usual ones")
    return bits


def _info(fields: dict[str, typing.Any]) -> Info:
    """From what C says."""
    creator, seals = fields["creator"], fields["seals"]
    extents, objects = fields["extents"], fields["objects"]
    if creator is not None:
        fields["creator"] = Creator(*creator)
    if seals is not None:
        fields["seals"] = seal_names(seals)
    if extents is not None:
        fields["extents"] = tuple(Extent(**extent) for extent in extents)
    if objects is not None:
        fields["objects"] = tuple(Object(**each) for each in objects)
    fields["mappers"] = tuple(Mapper(**mapper) for mapper in fields["mappers"])
    return Info(**fields)


def _listing(taken: native._Listing) -> Listing:
    infos, complete, unreadable, time = taken
    return Listing(map(_info, infos), complete, unreadable, time)


def list(
    *, kinds: Kinds | None = None, names_only: bool = False, no_creators: bool = False
) -> Listing:
    """All shared memory there is, by kind and then name.

    kinds        one name or several of "posix", "sysv", "memfd", "semaphore", "anonymous",
                 "hugetlb", "file", or "all"; "posix", "sysv" and "memfd" by default.
    names_only   do not look at processes: cheap, but nobody is known to map anything, and what has
                 no name is not found. The listing is incomplete.
    no_creators  do not look for the creators of files that are in use: half of the system calls of
                 a large listing. States are the same.

    Looking changes nothing: no segment is opened, mapped or read. Names are read from /dev/shm and
    /proc/sysvipc/shm, users from the address spaces in /proc; what vanishes meanwhile is left out.
    Costs time in proportion to processes, mappings and segments, milliseconds. Other threads run
    meanwhile. InvalidError for kinds that do not exist, Error when /dev/shm cannot be read.
    """
    flags = (native.LISTING_NAMES_ONLY if names_only else 0) | (
        native.LISTING_NO_CREATORS if no_creators else 0
    )
    return _listing(native.listing_take((flags, _kind_bits(kinds))))


def stat(address: Address, *, exact: bool = False) -> Listing:
    """Everything about what one address leads to; if the caller may read it, with seals, extents,
    and the mutexes and events in it.

    A listing of one, which says whether its mappers are complete: `info, = shmkit.stat("frames")`.
    "memfd:NAME" gives all memfds of that name that processes map.

    exact   also ask the kernel whether anybody has it open, by taking a lease on it for an instant.
            That sees descriptors that nobody mapped, and holders in other containers; it needs to
            be the owner, or CAP_LEASE. Who opens it meanwhile waits, or fails with EWOULDBLOCK if
            he does not want to. Only for files that have a name.

    NotFoundError when there is none, DeniedError, IncompatibleError for what is no segment, Error
    with ELOOP for a symbolic link, InvalidError for an address that cannot be. That something could
    not be found out is no error. Other threads run meanwhile.
    """
    return _listing(native.listing_stat(address, native.STAT_EXACT if exact else 0))


def remove(address: Address, *, force: bool = False) -> Listing:
    """Remove the one segment that an address leads to, unless somebody uses it: BusyError then.

    unlink() does not ask. In use is what a process maps, attaches, locks or, of files, has open,
    whoever and wherever that may be; what cannot be told counts as in use. Whether the creator runs
    does not matter. Never what a symbolic link leads to, nor one that got the name meanwhile.

    force   also when it is in use. POSIX segments and files lose their name, and who maps them
            keeps the memory; a System V segment goes when nobody attaches it any more.

    Gives a listing of the segment as it was, with its `removal` and, by force, in `reason` what
    becomes of its users. Errors as of stat(); DeniedError without the right, UnsupportedError for
    memfd, fd, and what has no name any more. Threads and forks are as for gc(apply=True).
    """
    return _listing(native.remove(address, native.REMOVE_FORCE if force else 0))


def gc(
    *,
    apply: bool = False,
    idle: bool = False,
    older_than: int | None = None,
    pattern: str | bytes | None = None,
    kinds: Kinds | None = None,
) -> Listing:
    """Tell, and with `apply` remove, the segments that nobody needs: those whose state is "leaked".

    apply        remove. Without it nothing is touched.
    idle         not only what is leaked: whatever nobody uses now.
    older_than   leave alone what was made, changed, attached or the like in the last so many
                 nanoseconds.
    pattern      only addresses that match this shell pattern, "posix:/frames-*", where '*' goes for
                 slashes too.
    kinds        one name or several of "posix", "sysv" and "semaphore"; the first two by default.

    Gives the candidates, each with its `reason` and what was done, its `removal`. That some could
    not be removed is no error. What cannot be found out counts as in use.

    POSIX segments are removed under a lease, which the kernel grants only when nobody anywhere has
    the file open. System V segments go when nothing is attached and neither their creator nor the
    last process that attached them runs.

    Any number of threads and processes may do it at once; other threads run meanwhile. With
    `apply`, not while another thread forks: a child that has a copy of the descriptor holds the
    lease until it runs another program.
    """
    flags = (native.GC_APPLY if apply else 0) | (native.GC_IDLE if idle else 0)
    age = 0 if older_than is None else older_than
    return _listing(native.gc((flags, _kind_bits(kinds), age, pattern)))
