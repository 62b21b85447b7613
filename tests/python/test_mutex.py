# SPDX-License-Identifier: MIT
"""Mutex: one holder at a time, whatever happens to it, used as a threading.Lock."""

from __future__ import annotations

import contextlib
import copy
import gc
import inspect
import io
import os
import pickle
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import shmkit
import support


@pytest.fixture
def mutex(name: str) -> Iterator[shmkit.Mutex]:
    made = shmkit.Mutex(f"{name}-mutex")
    yield made
    made.segment.unlink()
    made.close()


def is_waited_for(mutex: shmkit.Mutex) -> bool:
    """Somebody sleeps on it: it is in the word."""
    return bool(mutex.segment.load("u32", mutex.offset) >> 31)


def in_thread(work: Any) -> Any:
    """The result of a function in another thread; what it raises is raised here."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


# ---- As a threading.Lock ---------------------------------------------------------------------


def test_it_is_used_as_a_lock(mutex: shmkit.Mutex) -> None:
    assert not mutex.locked()
    with mutex as state:
        assert state is mutex
        assert not state.owner_died
        assert mutex.locked()
    assert not mutex.locked()
    assert mutex.acquire() is True
    assert in_thread(mutex.locked)
    assert in_thread(lambda: mutex.acquire(False)) is False
    assert in_thread(lambda: mutex.acquire(blocking=False)) is False
    assert in_thread(lambda: mutex.acquire(timeout=0.01)) is False
    assert in_thread(lambda: mutex.acquire(True, 0)) is False
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
        assert not in_thread(mutex.look).mine
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
        in_thread(mutex.release)
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
    assert in_thread(lambda: mutex.acquire(timeout=1e-12)) is False
    mutex.release()


def test_it_says_what_it_is(mutex: shmkit.Mutex) -> None:
    address = mutex.segment.address
    assert repr(mutex) == f"<Mutex in '{address}', unlocked>"
    with mutex:
        assert repr(mutex) == f"<Mutex in '{address}', locked by this thread>"
        assert in_thread(lambda: repr(mutex)) == f"<Mutex in '{address}', locked>"
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
        support.wait_until(lambda: is_waited_for(mutex))
        other.close()

    with mutex:
        thread = threading.Thread(target=close)
        thread.start()
        with pytest.raises(shmkit.ClosedError):
            in_thread(other.acquire)
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
        assert not in_thread(lambda: mutex.acquire(timeout=0.001))
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


# ---- Processes -------------------------------------------------------------------------------

HOLD = """
import shmkit
mutex = shmkit.Mutex(sys.argv[1])
mutex.acquire()
"""


def test_a_killed_holder_is_told_to_the_next_one_once(mutex: shmkit.Mutex) -> None:
    with support.killed_process(HOLD, mutex.segment.name):
        assert mutex.locked()
        assert not mutex.acquire(blocking=False)
    assert not mutex.locked()
    assert mutex.look().owner_died
    assert "its owner died" in repr(mutex)
    with mutex as state:
        assert state.owner_died
    assert mutex.owner_died
    with mutex as state:
        assert not state.owner_died


def test_who_waits_gets_it_when_its_holder_is_killed(mutex: shmkit.Mutex) -> None:
    def wait() -> bool:
        with mutex as state:
            return state.owner_died

    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(wait()))
    with support.killed_process(HOLD, mutex.segment.name):
        waiter.start()
        support.wait_until(lambda: is_waited_for(mutex))
    waiter.join()
    assert results == [True]


def test_a_thread_that_ends_with_it_has_died(mutex: shmkit.Mutex) -> None:
    in_thread(mutex.acquire)
    assert mutex.acquire()
    assert mutex.owner_died
    mutex.release()


def test_a_stopped_holder_holds_it(mutex: shmkit.Mutex) -> None:
    with support.killed_process(HOLD, mutex.segment.name) as holder:
        os.kill(holder, signal.SIGSTOP)
        support.wait_until(lambda: support.process_state(holder) == "T")
        # Long enough to ask whether it lives.
        assert not mutex.acquire(timeout=0.2)
        os.kill(holder, signal.SIGCONT)
        assert mutex.locked()


def test_closing_all_descriptors_changes_nothing(mutex: shmkit.Mutex) -> None:
    close = "import os\nos.closerange(3, 1024)\nmutex.release()\nmutex.acquire()\n"
    with support.killed_process(HOLD + close, mutex.segment.name):
        assert not mutex.acquire(timeout=0.2)
        assert mutex.locked()
    with mutex as state:
        assert state.owner_died


def test_another_program_in_the_same_process_does_not_hold_it(mutex: shmkit.Mutex) -> None:
    run = "import os\nos.execlp('sh', 'sh', '-c', 'echo ready; exec cat')\n"
    with support.killed_process(HOLD + run, mutex.segment.name), mutex as state:
        assert state.owner_died


def test_a_forked_child_holds_nothing(mutex: shmkit.Mutex) -> None:
    def child() -> None:
        assert not mutex.acquire(blocking=False)
        with pytest.raises(shmkit.NotHeldError):
            mutex.release()
        assert not mutex.look().mine

    with mutex:
        with support.forked(child):
            pass
        assert mutex.look().mine
    with support.forked(lambda: mutex.acquire() and None):
        pass
    with mutex as state:
        assert state.owner_died


def test_a_pickled_one_is_the_same_mutex(mutex: shmkit.Mutex, segment: shmkit.Segment) -> None:
    inside = segment.mutex(128)
    for one in (mutex, inside):
        copies = [
            pickle.loads(pickle.dumps(one, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ]
        copies.append(copy.copy(one))
        for other in copies:
            assert (other.segment.address, other.offset) == (one.segment.address, one.offset)
            with one, pytest.raises(shmkit.DeadlockError):
                other.acquire()
            other.close()


WORK = """
import multiprocessing, shmkit, sys

