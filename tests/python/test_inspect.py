# SPDX-License-Identifier: MIT
"""Listings: what exists, who uses it, what nobody needs. Removes nothing but what it has made."""

from __future__ import annotations

import copy
import errno
import json
import os
import pickle
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import shmkit
import support

HOUR = 3600 * 10**9
KINDS = ("posix", "sysv", "memfd", "semaphore", "anonymous", "hugetlb", "file")

# Opens what the first argument says and leaves the segment open in `segment`.
OPEN = "import shmkit; segment = shmkit.open(sys.argv[1])"


def find(listing: shmkit.Listing, address: str) -> shmkit.Info:
    (info,) = [info for info in listing if info.address == address]
    return info


def look_at(address: Any, **options: Any) -> shmkit.Info:
    (info,) = shmkit.stat(address, **options)
    return info


def make_idle(name: str) -> str:
    """A plain file in /dev/shm that nobody has open; its address."""
    Path("/dev/shm", name).write_bytes(bytes(4096))
    return f"posix:/{name}"


@pytest.fixture
def system_v() -> Iterator[shmkit.Segment]:
    with shmkit.create(f"sysv:{support.unique_key():#x}", 8192, mode=0o640) as made:
        yield made
        made.unlink()


def leave_system_v() -> str:
    """The address of a System V segment whose creator has exited."""
    code = "import shmkit, sys; print(shmkit.create(sys.argv[1], 4096).address)"
    return support.run_python(code, f"sysv:{support.unique_key():#x}").strip()


# ---- What is listed


def test_a_posix_segment_is_listed_with_all_about_it(name: str) -> None:
    with shmkit.create(name, 100000, mode=0o640) as segment:
        listing = shmkit.list()
        info = find(listing, segment.address)
        segment.unlink()
    assert (info.address, info.name, info.kind) == (f"posix:/{name}", name, "posix")
    assert (info.state, info.reason) == ("used", "mapped by 1 process")
    assert (info.size, info.allocated) == (100000, 102400)
    assert (info.mode, info.uid, info.gid) == (0o640, os.geteuid(), os.getegid())
    assert (info.links, info.huge_page) == (1, 0)
    assert info.may_remove is True
    assert (info.dest, info.locked, info.last, info.unlinked, info.elsewhere) == (False,) * 5
    assert listing.unreadable >= 0
    assert isinstance(listing.complete, bool)


def test_times_are_nanoseconds_since_1970(segment: shmkit.Segment) -> None:
    listing = shmkit.list()
    info = find(listing, segment.address)
    status = support.file_of(segment).stat()
    assert (info.changed, info.modified) == (status.st_ctime_ns, status.st_mtime_ns)
    assert info.changed is not None
    assert info.changed <= listing.time < info.changed + HOUR
    started = info.mappers[0].started
    assert started is not None
    assert started <= listing.time < started + 24 * HOUR


def test_the_file_is_told(segment: shmkit.Segment) -> None:
    info = look_at(segment.address)
    status = support.file_of(segment).stat()
    assert (info.inode, info.size, info.uid) == (status.st_ino, status.st_size, status.st_uid)


def test_every_process_that_maps_it_is_named(segment: shmkit.Segment) -> None:
    with support.another_process(OPEN, segment.address) as other:
        info = find(shmkit.list(), segment.address)
    assert info.reason == "mapped by 2 processes"
    assert info.mappings == 2
    assert {mapper.pid for mapper in info.mappers} == {os.getpid(), other}
    assert [mapper.pid for mapper in info.mappers] == sorted([os.getpid(), other])
    for mapper in info.mappers:
        assert (mapper.uid, mapper.mappings, mapper.offset) == (os.geteuid(), 1, 0)
        assert (mapper.readable, mapper.writable) == (True, True)
        assert mapper.bytes >= 4096
        assert mapper.program
        assert mapper.start


def test_a_reader_cannot_write(name: str) -> None:
    shmkit.create(name, 4096).close()
    with shmkit.open(name, readonly=True) as reader:
        (mapper,) = look_at(name).mappers
        reader.unlink()
    assert (mapper.readable, mapper.writable) == (True, False)


