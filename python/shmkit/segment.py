# SPDX-License-Identifier: MIT
"""Segment: shared memory with an address, a size and a mapping."""

from __future__ import annotations

import collections.abc
import errno
import math
import operator
import os
import struct
import sys
import typing
from types import TracebackType

from . import native
from .errors import (
    ClosedError,
    InvalidError,
    NotFoundError,
    UnsupportedError,
    make_error,
    make_not_held,
)
from .sockets import when_writable
from .types import TypeName

if typing.TYPE_CHECKING:
    import _typeshed as _t
    import numpy.typing as _numpy

    from .event import Event as _Event
    from .mutex import Mutex as _Mutex

_S = typing.TypeVar("_S", bound="Segment")
_SEALS = {
    "seal": native.SEAL_SEAL,
    "shrink": native.SEAL_SHRINK,
    "grow": native.SEAL_GROW,
    "write": native.SEAL_WRITE,
    "future_write": native.SEAL_FUTURE_WRITE,
}


def seal_bits(names: collections.abc.Iterable[object]) -> int:
    """The bits of one seal or several, by name."""
    bits = 0
    if not isinstance(names, collections.abc.Iterable):
        raise TypeError(f"seals must be names such as 'shrink', not {type(names).__name__}")
    for name in (names,) if isinstance(names, str) else names:
        if not isinstance(name, str):
            raise TypeError(f"seals must be names such as 'shrink', not {type(name).__name__}")
        if name not in _SEALS:
            known = ", ".join(map(repr, _SEALS))
            raise InvalidError(errno.EINVAL, f"a seal is one of {known}, not {name!r}")
        bits |= _SEALS[name]
    return bits


def seal_names(bits: int) -> frozenset[str]:
    """The names of seals."""
    return frozenset(name for name, bit in _SEALS.items() if bits & bit)


class Creator(typing.NamedTuple):
    """Who made a segment, as its maker wrote it down: provenance, not proof.

    pid            process ID, in the PID namespace below
    start          start of that process in clock ticks since boot; 0 when unknown
    pid_namespace  inode of its PID namespace; 0 when unknown
    boot           boot identifier of the machine's run; "" when unknown
    program        name of the program, at most 15 bytes; "" when unknown
    """

    pid: int
    start: int
    pid_namespace: int
    boot: str
    program: str


