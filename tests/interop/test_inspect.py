# SPDX-License-Identifier: MIT
"""Every language says the same about the same segment, whichever language made it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from peers import LANGUAGES, Peer, unique_key

PeerStarter = Callable[..., Peer]
Infos = list[dict[str, str]]

# May be otherwise a moment later: what other processes do.
PASSING = {"complete", "unreadable", "locks"}

every_maker = pytest.mark.parametrize("maker", LANGUAGES)


def text(value: str) -> str:
    return bytes.fromhex(value).decode()


@pytest.fixture
def lookers(start: PeerStarter) -> list[Peer]:
    """A peer for each language, none of which has a segment."""
    return [start(language) for language in LANGUAGES]


@pytest.fixture
def idle(name: str) -> Iterator[str]:
    """The name of a plain file in /dev/shm that nobody has open."""
    path = Path("/dev/shm", name)
    path.write_bytes(bytes(4096))
    yield name
    path.unlink(missing_ok=True)


def agree(lookers: list[Peer], look: Callable[[Peer], Infos]) -> Infos:
    """What all of them say."""
    said = [look(peer) for peer in lookers]
    for infos in said:
        for info in infos:
            assert info["complete"] in ("true", "false")
            assert info["unreadable"].isdecimal()
            assert info["locks"].isdecimal()
    lasting = [
        [{key: value for key, value in info.items() if key not in PASSING} for info in infos]
        for infos in said
    ]
    assert lasting[0] == lasting[1] == lasting[2]
    assert said[0] != []
    return said[0]


@every_maker
def test_a_posix_segment_with_its_users(
    maker: str, start: PeerStarter, lookers: list[Peer], name: str
) -> None:
    one, other = start(maker), start("c")
    one.create(1, name, 100000, mode=0o640)
    other.open(1, name, readonly=True)
    (info,) = agree(lookers, lambda peer: peer.list(name))
    one.unlink(1)
    assert text(info["address"]) == f"posix:/{name}"
    assert (text(info["kind"]), text(info["state"])) == ("posix", "used")
    assert (info["size"], info["mode"], info["uid"]) == ("100000", str(0o640), str(os.geteuid()))
    assert (info["attachments"], info["extents"]) == ("none", "none")
    assert {info["mapper0.pid"], info["mapper1.pid"]} == {str(one.pid), str(other.pid)}
    assert sorted((info["mapper0.writable"], info["mapper1.writable"])) == ["false", "true"]
    assert info["creator"] in ("none", str(one.pid))


@every_maker
def test_a_system_v_segment(maker: str, start: PeerStarter, lookers: list[Peer]) -> None:
    address = f"sysv:{unique_key():#x}"
    peer = start(maker)
    peer.create(1, address, 8192)
    try:
        (used,) = agree(lookers, lambda looker: looker.stat(address))
        assert (used["attachments"], used["last_pid"]) == ("1", str(peer.pid))
        assert text(used["creator_state"]) == "alive"
        peer.kill()
        (leaked,) = agree(lookers, lambda looker: looker.list(address[5:], "sysv"))
        assert (text(leaked["state"]), leaked["mappers"]) == ("leaked", "0")
        assert leaked["detached"] != "none"
    finally:
        lookers[0].unlink_address(address)


@every_maker
def test_a_memfd_with_its_seals(
    maker: str, start: PeerStarter, lookers: list[Peer], name: str
) -> None:
    peer = start(maker)
    peer.create(1, f"memfd:{name}", 4096, seals="shrink,grow")
    (info,) = agree(lookers, lambda looker: looker.stat(f"memfd:{name}"))
    assert info["seals"] == str(0x02 | 0x04)
    assert (text(info["kind"]), text(info["name"]), info["links"]) == ("memfd", name, "0")
    (info,) = agree(lookers, lambda looker: looker.list(name, "all"))
    assert info["seals"] == "none"


@every_maker
def test_an_unlinked_segment_and_where_its_pages_are(
    maker: str, start: PeerStarter, lookers: list[Peer], name: str
) -> None:
    peer = start(maker)
    peer.create(1, name, 65536, sparse="1")
    peer.write(1, 8192, b"x" * 4096)
    (info,) = agree(lookers, lambda looker: looker.stat(name))
    assert (info["extents"], info["extent0.offset"], info["extent0.length"]) == (
        "1",
        "8192",
        "4096",
    )
    peer.unlink(1)
    path = f"/proc/{peer.pid}/fd/{peer.fileno(1)}"
    (info,) = agree(lookers, lambda looker: looker.stat(f"file:{path}"))
    assert (text(info["state"]), info["unlinked"]) == ("unlinked", "true")


@every_maker
def test_a_last_segment_whose_name_is_no_text(
    maker: str, start: PeerStarter, lookers: list[Peer], name: str
) -> None:
    raw = os.fsencode(name) + b"\xff\n"
    start(maker).create(1, raw, 4096, lifetime="last")
    (info,) = agree(lookers, lambda looker: looker.stat(raw))
    assert bytes.fromhex(info["name"]) == raw
    assert info["last"] == "true"


@every_maker
def test_who_holds_a_mutex_in_it(
    maker: str, start: PeerStarter, lookers: list[Peer], name: str
) -> None:
    peer = start(maker)
    peer.mutex_open(1, name)
    try:
        (unlocked,) = agree(lookers, lambda looker: looker.stat(name))
        assert text(unlocked["object0.kind"]) == "mutex"
        assert text(unlocked["object0.state"]) == "unlocked"
        peer.mutex_lock(1)
        (held,) = agree(lookers, lambda looker: looker.stat(name))
        assert held["objects"] == "1"
        assert (held["object0.offset"], held["object0.pid"]) == ("0", str(peer.pid))
        assert held["object0.sequence"] == "none"
        assert text(held["object0.state"]) == "locked"
        (listed,) = agree(lookers, lambda looker: looker.list(name))
        assert listed["objects"] == "none"
        peer.kill()
        (left,) = agree(lookers, lambda looker: looker.stat(name))
        assert text(left["object0.state"]) == "owner died"
        assert left["object0.identity"] == held["object0.identity"]
        assert left["object0.pid"] == left["object0.program"] == "none"
    finally:
        Path("/dev/shm", name).unlink()


@every_maker
def test_an_event_in_it(maker: str, start: PeerStarter, lookers: list[Peer], name: str) -> None:
    peer = start(maker)
    peer.event_open(1, name)
    try:
        for _ in range(3):
            peer.event_set(1)
        (told,) = agree(lookers, lambda looker: looker.stat(name))
        assert (told["objects"], told["object0.sequence"]) == ("1", "3")
        assert (text(told["object0.kind"]), text(told["object0.state"])) == ("event", "set")
        assert told["object0.identity"] == "none"
        assert told["object0.waited_for"] == "false"
        peer.event_clear(1)
        (told,) = agree(lookers, lambda looker: looker.stat(name))
        assert text(told["object0.state"]) == "not set"
    finally:
        Path("/dev/shm", name).unlink()


def test_who_has_it_open(lookers: list[Peer], idle: str) -> None:
    (info,) = agree(lookers, lambda peer: peer.stat(idle, "exact"))
    assert text(info["holding"]) == "not held"
    with Path("/dev/shm", idle).open("rb"):
        (info,) = agree(lookers, lambda peer: peer.stat(idle, "exact"))
    assert text(info["holding"]) == "held"


def test_names_and_creators_alone(start: PeerStarter, lookers: list[Peer], name: str) -> None:
    peer = start("c")
    peer.create(1, name, 4096)
    (info,) = agree(lookers, lambda looker: looker.list(name, "posix", "names_only"))
    assert (info["complete"], info["mappers"]) == ("false", "0")
    (info,) = agree(lookers, lambda looker: looker.list(name, "-", "no_creators"))
    assert (info["creator"], info["mappers"]) == ("none", "1")
    peer.unlink(1)


def test_what_would_be_removed(lookers: list[Peer], idle: str) -> None:
    pattern = f"posix:/{idle}"
    (info,) = agree(lookers, lambda peer: peer.gc(pattern, "idle"))
    assert info["removal"] == "none"
    with Path("/dev/shm", idle).open("rb"):
        (info,) = agree(lookers, lambda peer: peer.gc(pattern, "idle", "apply"))
    assert text(info["removal"]) == "kept"
    for peer in lookers:
        assert peer.gc(pattern, "apply") == []
        assert peer.gc(pattern, "idle", "apply", older_than=3600 * 10**9) == []
        assert peer.gc(pattern, "idle", "apply", kinds="sysv,semaphore") == []
    assert Path("/dev/shm", idle).exists()


def test_limits_are_the_same(lookers: list[Peer]) -> None:
    said = [peer.limits() for peer in lookers]
    for limits in said:
        for limit in limits:
            # These change all the time, and the last two with them.
            for key in ("used", "free", "note"):
                assert key in limit
                del limit[key]
            if text(limit["scope"]) == "machine":
                del limit["limit"]
            for key in [key for key in limit if key.endswith((".tightest", ".scarcest"))]:
                assert limit.pop(key) != ""
    assert said[0] == said[1] == said[2]
    assert {"shm-bytes", "shmmax"} <= {text(limit["name"]) for limit in said[0]}


def test_the_limits_that_are_met_first_are_the_same(lookers: list[Peer]) -> None:
    for peer in lookers:
        first = peer.limits()[0]
        assert text(first["sysv.scarcest"]) == "shmmni"
        assert first["file.tightest"] == first["hugetlb.scarcest"] == "none"


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_removes(language: str, start: PeerStarter, name: str) -> None:
    peer, path = start(language), Path("/dev/shm", name)
    for remove in (
        lambda: peer.gc(f"posix:/{name}", "idle", "apply", kinds="posix", older_than=1),
        lambda: peer.remove(name),
        lambda: peer.remove(name, "force"),
    ):
        path.write_bytes(bytes(4096))
        (info,) = remove()
        assert text(info["removal"]) == "removed"
        assert not path.exists()