def work(mutex, inside, count):
    for _ in range(500):
        with mutex as state:
            assert not state.owner_died
            count[0] = count[0] + 1
        with inside:
            count[1] = count[1] + 1

def start(segment, mutex, inside):
    work(mutex, inside, segment.view("u32", 64))

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    mutex = shmkit.Mutex(sys.argv[1])
    with shmkit.create(sys.argv[3], 4096) as segment:
        inside = segment.mutex(0)
        arguments = (segment, mutex, inside)
        children = [context.Process(target=start, args=arguments) for _ in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        print(segment.unpack(64, "2I"), [child.exitcode for child in children])
        segment.unlink() if segment.kind == "posix" else None
    mutex.segment.unlink()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", ["posix:/", "memfd:"])
def test_every_way_to_start_a_process_passes_it_on(
    name: str, tmp_path: object, method: str, kind: str
) -> None:
    script = os.path.join(str(tmp_path), "work.py")
    with open(script, "w") as file:
        file.write(WORK)
    printed = support.run_script(script, name, method, f"{kind}{name}-segment")
    assert printed == "(1500, 1500) [0, 0, 0]\n"


# ---- Waiting ---------------------------------------------------------------------------------


def test_threads_and_processes_take_turns(segment: shmkit.Segment) -> None:
    code = """
import shmkit
segment = shmkit.open(sys.argv[1])
mutex, count = segment.mutex(0), segment.view("u64", 64, 1)
for _ in range(2000):
    with mutex:
        before = count[0]
        count[0] = before + 1
"""

    def work() -> None:
        mutex, count = segment.mutex(0), segment.view("u64", 64, 1)
        for _ in range(2000):
            with mutex:
                before = count[0]
                count[0] = before + 1

    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        with contextlib.ExitStack() as processes:
            for _ in range(2):
                processes.enter_context(support.another_process(code, segment.name))
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(old)
    assert segment.load("u64", 64) == 10000


def test_waiting_lets_other_threads_run(mutex: shmkit.Mutex) -> None:
    # Ends only when waiting gives up the GIL: the holder needs it to go on.
    def wait() -> None:
        with mutex:
            pass

    with mutex:
        waiters = [threading.Thread(target=wait) for _ in range(4)]
        for waiter in waiters:
            waiter.start()
        support.wait_until(lambda: is_waited_for(mutex))
    for waiter in waiters:
        waiter.join()
    assert not mutex.owner_died


INTERRUPTED = """
import shmkit, signal, support, sys, threading

segment = shmkit.create(sys.argv[1], 192)
segment.unlink()
mutexes = [segment.mutex(offset) for offset in (0, 64, 128)]
ready, done = threading.Event(), threading.Event()

def hold():
    with mutexes[0], mutexes[1], mutexes[2]:
        ready.set()
        done.wait()

holder = threading.Thread(target=hold)
holder.start()
ready.wait()
for mutex in mutexes[:2]:
    support.interrupt_when(lambda: segment.load("u32", mutex.offset) >> 31)
    try:
        if mutex.offset:
            mutex.acquire(timeout=1000)
        else:
            mutex.__enter__()
    except KeyboardInterrupt:
        print("interrupted")

handled = []
signal.signal(signal.SIGUSR1, lambda *_: handled.append(1))

def poke():
    support.wait_until(lambda: segment.load("u32", 128) >> 31)
    while len(handled) < 10:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        support.wait_until(lambda: handled)
    done.set()

poker = threading.Thread(target=poke)
poker.start()
print(mutexes[2].acquire(timeout=1000), len(handled) > 0)
mutexes[2].release()
poker.join()
holder.join()
"""


def test_signals_interrupt_a_wait_or_it_goes_on(name: str) -> None:
    here = os.path.dirname(__file__)
    path = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    printed = support.run_python(INTERRUPTED, name, PYTHONPATH=path)
    assert printed == "interrupted\ninterrupted\nTrue True\n"