def test_the_creator_is_named(name: str) -> None:
    with shmkit.create(name, 4096) as segment:
        info = look_at(name)
        stamped = segment.creator
        segment.unlink()
    assert info.creator == stamped
    if stamped is not None:  # Not on file systems before Linux 6.6.
        assert isinstance(info.creator, shmkit.Creator)
        assert info.creator.pid == os.getpid()
        assert info.creator_state == "alive"


def test_a_system_v_segment_counts_attachments(system_v: shmkit.Segment) -> None:
    with shmkit.open(system_v.address):
        info = find(shmkit.list(), system_v.address)
    status = Path("/proc/sysvipc/shm").read_text().split("\n")
    assert any(line.split()[1:2] == [str(info.inode)] for line in status)
    assert (info.kind, info.size, info.mode) == ("sysv", 8192, 0o640)
    assert (info.attachments, info.mappings, len(info.mappers)) == (2, 2, 1)
    assert info.last_pid == os.getpid()
    assert info.attached is not None
    assert info.detached is None
    assert info.created is None
    assert info.mappers[0].mappings == 2


def test_what_the_last_process_will_remove_is_dest(system_v: shmkit.Segment) -> None:
    inode = find(shmkit.list(kinds="sysv"), system_v.address).inode
    system_v.unlink()
    info = look_at(f"sysv:id={inode}")
    assert (info.state, info.dest, info.may_remove) == ("dest", True, True)


def test_what_an_exited_process_left_is_leaked() -> None:
    address = leave_system_v()
    try:
        info = find(shmkit.list(), address)
    finally:
        shmkit.unlink(address)
    assert (info.state, info.attachments, info.mappers) == ("leaked", 0, ())
    assert info.creator_state == "exited"


def test_a_memfd_is_found_by_its_name(name: str) -> None:
    with shmkit.create(f"memfd:{name}", 12288, seals=["shrink", "grow"]) as segment:
        segment.write(0, b"hello")
        info = look_at(f"memfd:{name}")
        assert (info.kind, info.name, info.size, info.links) == ("memfd", name, 12288, 0)
        assert info.seals == {"shrink", "grow"}
        assert isinstance(info.seals, frozenset)
        assert info.address is not None
        with shmkit.open(info.address) as other:
            assert other.read(0, 5) == b"hello"
    with pytest.raises(shmkit.NotFoundError):
        shmkit.stat(f"memfd:{name}")


def test_several_memfds_may_have_one_name(name: str) -> None:
    sizes = (4096, 8192, 12288)
    segments = [shmkit.create(f"memfd:{name}", size) for size in sizes]
    found = shmkit.stat(f"memfd:{name}")
    for segment in segments:
        segment.close()
    assert sorted(info.size or 0 for info in found) == list(sizes)


def test_an_unlinked_segment_is_found_while_it_is_mapped(name: str) -> None:
    with shmkit.create(name, 4096) as segment:
        segment.unlink()
        inode = support.identity(segment)
        (info,) = [i for i in shmkit.list() if (i.kind, i.inode) == ("posix", inode)]
    assert (info.state, info.unlinked, info.links) == ("unlinked", True, 0)
    assert info.may_remove is False
    assert info.address != f"posix:/{name}"


def test_a_last_segment_is_marked(name: str) -> None:
    with shmkit.create(name, 4096, lifetime="last"):
        info = look_at(name)
    assert (info.last, info.locks, info.mode) == (True, 1, 0o600)


@pytest.mark.parametrize("ending", [b"\xff\xfe", "ü".encode(), b"a\nb", b"\x1b[31m", b" (deleted)"])
def test_any_name_round_trips(name: str, ending: bytes) -> None:
    raw = os.fsencode(name) + ending
    with shmkit.create(raw, 4096) as segment:
        info = find(shmkit.list(), segment.address)
        segment.unlink()
    assert os.fsencode(info.name or "") == raw
    assert os.fsencode(info.address or "") == b"posix:/" + raw


# ---- What is asked for


def test_only_the_kinds_that_are_asked_for_are_listed(
    segment: shmkit.Segment, system_v: shmkit.Segment
) -> None:
    assert {info.kind for info in shmkit.list(kinds="sysv")} == {"sysv"}
    both = shmkit.list(kinds=iter(["posix", "sysv"]))
    assert {info.kind for info in both} == {"posix", "sysv"}
    everything = {info.kind for info in shmkit.list(kinds="all")}
    assert everything >= {"posix", "sysv", "file"}
    assert everything <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_name(kind: Any) -> None:
    assert {info.kind for info in shmkit.list(kinds=[kind])} <= {kind}


