# SPDX-License-Identifier: MIT
"""What may be left when a soak is over: nothing; who sees to it when the soak itself is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_SHM = Path("/dev/shm")
_SYSV = Path("/proc/sysvipc/shm")


class Guardian:
    """A process that lives as long as the soak, in a process group with all workers. When the soak
    ends, in whatever way, it removes the names that begin with the prefix, and kills the group."""

    def __init__(self, prefix: str) -> None:
        reading, self._writing = os.pipe()
        self.pid = self.group = os.fork()
        if self.pid == 0:
            try:
                os.setpgid(0, 0)
                # A group whose parent dies while one of it is stopped is sent this.
                signal.signal(signal.SIGHUP, signal.SIG_IGN)
                os.close(self._writing)
                os.read(reading, 1)
                for path in _SHM.glob(f"{prefix}*"):
                    path.unlink()
            finally:
                os.killpg(0, signal.SIGKILL)
        os.setpgid(self.pid, self.pid)
        os.close(reading)

    def adopt(self) -> None:
        """In a forked worker."""
        os.setpgid(0, self.group)
        os.close(self._writing)

    def end(self) -> None:
        os.close(self._writing)
        os.waitpid(self.pid, 0)
        # Its group is killed, and its members are our children.
        while True:
            try:
                os.wait()
            except ChildProcessError:
                return


class Life(NamedTuple):
    """A worker's: process numbers are used again, so it takes the times too."""

    pid: int
    begin: float
    end: float


def look(prefix: str, guardian: Guardian, lives: Sequence[Life]) -> list[str]:
    """What is left of workers that have all ended, in words."""
    return [*_names(prefix), *_processes(guardian), *_sysv(lives)]


def _names(prefix: str) -> list[str]:
    return [str(path) for path in _SHM.glob(f"{prefix}*")]


def _processes(guardian: Guardian) -> list[str]:
    """Children, and whatever else is in the group."""
    left = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # State, parent and group come behind the program's name, which is in parentheses.
            _, parent, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        pid = int(path.parent.name)
        if pid != guardian.pid and (int(parent) == os.getpid() or int(group) == guardian.group):
            left.append(f"process {pid}")
    return left


def _sysv(lives: Sequence[Life]) -> list[str]:
    """Segments that were made by a worker: its number, and made while it lived."""
    if not _SYSV.exists():
        return []
    rows = (line.split() for line in _SYSV.read_text().splitlines()[1:])
    made = [(row[1], int(row[4]), int(row[13])) for row in rows]
    return [
        f"System V segment {identifier}"
        for identifier, pid, when in made
        if any(life.pid == pid and int(life.begin) <= when <= life.end + 1 for life in lives)
    ]
