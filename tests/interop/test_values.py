# SPDX-License-Identifier: MIT
"""Values of every type, over every kind of segment, from every language to every other one."""

from __future__ import annotations

import contextlib
import math
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peers import LANGUAGES, Peer, unique_key

# The ends of each range and what is easily lost: signs, the last bit, infinities, no number at all.
VALUES: dict[str, list[float]] = {
    "i8": [-128, -1, 0, 127],
    "i16": [-(2**15), -1, 0, 2**15 - 1],
    "i32": [-(2**31), -1, 0, 2**31 - 1],
    "i64": [-(2**63), -1, 2**53 + 1, 2**63 - 1],
    "u8": [0, 1, 128, 255],
    "u16": [0, 1, 2**15, 2**16 - 1],
    "u32": [0, 1, 2**31, 2**32 - 1],
    "u64": [0, 2**53 + 1, 2**63, 2**64 - 1],
    "f32": [-0.0, 1.5, math.inf, struct.unpack("f", struct.pack("f", 0.1))[0]],
    "f64": [-0.0, 0.1, -math.inf, 5e-324],
    "bool": [0, 1, 1, 0],
    "char": [0, 65, 128, 255],
}
FORMATS = dict(zip(VALUES, "bhiqBHIQfd?B"))
STRIDE = 64
SIZE = STRIDE * len(VALUES)


def place(type: str) -> int:
    return list(VALUES).index(type) * STRIDE


def expected(values: dict[str, list[float]]) -> bytes:
    """The bytes as C lays them out, made without shmkit."""
    rows = (struct.pack(f"4{FORMATS[type]}", *values[type]) for type in VALUES)
    return b"".join(row.ljust(STRIDE, b"\0") for row in rows)


def fill(peer: Peer, values: dict[str, list[float]]) -> None:
    for type, row in values.items():
        peer.set(1, type, place(type), row)


def assert_holds(peer: Peer, values: dict[str, list[float]]) -> None:
    """Through views, and as bytes; repr tells -0.0 from 0.0."""
    for type, row in values.items():
        assert list(map(repr, peer.get(1, type, place(type), 4))) == list(
            map(repr, map(float, row) if type in ("f32", "f64") else row)
        )
    assert peer.read(1, 0, SIZE) == expected(values)


@contextlib.contextmanager
def shared(kind: str, creator: Peer, user: Peer, name: str, directory: Path) -> Iterator[None]:
    """Segment 1 of both peers is the same memory."""
    addresses = {
        "posix": name,
        "sysv": f"sysv:{unique_key():#x}",
        "sysv-id": "sysv:private",
        "memfd-proc": "memfd:values",
        "memfd-socket": "memfd:values",
        "file": f"file:{directory}/values",
    }
    made = creator.create(1, addresses[kind], SIZE)
    if kind == "memfd-socket":
        creator.send(1)
        user.receive(1)
    elif kind == "memfd-proc":
        user.open(1, f"file:/proc/{creator.pid}/fd/{creator.fileno(1)}")
    else:
        user.open(1, made.address)
    yield
    if not kind.startswith("memfd"):
        user.unlink(1)


@pytest.mark.parametrize("user", LANGUAGES)
@pytest.mark.parametrize("creator", LANGUAGES)
@pytest.mark.parametrize("kind", ["posix", "sysv", "sysv-id", "memfd-proc", "memfd-socket", "file"])
def test_values_go_both_ways(
    kind: str,
    creator: str,
    user: str,
    start: Callable[..., Peer],
    name: str,
    tmp_path: Path,
) -> None:
    here, there = socket.socketpair()
    with here, there:
        first, second = start(creator, here.fileno()), start(user, there.fileno())
        other = {type: row[::-1] for type, row in VALUES.items()}
        with shared(kind, first, second, name, tmp_path):
            assert second.info(1).size == SIZE
            fill(first, VALUES)
            assert_holds(second, VALUES)
            fill(second, other)
            assert_holds(first, other)
            second.write(1, 0, expected(VALUES))
            assert_holds(first, VALUES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_number_stays_no_number(language: str, start: Callable[..., Peer]) -> None:
    peer = start(language)
    peer.create(1, "memfd:nan", 64)
    for type in ("f32", "f64"):
        peer.set(1, type, 0, [math.nan])
        assert math.isnan(peer.get(1, type, 0, 1)[0])


@pytest.mark.parametrize(("creator", "user"), zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1]))
@pytest.mark.parametrize(
    "suffix", [" with spaces", "\nand a line", "-\udcff\udcfe", "-Grüße", ":colon"], ids=ascii
)
def test_names_of_any_bytes_are_the_same_for_all(
    suffix: str, creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    made = first.create(1, f"posix:/{name}{suffix}", 4096, content=b"hello")
    found = second.open(1, made.address)
    assert found.address == made.address == f"posix:/{name}{suffix}"
    assert found.name == made.name
    assert second.read(1, 0, 5) == b"hello"
    second.unlink_address(found.address)


@pytest.mark.parametrize("user", LANGUAGES)
@pytest.mark.parametrize("creator", LANGUAGES)
def test_who_comes_second_opens(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    assert first.open_or_create(1, name, 4096).created
    assert not second.open_or_create(1, name, 1000).created
    assert second.info(1).size == 4096
    assert second.creator(1) == first.pid
    second.unlink(1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_programs_without_shmkit_are_full_peers(
    language: str, start: Callable[..., Peer], name: str
) -> None:
    peer = start(language)
    path = Path("/dev/shm", name)
    path.write_bytes(expected(VALUES))  # shm_open and write, in C
    peer.open(1, name)
    assert_holds(peer, VALUES)
    other = {type: row[::-1] for type, row in VALUES.items()}
    fill(peer, other)
    assert path.read_bytes() == expected(other)
    peer.unlink(1)