def test_names_only_looks_at_no_process(segment: shmkit.Segment) -> None:
    listing = shmkit.list(names_only=True)
    info = find(listing, segment.address)
    assert listing.complete is False
    assert info.mappers == ()
    assert info.state != "used"


def test_creators_need_not_be_looked_for(segment: shmkit.Segment) -> None:
    info = find(shmkit.list(no_creators=True), segment.address)
    assert (info.creator, info.state) == (None, "used")


def test_stat_tells_where_pages_are(name: str) -> None:
    page = 4096
    with shmkit.create(name, 16 * page, sparse=True) as segment:
        assert look_at(name).extents == ()
        segment.write(3 * page, b"x" * 2 * page)
        info = look_at(name)
        assert find(shmkit.list(), segment.address).extents is None
        segment.unlink()
    assert info.extents == (shmkit.Extent(3 * page, 2 * page),)
    assert info.extents is not None
    assert info.extents[0].length == 2 * page


def test_stat_takes_a_path(segment: shmkit.Segment) -> None:
    info = look_at(support.file_of(segment))
    assert info.address == f"file:/dev/shm/{segment.name}"
    assert info.inode == support.identity(segment)


def test_exact_asks_the_kernel_who_has_it_open(name: str) -> None:
    address = make_idle(name)
    path = Path("/dev/shm", name)
    assert look_at(address).holding is None
    assert look_at(address, exact=True).holding == "not held"
    with path.open("rb"):
        info = look_at(address, exact=True)
        assert (info.holding, info.state, info.mappers) == ("held", "used", ())
    path.unlink()


def test_looking_lets_other_threads_run() -> None:
    """Nobody takes the GIL away in this test: what the other thread counts while this one looks, it
    counts because looking gives the GIL up."""
    old, count, stop = sys.getswitchinterval(), 0, False

    def work() -> None:
        nonlocal count
        while not stop:
            count += 1
            time.sleep(0)  # Gives the GIL up, too.

    thread = threading.Thread(target=work)
    sys.setswitchinterval(1e6)
    try:
        thread.start()
        for look in (shmkit.list, lambda: shmkit.stat("frames"), shmkit.gc, shmkit.limits):
            counted = 0
            while counted == 0:
                before = count
                try:
                    look()
                except shmkit.Error:
                    pass
                counted = count - before
    finally:
        stop = True
        sys.setswitchinterval(old)
        thread.join()


# ---- What fails


def test_errors_are_what_they_are_elsewhere(name: str) -> None:
    with pytest.raises(shmkit.NotFoundError, match="does not exist") as failed:
        shmkit.stat(name)
    assert failed.value.filename == f"posix:/{name}"
    with pytest.raises(shmkit.InvalidError):
        shmkit.stat("a/b")
    with pytest.raises(shmkit.ClosedError):
        shmkit.stat("fd:999")
    with pytest.raises(shmkit.IncompatibleError):
        shmkit.stat("file:/dev/shm")
    path = Path("/dev/shm", name)
    path.symlink_to("/etc/hosts")
    with pytest.raises(shmkit.Error) as failed:
        shmkit.stat(name)
    path.unlink()
    assert failed.value.errno == errno.ELOOP


def test_kinds_that_cannot_be_are_refused() -> None:
    calls: tuple[Any, ...] = (shmkit.list, shmkit.gc)
    for call in calls:
        with pytest.raises(shmkit.InvalidError, match=r"'posix'.*not 'posics'"):
            call(kinds=["posics"])
        with pytest.raises(shmkit.InvalidError, match="none at all"):
            call(kinds=[])
        with pytest.raises(TypeError, match="names such as"):
            call(kinds=4)
        with pytest.raises(TypeError, match="names such as"):
            call(kinds=[b"posix"])
    with pytest.raises(shmkit.InvalidError, match="posix, sysv and semaphore"):
        shmkit.gc(kinds="memfd")


