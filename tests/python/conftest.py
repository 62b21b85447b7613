# SPDX-License-Identifier: MIT
"""Fixtures, and what must hold after every test: nothing is left behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shmkit

pytest.register_assert_rewrite("support")
import support  # noqa: E402


@pytest.fixture
def name() -> str:
    """A name that nobody else uses, gone after the test, or the test fails."""
    return support.unique_name()


@pytest.fixture
def segment(name: str) -> Iterator[shmkit.Segment]:
    """A writable segment of 4096 bytes that can grow to 64 KiB."""
    with shmkit.create(name, 4096, capacity=1 << 16) as made:
        yield made
        made.unlink()


def _names() -> set[bytes]:
    prefix = os.fsencode(support.PREFIX)
    return {name for name in os.listdir(b"/dev/shm") if name.startswith(prefix)}


def _descriptors() -> dict[str, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:  # The one of the directory itself.
            continue
    return found


def _system_v() -> set[str]:
    """Identifiers of the System V segments that this process or one that is gone has made."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    rows = [line.split() for line in lines]
    return {row[1] for row in rows if int(row[4]) == os.getpid()}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    names, descriptors, system_v = _names(), _descriptors(), _system_v()
    mappings = set(support.shared_mappings())
    yield

    def find() -> dict[str, Any]:
        return {
            "names": _names() - names,
            "descriptors": dict(_descriptors().items() - descriptors.items()),
            "System V": _system_v() - system_v,
            "mappings": set(support.shared_mappings()) - mappings,
        }

    left = find()
    if any(left.values()):  # In a cycle, perhaps.
        gc.collect()
        left = find()
    for leftover in left["names"]:
        os.unlink(b"/dev/shm/" + leftover)
    assert not any(left.values()), left


@pytest.fixture
def mutex(name: str) -> Iterator[shmkit.Mutex]:
    made = shmkit.Mutex(f"{name}-mutex")
    yield made
    made.segment.unlink()
    made.close()
