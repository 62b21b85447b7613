# SPDX-License-Identifier: MIT
"""Event: what happens in one process and is waited for in others."""

from __future__ import annotations

import asyncio
import inspect
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import shmkit
import support


@pytest.fixture
def event(name: str) -> Iterator[shmkit.Event]:
    made = shmkit.Event(f"{name}-event")
    yield made
    made.segment.unlink()
    made.close()


def is_waited_for(event: shmkit.Event) -> bool:
    """Somebody sleeps on it: it is in the word."""
    return bool(event.segment.load("u32", event.offset) & 1)


def set_when_waited_for(event: shmkit.Event) -> threading.Thread:
    def work() -> None:
        support.wait_until(lambda: is_waited_for(event))
        event.set()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_it_is_used_as_an_event(event: shmkit.Event) -> None:
    assert not event.is_set()
    assert event.wait(timeout=0) is False
    assert event.wait(timeout=0.001) is False
    assert event.set() is None
    assert event.is_set()
    assert event.wait() is True
    assert event.wait(timeout=1) is True
    assert event.clear() is None
    assert not event.is_set()
    assert event.wait(timeout=1e-12) is False


def test_a_sequence_waits_for_the_next_time(event: shmkit.Event) -> None:
    sequence = event.sequence
    assert sequence == 0
    assert event.wait(sequence, timeout=0) is False
    event.set()
    event.clear()
    assert event.sequence == 1
    assert event.wait(sequence) is True
    assert event.wait(since=sequence, timeout=0) is True
    assert event.wait(event.sequence, timeout=0.001) is False
    event.set()
    assert event.wait(event.sequence, timeout=0.001) is False
    assert event.wait(timeout=0) is True


def test_waiting_lets_other_threads_run(event: shmkit.Event) -> None:
    for wait in (
        event.wait,
        lambda: event.wait(event.sequence),
        lambda: event.wait(timeout=1000),
        lambda: shmkit.wait_any([event]) is event,
    ):
        thread = set_when_waited_for(event)
        assert wait() is True
        thread.join()
        event.clear()


def test_what_is_set_and_cleared_at_once_is_not_missed(event: shmkit.Event) -> None:
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    done: list[bool] = []
    try:
        thread = threading.Thread(target=lambda: done.append(event.wait()))
        thread.start()
        support.wait_until(lambda: is_waited_for(event))
        event.set()
        event.clear()
        thread.join()
    finally:
        sys.setswitchinterval(old)
    assert done == [True]


@pytest.mark.parametrize("timeout", [-1, -0.5, float("nan"), float("-inf")])
def test_timeouts_that_cannot_be_are_value_errors(event: shmkit.Event, timeout: float) -> None:
    event.set()
    with pytest.raises(ValueError, match="timeout") as raised:
        event.wait(timeout=timeout)
    assert isinstance(raised.value, shmkit.InvalidError)
    with pytest.raises(ValueError, match="timeout"):
        shmkit.wait_any([event], timeout=timeout)
    with pytest.raises(ValueError, match="timeout"):
        asyncio.run(event.wait_async(timeout=timeout))
    with pytest.raises(TypeError):
        event.wait(timeout=cast(Any, "1"))
    with pytest.raises(TypeError, match="timeout="):
        event.wait(cast(Any, 0.5))
    with pytest.raises(TypeError):
        event.wait(cast(Any, "1"))
    for sequence in (-1, 2**29, 2**32, 2**70):
        with pytest.raises(shmkit.InvalidError):
            event.wait(sequence)


def test_it_lies_in_any_segment(segment: shmkit.Segment) -> None:
    event = segment.event(128)
    assert type(event) is shmkit.Event
    assert (event.offset, event.segment) == (128, segment)
    event.set()
    assert segment.load("u32", 128) >> 3 == 1
    for offset in (1, 4095):
        with pytest.raises(shmkit.InvalidError, match="64"):
            segment.event(offset)
    with pytest.raises(shmkit.RangeError):
        segment.event(4096)
    with shmkit.create("sysv:private", 4096) as other:
        other.unlink()
        there = other.event(0)
        there.set()
        assert there.wait(timeout=0)


def test_who_only_reads_can_wait(segment: shmkit.Segment) -> None:
    event = segment.event(0)
    with shmkit.open(segment.address, readonly=True) as reader:
        there = reader.event(0)
        for call in (there.set, there.clear, there.always_wake):
            with pytest.raises(PermissionError, match="read-only"):
                call()
        assert there.wait(timeout=0.01) is False
        event.always_wake()
        thread = threading.Thread(target=event.set)
        thread.start()
        assert there.wait()
        thread.join()


