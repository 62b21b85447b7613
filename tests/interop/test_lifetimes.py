# SPDX-License-Identifier: MIT
"""When names go, whichever languages the first, the last and the killed process are written in."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from peers import LANGUAGES, Failed, Peer

pairs = [(first, second) for first in LANGUAGES for second in LANGUAGES]
every_pair = pytest.mark.parametrize(("creator", "user"), pairs)


def exists(name: str) -> bool:
    return Path("/dev/shm", name).exists()


def assert_absent(peer: Peer, name: str) -> None:
    with pytest.raises(Failed) as failed:
        peer.open(7, name)
    assert failed.value.errno == errno.ENOENT


@every_pair
def test_last_goes_with_the_last_who_closes(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    assert first.create(1, name, 64, lifetime="last").lifetime == "last"
    assert second.open(1, name).lifetime == "last"
    first.close(1)
    assert exists(name)
    first.open(1, name)
    second.close(1)
    assert exists(name)
    first.close(1)
    assert not exists(name)


@every_pair
def test_last_goes_with_the_last_who_exits(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, 64, lifetime="last")
    second.open(1, name)
    assert first.end() == 0
    assert exists(name)
    assert second.end() == 0
    assert not exists(name)


@every_pair
def test_last_survives_a_killed_creator(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, 64, lifetime="last", content=b"hello")
    second.open(1, name)
    first.kill()
    assert second.read(1, 0, 5) == b"hello"
    third = start(creator)
    third.open(1, name)
    second.close(1)
    assert third.read(1, 0, 5) == b"hello"
    assert exists(name)
    third.close(1)
    assert not exists(name)


@every_pair
def test_what_kills_leave_of_last_goes_with_the_next(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, 64, lifetime="last", content=b"old")
    second.open(1, name)
    first.kill()
    second.kill()
    assert exists(name)
    third = start(user)
    assert_absent(third, name)
    assert not exists(name)
    # Nor is a stale name in the way of somebody who creates.
    fourth, fifth = start(creator), start(user)
    fourth.create(1, name, 64, lifetime="last", content=b"older")
    fourth.kill()
    assert fifth.create(1, name, 64, lifetime="last", content=b"new").created
    assert fifth.read(1, 0, 5) == b"new\0\0"


@every_pair
def test_a_reader_of_last_counts(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    writer, reader = start(creator), start(user)
    writer.create(1, name, 64, lifetime="last", content=b"hello")
    assert reader.open(1, name, readonly=True).readonly
    writer.close(1)
    assert exists(name)
    assert reader.read(1, 0, 5) == b"hello"
    reader.close(1)
    assert not exists(name)


@every_pair
def test_creator_goes_with_its_creator(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, 64, lifetime="creator", content=b"hello")
    second.open(1, name)
    second.close(1)
    assert exists(name)
    second.open(1, name)
    assert first.end() == 0
    assert not exists(name)
    assert second.read(1, 0, 5) == b"hello"


@every_pair
def test_persistent_stays_until_somebody_unlinks_it(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, 64, content=b"hello")
    first.kill()
    second.open(1, name)
    second.close(1)
    second.unlink_address(name)
    assert_absent(second, name)


@every_pair
def test_a_new_one_under_the_name_is_another_one(
    creator: str, user: str, start: Callable[..., Peer], name: str
) -> None:
    first, second = start(creator), start(user)
    first.create(1, name, 64, content=b"old")
    second.unlink_address(name)
    second.create(1, name, 64, content=b"new")
    # Whose name is gone removes nothing of others.
    first.unlink(1)
    assert exists(name)
    assert first.read(1, 0, 3) == b"old"
    first.open(2, name)
    assert first.read(2, 0, 3) == b"new"
    first.unlink(2)
    assert not exists(name)
