# SPDX-License-Identifier: MIT
"""What a segment costs in Python, beside what Python has already.

Everything is measured in the same run, in turns of random order, and a ratio is the median over the
rounds of one side's time by the other's: what disturbs the machine for a while disturbs both.
"""

from __future__ import annotations

import ctypes
import os
import platform
import random
import statistics
import sys
import timeit
from multiprocessing import resource_tracker, shared_memory

import shmkit

ROUNDS = 51
OPEN_SEGMENTS = 1000

# Statement and number of calls in a round. Times include the loop around it, some 5 ns.
SUBJECTS = {
    "len(bytearray)": ("len(array)", 20000),
    "segment.size": ("segment.size", 20000),
    "segment.closed": ("segment.closed", 20000),
    "len(segment)": ("len(segment)", 20000),
    "type_size('f64')": ("type_size('f64')", 20000),
    "get, view of a segment": ("view[5]", 20000),
    "get, view of a bytearray": ("plain[5]", 20000),
    "set, view of a segment": ("view[5] = 1.5", 20000),
    "set, view of a bytearray": ("plain[5] = 1.5", 20000),
    "segment.read(0, 64)": ("segment.read(0, 64)", 5000),
    "segment.view('f64')": ("segment.view('f64')", 5000),
    "segment.unpack(0, 'd')": ("segment.unpack(0, 'd')", 5000),
    "open and close, shmkit": ("shmkit.open(name).close()", 200),
    "open and close, SharedMemory": ("SharedMemory(name).close()", 200),
}

# One by other, the limit that was agreed, if any.
RATIOS = [
    ("open and close, SharedMemory", "open and close, shmkit", "at least", 3.0),
    ("get, view of a segment", "get, view of a bytearray", "at most", 1.1),
    ("set, view of a segment", "set, view of a bytearray", "at most", 1.1),
    ("segment.size", "len(bytearray)", "at most", 35 / 16),
    ("segment.closed", "len(bytearray)", "at most", 35 / 16),
    ("len(segment)", "len(bytearray)", "at most", 35 / 16),
]


def measure(segment: shmkit.Segment) -> dict[str, list[float]]:
    """Nanoseconds of a call, of each subject and round."""
    array = bytearray(segment.size)
    names = {
        "array": array,
        "plain": memoryview(array).cast("d"),
        "segment": segment,
        "view": segment.view("f64"),
        "name": segment.name,
        "shmkit": shmkit,
        "type_size": shmkit.type_size,
        "SharedMemory": shared_memory.SharedMemory,
    }
    timers = {title: timeit.Timer(code, globals=names) for title, (code, _) in SUBJECTS.items()}
    times: dict[str, list[float]] = {title: [] for title in SUBJECTS}
    titles = list(SUBJECTS)
    for turn in range(ROUNDS + 1):
        random.shuffle(titles)
        for title in titles:
            calls = SUBJECTS[title][1]
            seconds = timers[title].timeit(calls)
            if turn > 0:  # The first one warms up.
                times[title].append(seconds / calls * 1e9)
    return times


def allocated() -> int:
    """Bytes that the C library's malloc has given out."""
    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    info_type = type(
        "mallinfo2", (ctypes.Structure,), {"_fields_": [(name, ctypes.c_size_t) for name in names]}
    )
    function = ctypes.CDLL(None).mallinfo2
    function.restype = info_type
    return int(function().uordblks)


def heap_of_a_segment(name: str) -> tuple[int, int]:
    """Bytes of heap that an open segment takes: in C, and as Python object."""
    kept = [shmkit.open(name)]
    before = allocated()
    kept += [shmkit.open(name) for _ in range(OPEN_SEGMENTS)]
    in_c = (allocated() - before - sys.getsizeof(kept)) // OPEN_SEGMENTS
    return max(in_c, 0), sys.getsizeof(kept[0])


def main() -> None:
    name = f"shmkit-bench-{os.getpid()}"
    with shmkit.create(name, 4096, lifetime="creator") as segment:
        times = measure(segment)
        in_c, in_python = heap_of_a_segment(name)
        # SharedMemory has told its tracker process to remove the segment when we exit.
        resource_tracker.unregister(f"/{name}", "shared_memory")
    print(f"\nPython {platform.python_version()}, {ROUNDS} rounds, medians, loop included")
    for title, list_of_times in times.items():
        print(f"  {title:<30} {statistics.median(list_of_times):9.1f} ns")
    for one, other, bound, limit in RATIOS:
        ratio = statistics.median(a / b for a, b in zip(times[one], times[other]))
        good = ratio >= limit if bound == "at least" else ratio <= limit
        verdict = "yes" if good else "NO"
        print(f"  {one + ' / ' + other:<54} {ratio:6.2f}  ({bound} {limit:.2f}: {verdict})")
    verdict = "yes" if in_c + in_python < 1024 else "NO"
    print(f"  heap of an open segment: {in_c} + {in_python} bytes  (under 1024: {verdict})")


main()