def test_it_says_what_it_is(event: shmkit.Event) -> None:
    address = event.segment.address
    assert repr(event) == f"<Event in '{address}', not set>"
    event.set()
    assert repr(event) == f"<Event in '{address}', set>"
    other = shmkit.Event(address)
    other.close()
    assert repr(other) == f"<Event in '{address}', closed>"
    assert "never made" in repr(cast(Any, shmkit.Event).__base__())
    signature = inspect.signature(shmkit.Event.wait)
    assert str(signature) == "(self, /, since=None, *, timeout=None)"


def test_a_closed_one_says_so(name: str) -> None:
    event = shmkit.Event(name, lifetime="creator")
    event.close()
    event.close()
    assert event.closed
    assert event.segment.closed
    calls = [
        event.set,
        event.clear,
        event.is_set,
        event.wait,
        event.fileno,
        event.always_wake,
        lambda: event.sequence,
        lambda: event.offset,
        lambda: shmkit.wait_any([event]),
        lambda: asyncio.run(event.wait_async()),
        lambda: pickle.dumps(event),
    ]
    for call in calls:
        with pytest.raises(shmkit.ClosedError):
            call()


def test_closing_while_another_thread_waits_ends_the_wait(event: shmkit.Event) -> None:
    for wait in (lambda e: e.wait(), lambda e: shmkit.wait_any([event, e])):
        other = shmkit.Event(event.segment.address)
        failures: list[type] = []

        def work(wait: Any = wait, other: Any = other, failures: Any = failures) -> None:
            try:
                wait(other)
            except shmkit.ClosedError as error:
                failures.append(type(error))

        thread = threading.Thread(target=work)
        thread.start()
        support.wait_until(lambda: is_waited_for(event))
        other.close()
        thread.join()
        assert failures == [shmkit.ClosedError]
        assert other.segment.closed
        event.set()
        event.clear()


def test_closing_while_tasks_wait_ends_their_wait(name: str) -> None:
    async def main(close: Callable[[shmkit.Event], object]) -> list[Any]:
        event = shmkit.Event(name, lifetime="creator")
        waiters = [asyncio.ensure_future(event.wait_async(timeout=60)) for _ in range(3)]
        await asyncio.sleep(0.01)
        close(event)
        ended = await asyncio.gather(*waiters, return_exceptions=True)
        assert event.segment.closed
        return [type(end) for end in ended]

    def close_in_thread(event: shmkit.Event) -> None:
        threading.Thread(target=event.close).start()

    for close in (shmkit.Event.close, close_in_thread):
        assert asyncio.run(main(close)) == [shmkit.ClosedError] * 3


# ---- Several ---------------------------------------------------------------------------------


def test_the_first_of_several_is_found(segment: shmkit.Segment) -> None:
    events = [segment.event(64 * i) for i in range(64)]
    assert shmkit.wait_any(events, timeout=0) is None
    assert shmkit.wait_any(iter(events), timeout=0.01) is None
    for event in events[::21]:
        event.set()
        assert shmkit.wait_any(events) is event
        event.clear()
        thread = set_when_waited_for(event)
        assert shmkit.wait_any(events, timeout=1000) is event
        thread.join()
        event.clear()
    before = [event.sequence for event in events]
    assert shmkit.wait_any(events, before, timeout=0) is None
    events[5].set()
    events[5].clear()
    assert shmkit.wait_any(events, timeout=0) is None
    assert shmkit.wait_any(events, before) is events[5]


def test_several_that_cannot_be_waited_for_are_refused(segment: shmkit.Segment) -> None:
    event = segment.event(0)
    with pytest.raises(shmkit.InvalidError, match="0 events"):
        shmkit.wait_any([])
    with pytest.raises(shmkit.InvalidError, match="129 events"):
        shmkit.wait_any([event] * 129)
    with pytest.raises(shmkit.InvalidError, match="1 events and 2 sequences"):
        shmkit.wait_any([event], [0, 0])
    for wrong in (None, 5, [5], [segment], [event, None]):
        with pytest.raises(TypeError):
            shmkit.wait_any(cast(Any, wrong))
    with pytest.raises(TypeError):
        shmkit.wait_any([event], cast(Any, [None]))
    with pytest.raises(TypeError):
        shmkit.wait_any([event], cast(Any, [0.5]))
    event.set()
    assert shmkit.wait_any([event] * 128) is event


# ---- Processes -------------------------------------------------------------------------------


def test_processes_hand_over_to_each_other(segment: shmkit.Segment) -> None:
    code = """
import shmkit
segment = shmkit.open(sys.argv[1])
ping, pong = segment.event(0), segment.event(64)
for seen in range(200):
    ping.wait(seen)
    pong.set()
"""
    ping, pong = segment.event(0), segment.event(64)

    def play() -> None:
        for seen in range(200):
            ping.set()
            pong.wait(seen)

    player = threading.Thread(target=play)
    player.start()
    with support.another_process(code, segment.name):
        pass
    player.join()
    assert (ping.sequence, pong.sequence) == (200, 200)


