# SPDX-License-Identifier: MIT
"""Fixtures, and what must hold after every test: nothing is left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

pytest.register_assert_rewrite("peers")
import peers  # noqa: E402


def _left_behind(pids: set[int]) -> list[str]:
    """POSIX segments that tests named, and System V segments that peers made."""
    names = [name for name in os.listdir("/dev/shm") if name.startswith(peers.PREFIX)]
    heading, *lines = Path("/proc/sysvipc/shm").read_text().splitlines()
    columns = heading.split()
    for line in lines:
        entry = dict(zip(columns, line.split()))
        if int(entry["cpid"]) in pids:
            names.append(f"sysv:id={entry['shmid']}")
    return names


@pytest.fixture
def start() -> Iterator[Callable[..., peers.Peer]]:
    """Starts peers; at the end they exit in order, without error, and leave nothing."""
    started: list[peers.Peer] = []

    def start_one(
        language: str, socket: int | None = None, around: Sequence[str] = ()
    ) -> peers.Peer:
        started.append(peers.Peer(language, socket, around))
        return started[-1]

    yield start_one
    statuses = [peer.end() for peer in started]
    assert set(statuses) <= {0, -signal.SIGKILL}
    assert _left_behind({peer.pid for peer in started}) == []


@pytest.fixture
def name() -> str:
    """A name that nobody else uses."""
    return peers.unique_name()
