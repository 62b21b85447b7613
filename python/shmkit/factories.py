# SPDX-License-Identifier: MIT
"""The functions that make segments and remove names."""

from __future__ import annotations

import collections.abc
import contextlib
import errno
import typing

from . import native
from .errors import InvalidError
from .segment import Segment, seal_bits
from .sockets import when_readable
from .types import Address, Lifetime

if typing.TYPE_CHECKING:
    import _typeshed as _t

_DEFAULT_MODE = 0o600
# Most segments are opened without; putting the options together takes a tenth of opening.
_NO_OPTIONS = (0, 0, 0, 0, None, None)
_LIFETIMES = {
    "persistent": native.PERSISTENT,
    "creator": native.CREATOR,
    "last": native.LAST,
}


def _flags(
    *,
    readonly: bool = False,
    sparse: bool = False,
    populate: bool = False,
    lock: bool = False,
    huge_pages: bool = False,
    any_owner: bool = False,
) -> int:
    return (
        (native.READONLY if readonly else 0)
        | (native.SPARSE if sparse else 0)
        | (native.POPULATE if populate else 0)
        | (native.LOCK if lock else 0)
        | (native.HUGE_PAGES if huge_pages else 0)
        | (native.ANY_OWNER if any_owner else 0)
    )


def _lifetime(name: str) -> int:
    try:
        return _LIFETIMES[name]
    except KeyError:
        names = ", ".join(map(repr, _LIFETIMES))
        message = f"a lifetime is one of {names}, not {name!r}"
        raise InvalidError(errno.EINVAL, message) from None


def _mode(mode: int) -> int:
    # C takes 0 for "the default", which does not apply to every kind of segment.
    if mode == _DEFAULT_MODE:
        return 0
    if mode == 0:
        raise InvalidError(errno.EINVAL, "a segment of mode 0 could never be opened")
    return mode


def create(
    address: Address,
    size: int,
    *,
    capacity: int | None = None,
    mode: int = _DEFAULT_MODE,
    lifetime: Lifetime = "persistent",
    sparse: bool = False,
    populate: bool = False,
    lock: bool = False,
    huge_pages: bool = False,
    seals: str | collections.abc.Iterable[str] = (),
    content: _t.ReadableBuffer | None = None,
) -> Segment:
    """Create a segment of `size` zero bytes; ExistsError when there is one.

    It appears under its name all at once, with its content and its room reserved. No room is
    NoSpaceError or NoMemoryError here, never a SIGBUS later.

    capacity    bytes of address space to map: grow() works up to there. The size by default.
    mode        permission bits, applied exactly, whatever the umask; 0o600 by default.
    lifetime    when the name goes. "persistent": when somebody unlinks it. "creator", for posix,
                sysv and file: when this object is closed or this process ends normally; one that
                is killed, os._exit() and exec leave it. "last", for posix, and for file on tmpfs or
                hugetlbfs: when the last process closes it or exits; what killed ones leave is
                removed by the next open or create. memfd has no name and takes neither.
    sparse      do not reserve room: cheap for huge, mostly empty segments, SIGBUS without room.
    populate    make the page tables now.
    lock        keep the pages in memory (mlock).
    huge_pages  for memfd and sysv: from the system's pool.
    seals       for memfd: names of what nobody can do any more, "shrink", "grow", "write",
                "future_write", "seal" (add seals).
    content     a C-contiguous buffer to put at the beginning before the name appears.

    What a kind of segment does not have is UnsupportedError. Other threads run meanwhile.
    """
    flags = _flags(sparse=sparse, populate=populate, lock=lock, huge_pages=huge_pages)
    options = (flags, _mode(mode), _lifetime(lifetime), seal_bits(seals), capacity, content)
    return native.segment_create(address, size, options)


def open(
    address: Address,
    *,
    readonly: bool = False,
    capacity: int | None = None,
    populate: bool = False,
    lock: bool = False,
    any_owner: bool = False,
) -> Segment:
    """Open an existing segment; NotFoundError when there is none.

    readonly   map for reading only; needs only read permission.
    capacity   bytes of address space to map, so that refresh() can follow growth of others.
    any_owner  for posix only: accept a segment of another user. Without it, only those of this user
               and of root are accepted, because anybody may have put a file in that place.

    See create() for populate and lock. Other threads run meanwhile.
    """
    if not (readonly or populate or lock or any_owner or capacity is not None):
        return native.segment_open(address, _NO_OPTIONS)
    flags = _flags(readonly=readonly, populate=populate, lock=lock, any_owner=any_owner)
    options = (flags, 0, 0, 0, capacity, None)
    return native.segment_open(address, options)


def open_or_create(
    address: Address,
    size: int,
    *,
    capacity: int | None = None,
    mode: int = _DEFAULT_MODE,
    lifetime: Lifetime = "persistent",
    sparse: bool = False,
    populate: bool = False,
    lock: bool = False,
    huge_pages: bool = False,
    seals: str | collections.abc.Iterable[str] = (),
    content: _t.ReadableBuffer | None = None,
    any_owner: bool = False,
) -> Segment:
    """Open a segment, or create it when there is none; `created` of the segment tells which.

    Of many processes that do so at once one creates, the others get its segment. One that exists
    may be larger than `size`; IncompatibleError when it is smaller. See create() and open(), whose
    `readonly` does not exist here.
    """
    flags = _flags(
        sparse=sparse, populate=populate, lock=lock, huge_pages=huge_pages, any_owner=any_owner
    )
    options = (flags, _mode(mode), _lifetime(lifetime), seal_bits(seals), capacity, content)
    return native.segment_open_or_create(address, size, options)


def receive(
    socket: _t.FileDescriptorLike,
    *,
    readonly: bool = False,
    capacity: int | None = None,
    populate: bool = False,
    lock: bool = False,
) -> Segment:
    """Receive a segment over a Unix socket, from Segment.send() or any program that sends one
    descriptor beside one byte (SCM_RIGHTS). Its address is "fd:N".

    The socket is a socket object, whose timeout is respected, or a descriptor. WouldBlockError on
    one that does not block, TimedOutError, PeerGoneError. After a failure to open what came, its
    descriptor is closed: the sender has to send again. Other threads run meanwhile.
    """
    flags = _flags(readonly=readonly, populate=populate, lock=lock)
    options = (flags, 0, 0, 0, capacity, None)
    return when_readable(
        socket, "receive a segment", lambda: native.segment_receive(socket, options)
    )


def unlink(address: Address) -> None:
    """Remove the name of a segment: posix, file, or sysv, which the system marks for removal.

    Whoever has it open keeps the memory. NotFoundError when there is none; UnsupportedError for
    memfd and fd, which have no name. Other threads run meanwhile.
    """
    native.unlink(address)


@contextlib.contextmanager
def abandoned_on_failure(segment: Segment) -> collections.abc.Iterator[None]:
    """When what a segment was opened for fails: close it, and unlink it if it was made for that."""
    try:
        yield
    except BaseException:
        if segment.created:
            segment.unlink()
        segment.close()
        raise
