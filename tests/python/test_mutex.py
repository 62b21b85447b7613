# SPDX-License-Identifier: MIT
"""Mutex: one holder at a time, used as a threading.Lock."""

from __future__ import annotations

import gc
import inspect
import io
import os
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any, cast

import pytest
import shmkit
import support

# ---- As a threading.Lock ---------------------------------------------------------------------


def test_it_is_used_as_a_lock(mutex: shmkit.Mutex) -> None:
    assert not mutex.locked()
    with mutex as state:
        assert state is mutex
        assert not state.owner_died
        assert mutex.locked()
    assert not mutex.locked()
    assert mutex.acquire() is True
    assert support.in_thread(mutex.locked)
    assert support.in_thread(lambda: mutex.acquire(False)) is False
    assert support.in_thread(lambda: mutex.acquire(blocking=False)) is False
    assert support.in_thread(lambda: mutex.acquire(timeout=0.01)) is False
    assert support.in_thread(lambda: mutex.acquire(True, 0)) is False
    assert mutex.release() is None
    assert mutex.acquire(timeout=None)
    mutex.release()


@pytest.mark.parametrize("offset", [0, 64, 4032])
def test_zeros_in_a_segment_are_an_unlocked_one(segment: shmkit.Segment, offset: int) -> None:
    mutex = segment.mutex(offset)
    assert type(mutex) is shmkit.Mutex
    assert (mutex.offset, mutex.segment) == (offset, segment)
    assert mutex.look() == (False, False, False, 0)
    with mutex:
        state = mutex.look()
        assert (state.locked, state.mine, state.owner_died) == (True, True, False)
        assert state.identity == segment.load("u32", offset)
        assert not support.in_thread(mutex.look).mine
    assert segment.load("u32", offset) == 0


def test_an_exception_leaves_it_unlocked_and_goes_on(mutex: shmkit.Mutex) -> None:
    with pytest.raises(KeyError), mutex:
        raise KeyError
    assert not mutex.locked()


def test_who_holds_it_cannot_lock_it_again(mutex: shmkit.Mutex) -> None:
    same = shmkit.Mutex(mutex.segment.address)
    with mutex:
        for again in (mutex, same):
            with pytest.raises(RuntimeError, match=mutex.segment.address) as raised:
                again.acquire()
            assert type(raised.value) is shmkit.DeadlockError
            assert raised.value.symbol == "EDEADLK"
            with pytest.raises(shmkit.DeadlockError):
                again.acquire(blocking=False)
    same.close()


def test_who_does_not_hold_it_cannot_release_it(mutex: shmkit.Mutex) -> None:
    with pytest.raises(RuntimeError, match="not locked") as raised:
        mutex.release()
    assert type(raised.value) is shmkit.NotHeldError
    assert (raised.value.symbol, raised.value.filename) == ("EPERM", mutex.segment.address)
    with mutex, pytest.raises(shmkit.NotHeldError, match="does not hold it"):
        support.in_thread(mutex.release)
    assert not mutex.locked()