def test_a_killed_process_that_waited_disturbs_nobody(event: shmkit.Event) -> None:
    code = """
import shmkit, threading
event = shmkit.Event(sys.argv[1])
threading.Thread(target=event.wait, daemon=True).start()
while not event.segment.load("u32", 0) & 1:
    pass
"""
    with support.killed_process(code, event.segment.name):
        pass
    event.set()
    assert event.wait(timeout=0)


def test_a_pickled_one_is_the_same_event(event: shmkit.Event, segment: shmkit.Segment) -> None:
    for one in (event, segment.event(64)):
        other = pickle.loads(pickle.dumps(one))
        assert type(other) is shmkit.Event
        assert (other.segment.address, other.offset) == (one.segment.address, one.offset)
        other.set()
        assert one.is_set()
        other.close()


WORK = """
import multiprocessing, shmkit, sys

def work(event, inside):
    event.wait()
    inside.set()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    event = shmkit.Event(sys.argv[1])
    with shmkit.create(sys.argv[3], 4096) as segment:
        inside = segment.event(64)
        children = [context.Process(target=work, args=(event, inside)) for _ in range(3)]
        for child in children:
            child.start()
        event.set()
        for child in children:
            child.join()
        print(inside.sequence, [child.exitcode for child in children])
        if segment.kind == "posix":
            segment.unlink()
    event.segment.unlink()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_every_way_to_start_a_process_passes_it_on(
    name: str, tmp_path: object, method: str
) -> None:
    script = os.path.join(str(tmp_path), "work.py")
    with open(script, "w") as file:
        file.write(WORK)
    printed = support.run_script(script, name, method, f"{name}-segment")
    assert printed == "3 [0, 0, 0]\n"


INTERRUPTED = """
import shmkit, support, sys

segment = shmkit.create(sys.argv[1], 192)
segment.unlink()
events = [segment.event(offset) for offset in (0, 64, 128)]
waits = [
    lambda e: e.wait(),
    lambda e: e.wait(e.sequence, timeout=1000),
    lambda e: shmkit.wait_any([e]),
]
for event, wait in zip(events, waits):
    support.interrupt_when(lambda: segment.load("u32", event.offset) & 1)
    try:
        wait(event)
    except KeyboardInterrupt:
        print("interrupted")
"""


def test_ctrl_c_ends_a_wait(name: str) -> None:
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    printed = support.run_python(INTERRUPTED, name, PYTHONPATH=path)
    assert printed == "interrupted\n" * 3


# ---- Event loops -----------------------------------------------------------------------------


def test_its_descriptor_gets_readable_when_it_fires() -> None:
    code = """
import os, select, shmkit
event = shmkit.create("memfd:x", 64).event(0)
descriptor = event.fileno()
assert event.fileno() == descriptor
for _ in range(3):
    assert select.select([event], [], [], 0) == ([], [], [])
    event.set()
    assert select.select([event], [], []) == ([event], [], [])
    assert len(os.read(descriptor, 8)) == 8
event.close()
"""
    support.run_python(code)


ASYNC = """
import asyncio, shmkit

async def main():
    segment = shmkit.create("memfd:x", 128)
    event, other = segment.event(0), segment.event(64)
    assert await event.wait_async(timeout=0) is False
    assert await event.wait_async(timeout=0.01) is False
    waiters = [asyncio.ensure_future(event.wait_async()) for _ in range(5)]
    waiters.append(asyncio.ensure_future(event.wait_async(event.sequence, timeout=1000)))
    never = asyncio.ensure_future(other.wait_async())
    await asyncio.sleep(0)
    event.set()
    event.clear()
    assert await asyncio.gather(*waiters) == [True] * 6
    assert await event.wait_async(0) is True
    assert not never.done()
    never.cancel()
    ended = await asyncio.gather(never, return_exceptions=True)
    assert isinstance(ended[0], asyncio.CancelledError)
    event.set()
    assert await event.wait_async() is True

asyncio.run(main())
print("done")
"""


def test_tasks_wait_while_others_run() -> None:
    assert support.run_python(ASYNC) == "done\n"


def test_a_child_has_descriptors_of_its_own() -> None:
    code = """
import os, select, shmkit
event = shmkit.create("memfd:x", 64).event(0)
event.fileno()
child = os.fork()
if child == 0:
    own = event.fileno()
    event.set()
    ready, _, _ = select.select([own], [], [])
    os._exit(0 if ready else 1)
assert os.waitpid(child, 0)[1] == 0
select.select([event], [], [])
"""
    support.run_python(code)