class Segment(native.Segment):
    """Shared memory. create(), open(), open_or_create() and receive() make segments.

    It is a buffer: memoryview(segment), numpy.asarray(segment), file.write(segment). Indices,
    slices, pack() and unpack() copy, as read() and write() do, and cannot raise SIGBUS when another
    process truncates the memory; views are the memory itself.

    Any thread may use it at any time, also while another one closes it. A forked child has it too;
    pickling opens the same address again. Subclasses may add what they like; C makes instances of
    Segment alone.
    """

    def close(self, strict: bool = False) -> None:
        """End the use of this segment; nothing happens when it is closed already.

        Never takes memory from under a view: the mapping goes with the last one. With `strict`,
        BufferError while there are views, and it stays open.
        """
        if strict and self.views:
            message = f"{self.address}: cannot close strictly, {self.views} views are alive"
            raise BufferError(message)
        try:
            self._close()
        except ClosedError:
            pass  # Never opened: nothing to end.

    def __enter__(self: _S) -> _S:
        self.read(0, 0)  # Fails when it is closed.
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __bytes__(self) -> bytes:
        return self.read()

    def pack(self, offset: int, format: str | bytes, *values: typing.Any) -> None:
        """Put values at a byte offset in a format of the struct module. Copies, as write() does.

        RangeError when they reach outside, struct.error when they do not fit the format.
        """
        size = struct.calcsize(format)
        if size > self.size:
            self.read(offset, size)  # Fails, before memory is taken for what cannot be written.
        self.write(offset, struct.pack(format, *values))

    def unpack(self, offset: int, format: str | bytes) -> tuple[typing.Any, ...]:
        """The values at a byte offset in a format of the struct module. See pack() and read()."""
        return struct.unpack(format, self.read(offset, struct.calcsize(format)))

    def array(
        self, type: TypeName, shape: int | collections.abc.Iterable[int], offset: int = 0
    ) -> _numpy.NDArray[typing.Any]:
        """A NumPy array of elements in place, without a copy. Needs NumPy.

        type and offset are as for view(); the array keeps the mapping as a view does.
        """
        try:
            import numpy
        except ImportError as error:
            message = "Segment.array() needs NumPy; Segment.view() does without"
            raise ImportError(message, name="numpy") from error
        dimensions = shape if isinstance(shape, collections.abc.Iterable) else (shape,)
        lengths = tuple(map(operator.index, dimensions))
        if any(length < 0 for length in lengths):
            message = f"{self.address}: an array cannot have the shape {lengths}"
            raise make_error(errno.EINVAL, message, self.address)
        return numpy.asarray(self.view(type, offset, math.prod(lengths))).reshape(lengths)

    def mutex(self, offset: int) -> _Mutex:
        """The Mutex at a byte offset, a multiple of 64, where 64 zero bytes are an unlocked one.

        It keeps the mapping, as a view does. UnsupportedError for System V, DeniedError when the
        segment is read-only.
        """
        from .mutex import Mutex

        return self._mutex(Mutex, offset, False)

    def event(self, offset: int) -> _Event:
        """The Event at a byte offset, a multiple of 64, where 64 zero bytes are one not set yet.

        It keeps the mapping, as a view does.
        """
        from .event import Event

        return self._event(Event, offset, False)

    @property
    def creator(self) -> Creator | None:
        """Who made the segment; None where nobody wrote it down."""
        try:
            return Creator(*self._creator())
        except (NotFoundError, UnsupportedError):
            return None

    @property
    def seals(self) -> frozenset[str]:
        """Names of a memfd's seals: what nobody can do any more. See seal()."""
        return seal_names(self._seals())

    def seal(self, *seals: str | collections.abc.Iterable[str]) -> None:
        """Promise for a memfd what nobody can take back, by names or one iterable of names.

        "shrink": it cannot get smaller, so that nobody meets SIGBUS. "grow": nor larger. "write":
        nobody can write; not while a writable mapping exists. "future_write": writable mappings
        that exist go on, nobody gets a new one. "seal": no more seals.
        """
        self._seal(seal_bits(seals[0] if len(seals) == 1 else seals))

    def send(self, socket: _t.FileDescriptorLike, readonly: bool = False) -> None:
        """Send the segment's descriptor over a connected Unix socket, for receive().

        The socket is a socket object, whose timeout is respected, or a descriptor. With `readonly`
        the receiver can only read, unless he is the same user and insists: seal what must not
        change. WouldBlockError on a socket that does not block, TimedOutError, PeerGoneError;
        UnsupportedError for System V. Other threads run meanwhile.
        """
        flags = native.READONLY if readonly else 0
        when_writable(socket, f"send {self.address}", lambda: self._send(socket, flags))

    def __reduce_ex__(self, protocol: typing.Any) -> tuple[typing.Any, ...]:
        self.read(0, 0)  # Fails when it is closed.
        grows = self.kind != "sysv" and self.capacity > self.size
        options = {"readonly": self.readonly, "capacity": self.capacity if grows else None}
        if self.kind in ("memfd", "fd"):
            return _open_descriptor, (self._descriptor_for_child(), options)
        if self.kind == "posix":
            owner = os.fstat(self.fileno()).st_uid
            options["any_owner"] = owner not in (0, os.geteuid())
        return _open_address, (self.address, options)

    def _descriptor_for_child(self) -> typing.Any:
        """What multiprocessing turns into the descriptor in a child that it is starting."""
        # Unless it has been imported, it is not starting one.
        context = sys.modules.get("multiprocessing.context")
        if context is None or context.get_spawning_popen() is None:
            message = (
                f"{self.address} has no name that another process could open: "
                "send() it over a Unix socket, or give it to a multiprocessing.Process as argument"
            )
            raise make_error(errno.EOPNOTSUPP, message, self.address)
        from multiprocessing.reduction import DupFd

        return DupFd(self.fileno())


def _open_address(address: str, options: dict[str, typing.Any]) -> Segment:
    """Unpickle a segment that has a name."""
    from .factories import open

    return open(address, **options)


def _open_descriptor(descriptor: typing.Any, options: dict[str, typing.Any]) -> Segment:
    """Unpickle a segment whose descriptor multiprocessing has passed on."""
    number = descriptor.detach()
    try:
        return _open_address(f"fd:{number}", options)
    finally:
        os.close(number)


native.python_register(Segment, make_error, make_not_held)