@pytest.mark.parametrize("timeout", [-0.5, -2, float("nan"), float("-inf"), -1e300])
def test_timeouts_that_cannot_be_are_value_errors(mutex: shmkit.Mutex, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout") as raised:
        mutex.acquire(timeout=timeout)
    assert isinstance(raised.value, shmkit.InvalidError)
    with pytest.raises(ValueError, match="timeout"):
        mutex.acquire(False, 1)
    with pytest.raises(ValueError, match="timeout"):
        mutex.acquire(False, 0)
    for wrong in ("1", b"", [], 1j):
        with pytest.raises(TypeError, match="timeout"):
            mutex.acquire(timeout=cast(Any, wrong))
    assert not mutex.locked()


@pytest.mark.parametrize("timeout", [0, 1e-12, 1, 1e10, 1e300, float("inf"), -1, -1.0, None])
def test_every_other_timeout_is_taken(mutex: shmkit.Mutex, timeout: float | None) -> None:
    assert mutex.acquire(timeout=timeout)
    assert support.in_thread(lambda: mutex.acquire(timeout=1e-12)) is False
    mutex.release()


def test_it_says_what_it_is(mutex: shmkit.Mutex) -> None:
    address = mutex.segment.address
    assert repr(mutex) == f"<Mutex in '{address}', unlocked>"
    with mutex:
        assert repr(mutex) == f"<Mutex in '{address}', locked by this thread>"
        assert support.in_thread(lambda: repr(mutex)) == f"<Mutex in '{address}', locked>"
    other = shmkit.Mutex(address)
    other.close()
    assert repr(other) == f"<Mutex in '{address}', closed>"
    assert list(inspect.signature(shmkit.Mutex.acquire).parameters) == [
        "self",
        "blocking",
        "timeout",
    ]
    assert mutex == mutex
    assert len({mutex, other}) == 2


def test_a_condition_can_stand_on_it(mutex: shmkit.Mutex) -> None:
    condition = threading.Condition(cast(Any, mutex))
    ready: list[int] = []

    def work() -> None:
        with condition:
            ready.append(1)
            condition.notify()

    with condition:
        thread = threading.Thread(target=work)
        thread.start()
        condition.wait_for(lambda: ready)
    thread.join()
    assert not mutex.locked()


# ---- Its segment -----------------------------------------------------------------------------


def test_its_segment_is_persistent_unless_asked(name: str) -> None:
    mutex = shmkit.Mutex(name, mode=0o640)
    assert mutex.segment.created
    assert (mutex.segment.size, mutex.segment.lifetime) == (64, "persistent")
    assert os.stat(f"/dev/shm/{name}").st_mode & 0o777 == 0o640
    mutex.close()
    assert mutex.segment.closed
    again = shmkit.Mutex(name)
    assert not again.segment.created
    again.segment.unlink()
    again.close()
    passing = shmkit.Mutex(name, lifetime="creator")
    passing.close()
    assert not os.path.exists(f"/dev/shm/{name}")


@pytest.mark.parametrize("make", [shmkit.Mutex, shmkit.Event])
def test_no_segment_stays_open_in_which_it_cannot_be(name: str, make: Callable[..., Any]) -> None:
    segment = shmkit.create(name, 64, lifetime="last", content=b"something else")
    with segment, pytest.raises(shmkit.CorruptError) as failure:
        make(name, lifetime="last")
    # Its traceback keeps all objects that were in use.
    assert failure.tb is not None
    assert not os.path.exists(f"/dev/shm/{name}")


def test_where_none_can_be_it_says_why(segment: shmkit.Segment) -> None:
    for offset in (1, 32, 4095):
        with pytest.raises(shmkit.InvalidError, match="64"):
            segment.mutex(offset)
    for offset in (4096, 2**64 - 64, -64, 2**70):
        with pytest.raises(shmkit.RangeError, match=segment.address):
            segment.mutex(offset)
    with pytest.raises(TypeError):
        segment.mutex(cast(Any, "0"))
    with (
        shmkit.open(segment.address, readonly=True) as reader,
        pytest.raises(PermissionError, match="read-only"),
    ):
        reader.mutex(0)
    with shmkit.create("sysv:private", 4096) as other:
        other.unlink()
        with pytest.raises(io.UnsupportedOperation, match="System V"):
            other.mutex(0)
    with pytest.raises(io.UnsupportedOperation):
        shmkit.Mutex("sysv:private")
    with pytest.raises(shmkit.IncompatibleError), shmkit.create("memfd:x", 1) as small:
        shmkit.Mutex(f"fd:{small.fileno()}")


def test_bytes_that_are_no_mutex_are_corrupt(segment: shmkit.Segment) -> None:
    mutex = segment.mutex(0)
    segment.store("u32", 0, 1 << 30 | 5)
    with pytest.raises(shmkit.CorruptError):
        mutex.look()
    assert "unknown" in repr(mutex)
    segment.write(64, b"something else")
    with pytest.raises(shmkit.CorruptError, match="neither zeros nor a mutex"):
        segment.mutex(64)


def test_an_event_is_no_mutex(segment: shmkit.Segment) -> None:
    segment.event(0)
    with pytest.raises(shmkit.IncompatibleError, match="there is an event"):
        segment.mutex(0)
    segment.mutex(64)
    with pytest.raises(shmkit.IncompatibleError, match="there is a mutex"):
        segment.event(64)


# ---- Life ------------------------------------------------------------------------------------


def test_a_closed_one_says_so(name: str) -> None:
    mutex = shmkit.Mutex(name)
    mutex.segment.unlink()
    mutex.close()
    mutex.close()
    assert mutex.closed
    calls = [
        mutex.acquire,
        mutex.release,
        mutex.locked,
        mutex.look,
        mutex.__enter__,
        lambda: mutex.offset,
        lambda: pickle.dumps(mutex),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="closed") as raised:
            call()
        assert isinstance(raised.value, shmkit.ClosedError)


def test_a_half_made_one_does_nothing(segment: shmkit.Segment) -> None:
    mutex = cast(Any, shmkit.Mutex).__base__()
    assert mutex.closed
    mutex.close()
    for call in (mutex.acquire, mutex.release, mutex.locked, lambda: mutex.segment):
        with pytest.raises(shmkit.ClosedError, match="never made"):
            call()
    assert "never made" in repr(mutex)
    for wrong in (segment, None, 5):
        with pytest.raises(TypeError):
            cast(Any, shmkit.Mutex).acquire(wrong)
        with pytest.raises(TypeError):
            cast(Any, segment)._mutex(wrong, 0, False)


def test_closing_while_it_is_held_waits_for_the_release(mutex: shmkit.Mutex) -> None:
    other = shmkit.Mutex(mutex.segment.address)
    with other:
        other.close()
        assert other.closed
        assert mutex.locked()
        with pytest.raises(shmkit.ClosedError):
            other.locked()
    assert not mutex.locked()
    assert other.segment.closed
    with mutex as state:
        assert not state.owner_died


def test_closing_what_nobody_holds_any_more_ends_it(mutex: shmkit.Mutex) -> None:
    def opened() -> shmkit.Mutex:
        return shmkit.Mutex(mutex.segment.address)

    def child() -> None:
        held.close()
        assert held.segment.closed

    with opened() as held, support.forked(child):
        pass
    dead = opened()
    thread = threading.Thread(target=dead.acquire)
    thread.start()
    thread.join()
    support.wait_until(lambda: dead.look().owner_died)
    dead.close()
    assert dead.segment.closed
    released = opened()
    released.acquire()
    mutex.release()
    released.close()
    assert released.segment.closed


def test_closing_while_another_thread_waits_ends_the_wait(mutex: shmkit.Mutex) -> None:
    other = shmkit.Mutex(mutex.segment.address)

    def close() -> None:
        support.wait_until(lambda: support.is_waited_for(mutex))
        other.close()

    with mutex:
        thread = threading.Thread(target=close)
        thread.start()
        with pytest.raises(shmkit.ClosedError):
            support.in_thread(other.acquire)
        thread.join()
    assert not mutex.locked()
    assert other.segment.closed


def test_it_outlives_the_close_of_its_segment(name: str) -> None:
    segment = shmkit.create(name, 128)
    mutex = segment.mutex(64)
    segment.unlink()
    segment.close()
    with mutex:
        assert mutex.locked()
        assert not support.in_thread(lambda: mutex.acquire(timeout=0.001))
    mutex.close()


def test_cycles_are_collected(name: str) -> None:
    mutex = shmkit.Mutex(name, lifetime="creator")
    cast(Any, mutex).self = mutex
    cast(Any, mutex.segment).mutex_of_it = mutex
    alive = weakref.ref(mutex)
    del mutex
    gc.collect()
    assert alive() is None
    assert not os.path.exists(f"/dev/shm/{name}")


def test_a_subclass_is_a_mutex(name: str) -> None:
    class Counting(shmkit.Mutex):
        count = 0

        def __enter__(self: Any) -> Any:
            super().__enter__()
            self.count += 1
            return self

    mutex = Counting(name, lifetime="creator")
    with mutex, pytest.raises(shmkit.DeadlockError):
        mutex.acquire()
    assert mutex.count == 1
    mutex.close()
