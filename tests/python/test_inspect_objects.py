# SPDX-License-Identifier: MIT
"""Mutexes and events in a segment, as stat() tells them."""

from __future__ import annotations

import copy
import json
import os
import pickle
import threading
import time
from pathlib import Path

import pytest
import shmkit
import support

# Opens the segment that the first argument names and holds the mutex at its beginning.
HOLD = "import shmkit; mutex = shmkit.open(sys.argv[1]).mutex(0); mutex.acquire()"


def objects_of(address: str) -> tuple[shmkit.Object, ...]:
    (info,) = shmkit.stat(address)
    assert info.objects is not None
    return info.objects


def test_a_segment_without_any_has_none(segment: shmkit.Segment) -> None:
    assert objects_of(segment.address) == ()
    (info,) = [info for info in shmkit.list() if info.address == segment.address]
    assert info.objects is None


def test_the_holder_of_a_mutex_is_named(segment: shmkit.Segment) -> None:
    with segment.mutex(64):
        (held,) = objects_of(segment.address)
        identity = segment.load("u32", 64)
    assert (held.offset, held.kind, held.state) == (64, "mutex", "locked")
    assert (held.pid, held.identity, held.sequence) == (os.getpid(), identity, None)
    assert held.program == Path("/proc/self/comm").read_text().rstrip("\n")
    assert held.start
    (unlocked,) = objects_of(segment.address)
    assert unlocked == shmkit.Object(64, "mutex", "unlocked", 0, None, False, None, None, None)


def test_another_process_that_holds_it_is_named_until_it_is_killed(
    segment: shmkit.Segment,
) -> None:
    with support.another_process(HOLD, segment.address) as other:
        (held,) = objects_of(segment.address)
    assert (held.state, held.pid) == ("locked", other)
    (left,) = objects_of(segment.address)
    assert left == held._replace(state="owner died", pid=None, start=None, program=None)


def test_of_a_thread_the_process_is_told(segment: shmkit.Segment) -> None:
    mutex, held, over = segment.mutex(0), threading.Event(), threading.Event()

    def hold() -> None:
        with mutex:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    (told,) = objects_of(segment.address)
    over.set()
    thread.join()
    assert (told.state, told.pid) == ("locked", os.getpid())


def test_that_somebody_waits_is_told(segment: shmkit.Segment) -> None:
    mutex = segment.mutex(0)

    def wait() -> None:
        with mutex:
            pass

    waiter = threading.Thread(target=wait)
    with mutex:
        assert not objects_of(segment.address)[0].waited_for
        waiter.start()
        while not objects_of(segment.address)[0].waited_for:
            time.sleep(0)
    waiter.join()


def test_an_event_is_told_with_how_often_it_was_set(segment: shmkit.Segment) -> None:
    event = segment.event(128)
    for _ in range(17):
        event.set()
    (told,) = objects_of(segment.address)
    assert told == shmkit.Object(128, "event", "set", None, 17, False, None, None, None)
    event.clear()
    (told,) = objects_of(segment.address)
    assert (told.state, told.sequence) == ("not set", 17)


def test_they_come_in_the_order_of_their_offsets(name: str) -> None:
    with shmkit.create(f"memfd:{name}", 1 << 30, sparse=True) as segment:
        for offset in (1 << 29, 0, 4096 - 64):
            segment.mutex(offset)
            segment.event(offset + 64)
        told = [(each.offset, each.kind) for each in objects_of(segment.address)]
    assert told == [
        (0, "mutex"),
        (64, "event"),
        (4032, "mutex"),
        (4096, "event"),
        (1 << 29, "mutex"),
        ((1 << 29) + 64, "event"),
    ]


@support.needs_root
def test_what_may_not_be_read_is_not_known_to_have_none(name: str) -> None:
    code = """if True:
        import os, shmkit, sys
        os.setresuid(65534, 65534, 65534)
        info, = shmkit.stat(sys.argv[1])
        print(info.extents, info.objects)"""
    with shmkit.create(name, 4096) as segment:
        segment.mutex(0)
        assert support.run_python(code, segment.address).strip() == "None None"
        segment.unlink()


def test_objects_are_plain_data(segment: shmkit.Segment) -> None:
    with segment.mutex(0):
        listing = shmkit.stat(segment.address)
    for same in (pickle.loads(pickle.dumps(listing)), copy.deepcopy(listing)):
        assert same == listing
        assert type(same[0].objects[0]) is shmkit.Object
    assert hash(listing[0].objects) is not None
    assert "objects=(Object(offset=0, kind='mutex', state='locked', identity=" in repr(listing)
    assert json.loads(json.dumps(listing[0]._asdict()))["objects"][0][:3] == [0, "mutex", "locked"]


def test_fields_are_those_of_c() -> None:
    header = Path(__file__).parents[2] / "core/include/shmkit/inspect.h"
    text = header.read_text().split("typedef struct shmkit_object {")[1].split("} shmkit_obj")[0]
    code = "".join(part.split("*/", 1)[-1] for part in text.split("/**"))
    declared = [
        word.strip(",").split("[")[0] for each in code.split(";") for word in each.split()[1:]
    ]
    assert sorted(shmkit.Object._fields) == sorted(declared)


@pytest.mark.parametrize("size", [1, 63, 64, 65])
def test_sizes_at_which_there_is_room_for_none_or_one(name: str, size: int) -> None:
    with shmkit.create(name, size) as segment:
        if size >= 64:
            segment.event(0)
        else:
            segment.write(0, b"\xff" * size)
        assert len(objects_of(segment.address)) == (size >= 64)
        segment.unlink()
