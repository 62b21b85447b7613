# SPDX-License-Identifier: MIT
"""Growing and shrinking by one process, seen by others."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from peers import LANGUAGES, Failed, Peer

SMALL, LARGE = 4096, 1 << 20
pairs = [(first, second) for first in LANGUAGES for second in LANGUAGES]
every_pair = pytest.mark.parametrize(("creator", "user"), pairs)


@every_pair
def test_growth_is_seen_in_place(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    assert first.create(1, name, SMALL, capacity=LARGE).capacity == LARGE
    assert second.open(1, name, capacity=LARGE).capacity == LARGE
    first.set(1, "u64", 0, [7])
    first.grow(1, LARGE)
    assert second.info(1).size == SMALL
    second.refresh(1)
    assert second.info(1).size == LARGE
    second.set(1, "f64", LARGE - 8, [0.5])
    assert first.get(1, "f64", LARGE - 8, 1) == [0.5]
    assert second.get(1, "u64", 0, 1) == [7]
    assert second.read(1, SMALL, 100) == bytes(100)
    second.unlink(1)


@every_pair
def test_both_grow_the_same_segment(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, SMALL, capacity=LARGE)
    second.open(1, name, capacity=LARGE)
    second.grow(1, 2 * SMALL)
    first.grow(1, 3 * SMALL)
    # Smaller than what others have made of it: it is large enough already.
    second.grow(1, 2 * SMALL + 1)
    assert first.info(1).size == second.info(1).size == 3 * SMALL
    assert os.stat(f"/dev/shm/{name}").st_size == 3 * SMALL
    first.unlink(1)


@every_pair
def test_who_mapped_less_sees_as_much_as_is_mapped(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, SMALL, capacity=LARGE)
    mapped = second.open(1, name).capacity
    first.grow(1, LARGE)
    second.refresh(1)
    assert second.info(1).size == mapped
    with pytest.raises(Failed) as failed:
        second.grow(1, LARGE)
    assert failed.value.misuse
    first.unlink(1)


@every_pair
def test_a_truncating_peer_is_an_error_for_copies(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, 2 * SMALL, content=b"hello")
    second.open(1, name)
    os.truncate(Path("/dev/shm", name), SMALL)  # shmkit itself never shrinks anything
    for peer in (first, second):
        assert peer.read(1, 0, 5) == b"hello"
        copies = [lambda p: p.read(1, SMALL, 10), lambda p: p.write(1, SMALL, b"x")]
        if peer.language != "c":  # It has no formats.
            assert peer.unpack(1, 0, "<I") == int.from_bytes(b"hell", "little")
            copies += [lambda p: p.unpack(1, SMALL, "<I"), lambda p: p.pack(1, SMALL, "<I", 1)]
        for copy in copies:
            with pytest.raises(Failed) as failed:
                copy(peer)
            assert (failed.value.errno, failed.value.misuse) == (errno.ENODATA, False)
        peer.refresh(1)
        assert peer.info(1).size == SMALL
    second.unlink(1)
