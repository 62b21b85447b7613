# SPDX-License-Identifier: MIT
"""Mutexes between processes and threads, and when their holders end."""

from __future__ import annotations

import contextlib
import copy
import os
import pickle
import signal
import sys
import threading

import pytest
import shmkit
import support

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
        support.wait_until(lambda: support.is_waited_for(mutex))
    waiter.join()
    assert results == [True]


def test_a_thread_that_ends_with_it_has_died(mutex: shmkit.Mutex) -> None:
    support.in_thread(mutex.acquire)
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
        support.wait_until(lambda: support.is_waited_for(mutex))
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
