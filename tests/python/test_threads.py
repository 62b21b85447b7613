# SPDX-License-Identifier: MIT
"""Threads: calls on one segment at the same time, close among them."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import shmkit


@pytest.fixture(autouse=True)
def switch_often() -> Iterator[None]:
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(old)


def run(*work: Callable[[], Any]) -> None:
    """Run functions in threads that start together; the first exception of one is raised."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(work))

    def call(function: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(function,)) for function in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_waiting_lets_other_threads_run(segment: shmkit.Segment) -> None:
    # Both block until the other has run: this ends only when waiting gives up the GIL.
    one, other = socket.socketpair()
    received: list[shmkit.Segment] = []
    with one, other:
        waiter = threading.Thread(target=lambda: received.append(shmkit.receive(one)))
        waiter.start()
        segment.send(other)
        waiter.join()
    received.pop().close()


@pytest.mark.parametrize("round", range(20))
def test_closing_while_others_use_it_is_safe(name: str, round: int) -> None:
    segment = shmkit.create(name, 1 << 20, capacity=1 << 24)
    segment.unlink()
    data = bytes(1 << 17)

    def use(call: Callable[[], Any]) -> Callable[[], None]:
        def loop() -> None:
            with contextlib.suppress(shmkit.ClosedError):
                while True:
                    call()

        return loop

    def grow() -> None:
        for step in range(2, 10):
            with contextlib.suppress(shmkit.ClosedError):
                segment.grow(step << 20)

    run(
        use(lambda: segment.read(0, 1 << 17)),
        use(lambda: segment.write(1 << 18, data)),
        use(lambda: memoryview(segment)[5]),
        use(segment.refresh),
        grow,
        lambda: (segment.read(), segment.close()),
    )
    assert segment.closed


def test_errors_stay_with_their_thread(segment: shmkit.Segment) -> None:
    def fail(offset: int) -> Callable[[], None]:
        def loop() -> None:
            for _ in range(300):
                with pytest.raises(shmkit.RangeError, match=f" {offset}\\b"):
                    segment.read(offset, 1)

        return loop

    run(fail(5000), fail(6000), fail(7000))


def test_many_threads_open_and_forget(segment: shmkit.Segment) -> None:
    def work() -> None:
        for _ in range(200):
            with shmkit.open(segment.address) as other:
                other.view("u64", 0, 1)[0] += 1

    run(work, work, work, work)


def test_views_are_counted_exactly(segment: shmkit.Segment) -> None:
    def work() -> None:
        for _ in range(500):
            memoryview(segment)[1:].release()
            segment.view("u8")

    run(work, work, work)
    assert segment.views == 0


def test_objects_die_in_other_threads(name: str) -> None:
    def work() -> None:
        for _ in range(100):
            segment = shmkit.create(f"memfd:{name}", 4096)
            holder = [segment.view("u8")]
            del segment
            thread = threading.Thread(target=holder.clear)
            thread.start()
            thread.join()

    run(work, work)
