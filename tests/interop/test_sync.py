# SPDX-License-Identifier: MIT
"""Mutexes and events that C, Python and Lua use together."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest
from peers import LANGUAGES, Failed, Peer, unique_name

SOON = 10_000_000
# Who waits asks after 50 ms whether the holder lives.
LONG_ENOUGH_TO_ASK = 200_000_000
pairs = pytest.mark.parametrize(("one", "other"), list(itertools.product(LANGUAGES, LANGUAGES)))


@pytest.fixture
def owner(start: Callable[..., Peer], name: str) -> Iterator[Peer]:
    """A peer that makes the segment, with room behind the mutex, and unlinks it in the end."""
    peer = start("c")
    peer.create(0, name, 128)
    yield peer
    peer.unlink(0)


@pytest.fixture(params=itertools.product(LANGUAGES, LANGUAGES), ids="-".join)
def both(
    request: pytest.FixtureRequest, start: Callable[..., Peer], name: str, owner: Peer
) -> tuple[Peer, Peer]:
    """Two peers that have the owner's mutex, in all pairs of languages."""
    one, other = (start(language) for language in request.param)
    one.mutex_open(1, name)
    other.mutex_open(1, name)
    return one, other


def at_once(*work: Callable[[], object]) -> None:
    """Run functions in threads; the first failure is raised."""
    failures: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def is_waited_for(owner: Peer, bit: int) -> bool:
    """Somebody sleeps on the object: it is in the word."""
    return bool(int(owner.get(0, "u32", 0, 1)[0]) >> bit & 1)


def test_one_holds_it_at_a_time(both: tuple[Peer, Peer]) -> None:
    first, second = both
    assert first.mutex_lock(1) == "done"
    assert second.mutex_locked(1)
    assert second.mutex_lock(1, 0) == "timeout"
    assert second.mutex_lock(1, SOON) == "timeout"
    with pytest.raises(Failed, match="does not hold it"):
        second.mutex_unlock(1)
    with pytest.raises(Failed, match="already"):
        first.mutex_lock(1)
    first.mutex_unlock(1)
    assert not first.mutex_locked(1)
    assert second.mutex_lock(1) == "done"
    second.mutex_unlock(1)
    with pytest.raises(Failed, match="not locked"):
        second.mutex_unlock(1)


def test_a_killed_holder_is_told_once(both: tuple[Peer, Peer]) -> None:
    victim, heir = both
    assert victim.mutex_lock(1) == "done"
    victim.kill()
    assert not heir.mutex_locked(1)
    assert heir.mutex_lock(1) == "owner_died"
    heir.mutex_unlock(1)
    assert heir.mutex_lock(1) == "done"
    heir.mutex_unlock(1)


def test_who_waits_gets_it_when_the_holder_is_killed(owner: Peer, both: tuple[Peer, Peer]) -> None:
    victim, heir = both
    assert victim.mutex_lock(1) == "done"
    got: list[str] = []

    def kill() -> None:
        while not is_waited_for(owner, 31):
            pass
        victim.kill()

    at_once(lambda: got.append(heir.mutex_lock(1)), kill)
    assert got == ["owner_died"]
    heir.mutex_unlock(1)


def test_a_stopped_holder_holds_it(both: tuple[Peer, Peer]) -> None:
    holder, peer = both
    assert holder.mutex_lock(1) == "done"
    os.kill(holder.pid, signal.SIGSTOP)
    assert peer.mutex_lock(1, LONG_ENOUGH_TO_ASK) == "timeout"
    os.kill(holder.pid, signal.SIGCONT)
    holder.mutex_unlock(1)
    assert peer.mutex_lock(1) == "done"
    peer.mutex_unlock(1)


@pairs
def test_pid_namespaces_make_no_difference(
    one: str, other: str, start: Callable[..., Peer], name: str, owner: Peer
) -> None:
    around = ["unshare", "--pid", "--kill-child"]
    if subprocess.run([*around, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no PID namespace of one's own is permitted here")
    inside, outside = start(one, around=around), start(other)
    inside.mutex_open(1, name)
    outside.mutex_open(1, name)
    assert outside.mutex_lock(1) == "done"
    assert inside.mutex_locked(1)
    assert inside.mutex_lock(1, LONG_ENOUGH_TO_ASK) == "timeout"
    outside.mutex_unlock(1)
    assert inside.mutex_lock(1) == "done"
    assert outside.mutex_locked(1)
    assert outside.mutex_lock(1, LONG_ENOUGH_TO_ASK) == "timeout"
    inside.kill()
    assert outside.mutex_lock(1) == "owner_died"
    outside.mutex_unlock(1)


@pytest.mark.parametrize("type", ["i32", "u32", "i64", "u64"])
def test_no_atomic_count_is_lost(start: Callable[..., Peer], name: str, type: str) -> None:
    peers = [start(language) for language in LANGUAGES]
    peers[0].create(0, name, 64)
    for peer in peers[1:]:
        peer.open(0, name)
    at_once(*(lambda peer=peer: peer.atomic_count(0, type, 8, 3000) for peer in peers))
    assert peers[0].get(0, type, 8, 1) == [3 * 3000]
    peers[0].unlink(0)


def test_no_count_is_lost(start: Callable[..., Peer], name: str, owner: Peer) -> None:
    peers = [start(language) for language in (*LANGUAGES, *LANGUAGES)]
    for peer in peers:
        peer.mutex_open(1, name)
    at_once(*(lambda peer=peer: peer.mutex_count(1, 2000) for peer in peers))
    assert owner.get(0, "u64", 64, 1) == [len(peers) * 2000]


@pairs
def test_an_event_of_one_wakes_the_other(
    one: str, other: str, start: Callable[..., Peer], name: str, owner: Peer
) -> None:
    first, second = start(one), start(other)
    first.event_open(1, name)
    second.event_open(1, name)
    assert second.event_wait(1, 0) == "timeout"
    assert second.event_wait_since(1, 0, SOON) == "timeout"
    woken: list[str] = []

    def fire() -> None:
        while not is_waited_for(owner, 0):
            pass
        first.event_set(1)

    at_once(lambda: woken.append(second.event_wait(1)), fire)
    assert woken == ["done"]
    assert second.event_is_set(1)
    second.event_clear(1)
    assert not first.event_is_set(1)
    assert (first.event_sequence(1), second.event_sequence(1)) == (1, 1)
    assert second.event_wait_since(1, 0) == "done"
    assert second.event_wait(1, 0) == "timeout"
    at_once(lambda: woken.append(second.event_wait_since(1, 1)), fire)
    assert woken == ["done", "done"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_impossible_waits_are_misuse(
    language: str, start: Callable[..., Peer], name: str, owner: Peer
) -> None:
    peer, holder = start(language), start("c")
    apart = unique_name()
    peer.event_open(1, apart)
    peer.mutex_open(1, name)
    holder.mutex_open(1, name)

    def refused(call: Callable[[], object]) -> None:
        with pytest.raises(Failed) as raised:
            call()
        assert raised.value.misuse
        assert raised.value.errno in (errno.EINVAL, None)

    refused(lambda: peer.event_wait(1, -5))
    refused(lambda: peer.event_wait_since(1, 1 << 29, 0))
    holder.mutex_lock(1)
    refused(lambda: peer.mutex_lock(1, -5))
    holder.mutex_unlock(1)
    peer.unlink_address(apart)