def test_other_options_that_cannot_be_are_refused() -> None:
    gc: Any = shmkit.gc
    stat: Any = shmkit.stat
    with pytest.raises(shmkit.InvalidError, match="older_than must be from 0"):
        shmkit.gc(older_than=-1)
    with pytest.raises(TypeError, match="older_than must be an integer"):
        gc(older_than=1.5)
    with pytest.raises(shmkit.InvalidError, match="NUL"):
        shmkit.gc(pattern="posix:/a\0b")
    with pytest.raises(TypeError, match="pattern must be str or bytes"):
        gc(pattern=5)
    with pytest.raises(TypeError, match="address must be"):
        stat(5)


# ---- What it is: plain data


def test_a_listing_is_a_tuple_that_cannot_be_changed(segment: shmkit.Segment) -> None:
    listing: Any = shmkit.list()
    assert isinstance(listing, tuple)
    assert len(listing) == len(list(listing)) > 0
    assert listing.index(listing[0]) == 0
    with pytest.raises(AttributeError):
        listing.complete = True
    with pytest.raises(AttributeError):
        del listing.time
    info: Any = listing[0]
    with pytest.raises(AttributeError):
        info.size = 1


def test_listings_are_in_order(segment: shmkit.Segment, system_v: shmkit.Segment) -> None:
    order = [(KINDS.index(info.kind), os.fsencode(info.name or "")) for info in shmkit.list()]
    assert order == sorted(order)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_listings_can_be_pickled_and_copied(segment: shmkit.Segment, protocol: int) -> None:
    listing = shmkit.stat(segment.address)
    for same in (
        pickle.loads(pickle.dumps(listing, protocol)),
        copy.copy(listing),
        copy.deepcopy(listing),
    ):
        assert type(same) is shmkit.Listing
        assert same == listing
        assert (same.complete, same.unreadable) == (listing.complete, listing.unreadable)
        assert same.time == listing.time
        assert isinstance(same[0].mappers[0], shmkit.Mapper)
    assert len({*listing, *shmkit.stat(segment.address)}) == 1  # Infos have hashes.


def test_what_it_prints_says_what_is_known(segment: shmkit.Segment) -> None:
    listing = shmkit.stat(segment.address)
    text = repr(listing)
    assert text.startswith(f"Listing((Info(address='{segment.address}', name=")
    assert "kind='posix', state='used'" in text
    assert "mode=0o600" in text
    assert f"Mapper(pid={os.getpid()}, " in text
    assert "None" not in repr(listing[0]._replace(creator=None, mappers=()))
    assert f"complete={listing.complete}, unreadable={listing.unreadable}" in text


def test_fields_are_those_of_c() -> None:
    """In their order; those that a tuple needs no more are not there, and each flag is a field."""
    header = Path(__file__).parents[2] / "core/include/shmkit/inspect.h"
    text = header.read_text().split("typedef struct shmkit_info {")[1].split("} shmkit_info;")[0]
    code = "".join(part.split("*/", 1)[-1] for part in text.split("/**"))
    declared: list[str] = []
    for statement in code.split(";"):
        words = statement.replace("*", " ").replace("const ", "").split()
        declared += [word.strip(",").split("[")[0] for word in words[1:]]
    declared = [field for field in declared if not field.endswith("_count")]
    at = declared.index("flags")
    declared[at : at + 1] = ["dest", "locked", "last", "unlinked", "elsewhere", "may_remove"]
    assert list(shmkit.Info._fields) == declared


def test_an_info_goes_into_json(segment: shmkit.Segment) -> None:
    (info,) = shmkit.stat(segment.address)
    again = json.loads(json.dumps(info._asdict()))
    assert (again["name"], again["size"], again["attachments"]) == (segment.name, 4096, None)


def test_any_number_of_threads_look_while_segments_come_and_go() -> None:
    errors: list[BaseException] = []

    def come_and_go() -> None:
        for _ in range(50):
            with shmkit.create(support.unique_name(), 4096) as made:
                made.unlink()

    def look() -> None:
        for _ in range(5):
            assert {info.kind for info in shmkit.list(kinds="posix")} <= {"posix"}

    def run(work: Any) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in (come_and_go, look) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


# ---- Removing


def test_nothing_is_removed_unless_asked(name: str) -> None:
    address = make_idle(name)
    (info,) = shmkit.gc(idle=True, pattern=address)
    assert (info.removal, info.address) == (None, address)
    assert info.reason
    assert shmkit.gc(pattern=address, apply=True) == ()  # Idle is not leaked.
    (info,) = shmkit.gc(idle=True, apply=True, pattern=address)
    assert info.removal == "removed"
    assert not Path("/dev/shm", name).exists()


