# SPDX-License-Identifier: MIT
"""What the harness and all workers share, a segment: worker.h and worker.lua know it as well."""

from __future__ import annotations

import random
from typing import NoReturn

import shmkit

_STOP, _CLAIMED, _REPORTED = 0, 8, 16
_REPORTS, _TEXT = 8, 256
_SLOTS = 64 + _REPORTS * _TEXT
_SLOT = 128
_PROGRESS, _PHASE, _CONDEMNED, _MARK, _TALLIES = 0, 8, 16, 24, 32
SLOTS = 64
SIZE = _SLOTS + SLOTS * _SLOT

# Where in its round a worker is: what the harness can tell of one that it has killed.
OUTSIDE, TRYING, INSIDE, LEAVING = range(4)
PHASES = ("outside", "trying", "inside", "leaving")


class Arena:
    """Words that everybody knows. Adding to them is atomic."""

    def __init__(self, segment: shmkit.Segment) -> None:
        self.segment = segment

    @property
    def stop(self) -> int:
        return self.segment.load("u64", _STOP)

    @stop.setter
    def stop(self, value: int) -> None:
        self.segment.store("u64", _STOP, value)

    @property
    def claimed(self) -> int:
        """How many violations there are."""
        return self.segment.load("u64", _CLAIMED)

    @property
    def reported(self) -> int:
        """How many of them have been written down."""
        return self.segment.load("u64", _REPORTED)

    def reports(self) -> list[str]:
        texts = (
            self.segment.read(64 + number * _TEXT, _TEXT)
            for number in range(min(self.claimed, _REPORTS))
        )
        return [text.split(b"\0")[0].decode(errors="replace") for text in texts]

    def report(self, text: str) -> None:
        number = self.segment.add("u64", _CLAIMED, 1)
        if number < _REPORTS:
            self.segment.write(64 + number * _TEXT, text.encode()[: _TEXT - 1])
        self.segment.add("u64", _REPORTED, 1)

    def condemn(self, serial: int) -> None:
        """Before a worker is killed: from now on it may be taken for dead."""
        self.segment.store("u64", _SLOTS + serial % SLOTS * _SLOT + _CONDEMNED, serial)

    def is_condemned(self, serial: int) -> bool:
        return self.segment.load("u64", _SLOTS + serial % SLOTS * _SLOT + _CONDEMNED) >= serial


class Slot:
    """A place for one worker after another; it is the present one that writes to it."""

    def __init__(self, arena: Arena, number: int) -> None:
        self._segment = arena.segment
        self._offset = _SLOTS + number * _SLOT

    def _load(self, offset: int) -> int:
        return self._segment.load("u64", self._offset + offset)

    def _store(self, offset: int, value: int) -> None:
        self._segment.store("u64", self._offset + offset, value)

    @property
    def progress(self) -> int:
        """Rounds, of all who had the place."""
        return self._load(_PROGRESS)

    def advance(self) -> None:
        self._segment.add("u64", self._offset + _PROGRESS, 1)

    @property
    def phase(self) -> int:
        return self._load(_PHASE)

    @phase.setter
    def phase(self, value: int) -> None:
        self._store(_PHASE, value)

    @property
    def mark(self) -> int:
        """Whatever else the harness is to know of the present one; 0 at first."""
        return self._load(_MARK)

    @mark.setter
    def mark(self, value: int) -> None:
        self._store(_MARK, value)

    def tally(self, which: int) -> int:
        """Counts, of all who had the place."""
        return self._load(_TALLIES + 8 * which)

    def count(self, which: int) -> None:
        self._segment.add("u64", self._offset + _TALLIES + 8 * which, 1)


class Violation(BaseException):
    """What must not be. Not an Exception, so that no handler takes it for one."""


class Worker:
    """A worker, to itself."""

    def __init__(self, arena: Arena, slot: int, serial: int, seed: int) -> None:
        self.arena = arena
        self.slot = Slot(arena, slot)
        self.serial = serial
        self.random = random.Random(seed)

    def chance(self, below: int) -> int:
        """Less than `below`, at random."""
        return int(self.random.random() * below)

    def violate(self, text: str) -> NoReturn:
        raise Violation(f"Python {self.serial} {text}")
