# SPDX-License-Identifier: MIT
"""Limits: every ceiling on shared memory, how much of it is used, and which is met first."""

from __future__ import annotations

import collections.abc
import typing

from . import native
from .types import InfoKind, Scope, Unit

_L = typing.TypeVar("_L", bound="Limits")


class Limit(typing.NamedTuple):
    """A ceiling on shared memory. What is unknown is None.

    name         for programs, stable: "shm-bytes", "shmmax", "memory", "huge-2048kB". Only
                 "cgroup-memory" may come several times, for each group that has a limit
    title        for people: "size of /dev/shm"
    source       the path or the call that the figure comes from
    effect       what happens to who exceeds it
    remedy       how to raise it
    note         what is special about it here, "a container's usual 64 MiB"
    unit         what is counted: "bytes", "inodes", "segments", "files", "mappings"
    scope        who shares it: "machine", "file system", "ipc namespace", "control group",
                 "process"
    kinds        the kinds that it holds for
    each         a ceiling on the size of each segment by itself: nothing uses it up
    on_request   it holds only for what asks for it: locked into memory, or of huge pages
    unlimited    there is no such limit; `limit` is None then
    limit, used  in units
    free         what the system would grant now, in units; not always limit minus used, because
                 memory that can be reclaimed is free, too
    """

    name: str
    title: str
    source: str | None
    effect: str | None
    remedy: str | None
    note: str | None
    unit: Unit
    scope: Scope
    kinds: tuple[InfoKind, ...]
    each: bool
    on_request: bool
    unlimited: bool
    limit: int | None
    used: int | None
    free: int | None


_First = dict[InfoKind, int]


class Limits(tuple[Limit, ...]):
    """A snapshot: a tuple of Limit, and which of them is met first."""

    _first: tuple[_First, _First]

    def __new__(
        cls: type[_L],
        limits: collections.abc.Iterable[typing.Any],  # Limit, but mypy wants it so.
        tightest: _First,
        scarcest: _First,
    ) -> _L:
        self: _L = super().__new__(cls, limits)
        self._first = tightest, scarcest
        return self

    @property
    def tightest(self) -> dict[InfoKind, Limit]:
        """By kind, the limit on bytes that a new segment of this process meets first.

        Its `free` is how large that segment can be at most. Kinds for which none is known are not
        there, nor are "hugetlb" and "file", which depend on a file system.
        """
        return {kind: self[index] for kind, index in self._first[0].items()}

    @property
    def scarcest(self) -> dict[InfoKind, Limit]:
        """By kind, the same for how many more segments there can be, however small."""
        return {kind: self[index] for kind, index in self._first[1].items()}

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return type(self), (tuple(self), *self._first)


def limits() -> Limits:
    """Every ceiling on shared memory that holds here and now.

    `shmkit.limits().tightest["posix"]` is what bites first. Ceilings of a process are those of this
    one. Read from /proc, /sys/fs/cgroup and the file systems; changes nothing and needs no
    permission. That some could not be found out is no error. Any thread; others run meanwhile.
    """
    taken, tightest, scarcest = native.limits_take()
    for fields in taken:
        fields["kinds"] = tuple(fields["kinds"])
    return Limits((Limit(**fields) for fields in taken), tightest, scarcest)