def test_what_somebody_has_open_is_kept(name: str) -> None:
    address = make_idle(name)
    path = Path("/dev/shm", name)
    with path.open("rb"):
        (info,) = shmkit.gc(idle=True, apply=True, pattern=address)
    assert info.removal == "kept"
    assert "open" in (info.reason or "")
    path.unlink()


def test_what_is_leaked_goes_and_what_is_in_use_is_no_candidate(
    segment: shmkit.Segment,
) -> None:
    assert shmkit.gc(idle=True, apply=True, pattern=segment.address) == ()
    address = leave_system_v()
    assert shmkit.gc(apply=True, pattern=address, kinds=["posix"]) == ()
    (info,) = shmkit.gc(apply=True, pattern=os.fsencode(address), kinds={"sysv"})
    assert (info.removal, info.state) == ("removed", "leaked")
    with pytest.raises(shmkit.NotFoundError):
        shmkit.stat(address)


def test_what_is_younger_than_asked_is_left_alone(name: str) -> None:
    pattern = make_idle(name)
    assert shmkit.gc(idle=True, pattern=pattern, older_than=HOUR) == ()
    assert len(shmkit.gc(idle=True, pattern=pattern, older_than=1)) == 1
    (info,) = shmkit.gc(idle=True, pattern=pattern[:-1] + "?", apply=True, older_than=0)
    assert info.removal == "removed"


def test_one_that_nobody_uses_is_removed(name: str) -> None:
    path = Path("/dev/shm", make_idle(name)[len("posix:/") :])
    (info,) = shmkit.remove(name)
    assert (info.removal, info.name, info.size) == ("removed", name, 4096)
    assert not path.exists()
    address = leave_system_v()
    (info,) = shmkit.remove(address)
    assert (info.removal, info.address) == ("removed", address)
    with pytest.raises(shmkit.NotFoundError, match="does not exist"):
        shmkit.remove(address)


def test_one_that_somebody_uses_is_removed_by_force_alone(name: str) -> None:
    with shmkit.create(name, 4096) as segment:
        with support.another_process(OPEN, name) as other:
            with pytest.raises(shmkit.BusyError, match=str(other)) as failed:
                shmkit.remove(name)
            assert (failed.value.errno, failed.value.filename) == (errno.EBUSY, segment.address)
            (info,) = shmkit.remove(name, force=True)
            assert {mapper.pid for mapper in info.mappers} == {os.getpid(), other}
        assert (info.removal, segment.read(0, 1)) == ("removed", b"\0")
    with pytest.raises(shmkit.NotFoundError):
        shmkit.open(name)


def test_what_has_no_name_cannot_be_removed() -> None:
    with shmkit.create("memfd:remove", 4096) as segment:
        for address in ("memfd:remove", f"fd:{segment.fileno()}"):
            with pytest.raises(shmkit.UnsupportedError):
                shmkit.remove(address, force=True)


def test_everything_that_nobody_uses_goes_in_a_place_of_its_own() -> None:
    code = """
import os, shmkit

def here():
    # Processes outside of this place can be seen, and so can what they map.
    found = shmkit.list(kinds=["posix", "sysv"])
    return [info.name for info in found if not (info.elsewhere or info.unlinked)]

assert here() == []
for name in "idle", "other", "sem.x":
    with open("/dev/shm/" + name, "wb") as file:
        file.truncate(32)
used = shmkit.create("used", 4096)
child = os.fork()
if child == 0:
    shmkit.create("sysv:77", 4096)
    os._exit(0)
os.waitpid(child, 0)
print(len(shmkit.gc(idle=True)), sorted(os.listdir("/dev/shm")))
print([info.removal for info in shmkit.gc(idle=True, apply=True)])
print(sorted(os.listdir("/dev/shm")), here())
print([(info.kind, info.removal) for info in shmkit.gc(idle=True, apply=True, kinds="semaphore")])
"""
    printed = support.run_in_own_place(code, "1m").splitlines()
    assert printed == [
        "3 ['idle', 'other', 'sem.x', 'used']",
        "['removed', 'removed', 'removed']",
        "['sem.x', 'used'] ['used']",
        "[('semaphore', 'removed')]",
    ]
