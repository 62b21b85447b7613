# SPDX-License-Identifier: MIT
"""Atomics: integers that several processes change at once."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import Any, cast

import pytest
import shmkit
import support

TYPES: list[shmkit.AtomicName] = ["i32", "u32", "i64", "u64"]


@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("address", ["memfd:x", "sysv:private"])
def test_values_are_kept_in_every_type_and_kind(address: str, type: shmkit.AtomicName) -> None:
    with shmkit.create(address, 64) as segment:
        if address == "sysv:private":
            segment.unlink()
        segment.store(type, 8, 7)
        assert segment.load(type, 8) == 7
        assert segment.add(type, 8, 5) == 7
        assert segment.exchange(type, 8, 1) == 12
        assert segment.compare_exchange(type, 8, 2, 3) == 1
        assert segment.compare_exchange(type, 8, 1, 3) == 1
        assert segment.load(type, 8) == 3
        assert segment.view("u32", 8, 1)[0] == 3
        assert segment.read(0, 8) + segment.read(16) == bytes(56)


def test_extreme_values_come_back_as_they_were(segment: shmkit.Segment) -> None:
    for type in TYPES:
        bits = int(type[1:])
        lowest = -(2 ** (bits - 1)) if type[0] == "i" else 0
        highest = lowest + 2**bits - 1
        for value in (lowest, highest, 0):
            assert segment.exchange(type, 0, value) == 0
            assert segment.load(type, 0) == value
            assert segment.compare_exchange(type, 0, value, 0) == value
        assert segment.load("u64", 0) == 0


def test_sums_wrap_around(segment: shmkit.Segment) -> None:
    segment.store("u32", 0, 7)
    assert segment.add("u32", 0, -8) == 7
    assert segment.load("u32", 0) == 2**32 - 1
    assert segment.add("u32", 0, 1) == 2**32 - 1
    assert segment.load("u64", 0) == 0
    assert segment.add("u64", 0, -1) == 0
    assert segment.add("u64", 0, 2**64 - 1) == 2**64 - 1
    assert segment.add("i64", 0, 2) == -2
    segment.store("i32", 8, -5)
    assert segment.load("u32", 8) == 2**32 - 5
    assert segment.load("u32", 12) == 0


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("u32", 2**32),
        ("u32", -1),
        ("i32", 2**31),
        ("i32", -(2**31) - 1),
        ("u64", 2**64),
        ("u64", -1),
        ("i64", 2**63),
        ("i64", -(2**63) - 1),
    ],
)
def test_what_the_type_cannot_hold_is_refused(
    segment: shmkit.Segment, type: shmkit.AtomicName, value: int
) -> None:
    with pytest.raises(shmkit.InvalidError, match=segment.address):
        segment.store(type, 0, value)
    with pytest.raises(shmkit.InvalidError, match=segment.address):
        segment.exchange(type, 0, value)
    with pytest.raises(shmkit.InvalidError, match=segment.address):
        segment.compare_exchange(type, 0, value, 1)
    with pytest.raises(shmkit.InvalidError, match=segment.address):
        segment.compare_exchange(type, 0, 0, value)
    assert segment.load("u64", 0) == 0


def test_what_makes_no_sense_is_refused(segment: shmkit.Segment) -> None:
    with pytest.raises(shmkit.InvalidError, match="i32, u32, i64 or u64"):
        segment.load(cast(Any, "u8"), 0)
    with pytest.raises(shmkit.InvalidError):
        segment.load(cast(Any, "word"), 0)
    with pytest.raises(shmkit.InvalidError, match="misaligned"):
        segment.load("u64", 4)
    with pytest.raises(shmkit.InvalidError, match="misaligned"):
        segment.store("u32", 2, 1)
    for offset in (4096, -4, 2**64 - 4, 2**70):
        with pytest.raises(shmkit.RangeError):
            segment.add("u32", offset, 1)
    for wrong in (1.0, "1", None, b"1"):
        with pytest.raises(TypeError):
            segment.store("u32", 0, cast(Any, wrong))
        with pytest.raises(TypeError):
            segment.add("u32", cast(Any, wrong), 1)
    with pytest.raises(TypeError):
        segment.load(cast(Any, 5), 0)
    with pytest.raises(shmkit.InvalidError):
        segment.add("i64", 0, 2**63)
    assert segment.read() == bytes(4096)


def test_a_read_only_segment_is_loaded_from_and_not_changed(segment: shmkit.Segment) -> None:
    segment.store("u64", 0, 9)
    with shmkit.open(segment.address, readonly=True) as reader:
        assert reader.load("u64", 0) == 9
        calls = [
            lambda: reader.store("u64", 0, 1),
            lambda: reader.add("u64", 0, 1),
            lambda: reader.exchange("u64", 0, 1),
            lambda: reader.compare_exchange("u64", 0, 9, 1),
        ]
        for call in calls:
            with pytest.raises(PermissionError, match="read-only"):
                call()
    assert segment.load("u64", 0) == 9


def test_a_closed_segment_has_none() -> None:
    segment = shmkit.create("memfd:x", 64)
    segment.close()
    with pytest.raises(shmkit.ClosedError):
        segment.load("u32", 0)
    with pytest.raises(shmkit.ClosedError):
        segment.store("u32", 0, 1)


ADD = """
import shmkit
segment = shmkit.open(sys.argv[1])
for _ in range(20000):
    before = segment.add("u64", 0, (1 << 32) + 1)
    assert before >> 32 == before & 0xFFFFFFFF
    expected = segment.load("i32", 8)
    while (before := segment.compare_exchange("i32", 8, expected, expected + 1)) != expected:
        expected = before
"""


def test_processes_lose_nothing_to_each_other(segment: shmkit.Segment) -> None:
    with contextlib.ExitStack() as processes:
        for _ in range(3):
            processes.enter_context(support.another_process(ADD, segment.name))
    assert segment.load("u64", 0) == 60000 << 32 | 60000
    assert segment.load("i32", 8) == 60000


def test_threads_lose_nothing_to_each_other(segment: shmkit.Segment) -> None:
    def add() -> None:
        for _ in range(5000):
            segment.add("i32", 4, 1)

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=add) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(old)
    assert segment.load("i32", 4) == 20000
