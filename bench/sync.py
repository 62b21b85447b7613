# SPDX-License-Identifier: MIT
"""What a mutex and an event cost in Python, beside what Python has already."""

from __future__ import annotations

import multiprocessing
import threading

import shmkit
from measure.compare import compare

SUBJECTS = {
    "with mutex": ("with mutex: pass", 20000),
    "with threading.Lock": ("with thread_lock: pass", 20000),
    "with multiprocessing.Lock": ("with process_lock: pass", 20000),
    "mutex.acquire(), release()": ("acquire(); release()", 20000),
    "threading.Lock.acquire(), release()": ("thread_acquire(); thread_release()", 20000),
    "event.set()": ("event.set()", 20000),
    "threading.Event.set()": ("thread_event.set()", 5000),
    "multiprocessing.Event.set()": ("process_event.set()", 2000),
    "event.is_set()": ("event.is_set()", 20000),
    "event.wait(), which is set": ("event.wait()", 20000),
    "threading.Event.wait(), which is set": ("thread_event.wait()", 5000),
    "segment.add('u64', 0, 1)": ("segment.add('u64', 128, 1)", 20000),
}

RATIOS = [
    ("with mutex", "with threading.Lock", "at most", 2.0),
    ("with multiprocessing.Lock", "with mutex", "at least", 3.0),
    ("threading.Event.set()", "event.set()", "at least", 1.0),
    ("multiprocessing.Event.set()", "event.set()", "at least", 3.0),
]


def main() -> None:
    with shmkit.create("memfd:bench", 4096) as segment:
        mutex, event, thread_lock = segment.mutex(0), segment.event(64), threading.Lock()
        names = {
            "segment": segment,
            "mutex": mutex,
            "acquire": mutex.acquire,
            "release": mutex.release,
            "event": event,
            "thread_lock": thread_lock,
            "thread_acquire": thread_lock.acquire,
            "thread_release": thread_lock.release,
            "thread_event": threading.Event(),
            "process_lock": multiprocessing.Lock(),
            "process_event": multiprocessing.Event(),
        }
        event.set()
        names["thread_event"].set()
        compare(SUBJECTS, RATIOS, names)


main()
