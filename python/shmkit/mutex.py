# SPDX-License-Identifier: MIT
"""Mutex: one holder at a time among all threads of all processes, whatever happens to them."""

from __future__ import annotations

import typing

from . import native
from .factories import abandoned_on_failure, open_or_create
from .segment import Segment
from .types import Address, Lifetime

_M = typing.TypeVar("_M", bound="Mutex")
_SIZE = 64


class MutexState(typing.NamedTuple):
    """What a mutex is at a moment.

    locked      somebody who lives holds it
    mine        the calling thread does
    owner_died  its holder died, and nobody has got it since
    identity    the holder's number among those who use the segment; 0 when nobody holds it
    """

    locked: bool
    mine: bool
    owner_died: bool
    identity: int


class Mutex(native.Mutex):
    """A lock for any process and language: `with Mutex("app.lock") as state: ...`.

    It is used as a threading.Lock. When its holder is killed, exits, or its thread ends, the next
    one gets it and is told, once: state.owner_died, which is the mutex's own. What it protects may
    be half-changed then. Who locks it twice gets a DeadlockError, and who releases it without
    having locked it a NotHeldError.

    The address is that of a segment, which is created with 64 bytes when there is none. It is
    persistent unless `lifetime` says otherwise: its name stays, and with it the knowledge that a
    holder died, until somebody unlinks it: mutex.segment.unlink(), shmkit.unlink(). The options are
    those of shmkit.open_or_create(). Segment.mutex() gives one that lies in a segment with others.

    Any thread may use it. A forked child has it too but holds nothing; pickling opens the same
    mutex again. While the last object on a segment lives in a process, its threads hold what they
    hold: keep it.
    """

    def __new__(
        cls: type[_M],
        address: Address,
        *,
        mode: int = 0o600,
        lifetime: Lifetime = "persistent",
        lock: bool = False,
        any_owner: bool = False,
    ) -> _M:
        segment = open_or_create(
            address, _SIZE, mode=mode, lifetime=lifetime, lock=lock, any_owner=any_owner
        )
        with abandoned_on_failure(segment):
            return segment._mutex(cls, 0, True)

    def look(self) -> MutexState:
        """What it is now; it may be another thing by the time you look."""
        return MutexState(*self._look())

    def _is_owned(self) -> bool:
        """For threading.Condition, which would try to lock it otherwise."""
        return self.look().mine

    def __reduce_ex__(self, protocol: typing.Any) -> tuple[typing.Any, ...]:
        return _restore, (self.segment, self.offset, self._own)


def _restore(segment: Segment, offset: int, own: bool) -> Mutex:
    """Unpickle a mutex."""
    return segment._mutex(Mutex, offset, own)
