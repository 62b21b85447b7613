# SPDX-License-Identifier: MIT
"""Event: something that happens in one process and that others wait for."""

from __future__ import annotations

import collections.abc
import contextlib
import errno
import typing

from . import native
from .errors import InvalidError
from .factories import abandoned_on_failure, open_or_create
from .segment import Segment
from .types import Address, Lifetime

if typing.TYPE_CHECKING:
    import asyncio

    _Waker = tuple[asyncio.AbstractEventLoop, asyncio.Event]

_E = typing.TypeVar("_E", bound="Event")
_SIZE = 64


class Event(native.Event):
    """Something that others wait for, for any process and language: `Event("tick").set()`.

    It is used as a threading.Event, with one difference: timeouts have to be named. It is set until
    it is cleared, and it counts how often it was set. wait() waits until it is set, wait(sequence)
    until it was set since `sequence` was its sequence; what is set and cleared at once is not
    missed.

    The address is that of a segment, which is created with 64 bytes when there is none. It is
    persistent unless `lifetime` says otherwise: event.segment.unlink() removes its name. Options
    are those of shmkit.open_or_create(). Segment.event() gives one that lies in a segment with
    others, also in one that is open for reading only, where it can be waited for.

    Any thread may use it. A forked child has it too; pickling opens the same event again.
    """

    def __new__(
        cls: type[_E],
        address: Address,
        *,
        mode: int = 0o600,
        lifetime: Lifetime = "persistent",
        lock: bool = False,
        any_owner: bool = False,
    ) -> _E:
        segment = open_or_create(
            address, _SIZE, mode=mode, lifetime=lifetime, lock=lock, any_owner=any_owner
        )
        with abandoned_on_failure(segment):
            return segment._event(cls, 0, True)

    async def wait_async(self, since: int | None = None, *, timeout: float | None = None) -> bool:
        """As wait(), for asyncio: other tasks run meanwhile."""
        import asyncio

        if timeout is not None and not timeout >= 0:
            raise InvalidError(errno.EINVAL, f"a timeout is 0 seconds or more, not {timeout!r}")
        sequence = self.sequence if since is None else since
        if self.wait(since, timeout=0):
            return True
        # One of its own for each who waits: a descriptor that two read is missed by one.
        own = self.segment.event(self.offset)
        loop = asyncio.get_running_loop()
        descriptor = own.fileno()
        rung = asyncio.Event()
        wakers: set[_Waker] = self.__dict__.setdefault("_wakers", set())
        waker = (loop, rung)
        wakers.add(waker)
        loop.add_reader(descriptor, rung.set)
        try:
            # It may have been set, or closed, before there was a descriptor.
            if not self.wait(sequence, timeout=0):
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(rung.wait(), timeout)
            return self.wait(sequence, timeout=0)
        finally:
            wakers.discard(waker)
            loop.remove_reader(descriptor)
            own.close()

    def close(self) -> None:
        """End the use of this object; nothing happens when it is closed already.

        Who waits gets a ClosedError. A segment of its own is closed too.
        """
        super().close()
        for loop, rung in tuple(self.__dict__.get("_wakers", ())):
            # A loop that has ended wakes nobody.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(rung.set)

    def __reduce_ex__(self, protocol: typing.Any) -> tuple[typing.Any, ...]:
        return _restore, (self.segment, self.offset, self._own)


def wait_any(
    events: collections.abc.Iterable[_E],
    since: collections.abc.Iterable[int] | None = None,
    *,
    timeout: float | None = None,
) -> _E | None:
    """Wait for the first of several events, at most 128, and return it; None after the timeout.

    It is one that is set, or was set after this call began; with a sequence for each, one that was
    set since.
    """
    return native.python_wait_any(events, since, timeout)


def _restore(segment: Segment, offset: int, own: bool) -> Event:
    """Unpickle an event."""
    return segment._event(Event, offset, own)
