# SPDX-License-Identifier: MIT
"""What a segment costs in Python, beside what Python has already."""

from __future__ import annotations

import ctypes
import os
import sys
from multiprocessing import resource_tracker, shared_memory

import shmkit
from measure.compare import compare

OPEN_SEGMENTS = 1000

# Times include the loop around the statement, some 5 ns.
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

RATIOS = [
    ("open and close, SharedMemory", "open and close, shmkit", "at least", 3.0),
    ("get, view of a segment", "get, view of a bytearray", "at most", 1.1),
    ("set, view of a segment", "set, view of a bytearray", "at most", 1.1),
    ("segment.size", "len(bytearray)", "at most", 35 / 16),
    ("segment.closed", "len(bytearray)", "at most", 35 / 16),
    ("len(segment)", "len(bytearray)", "at most", 35 / 16),
]


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
        compare(SUBJECTS, RATIOS, names)
        in_c, in_python = heap_of_a_segment(name)
        # SharedMemory has told its tracker process to remove the segment when we exit.
        resource_tracker.unregister(f"/{name}", "shared_memory")
    verdict = "yes" if in_c + in_python < 1024 else "NO"
    print(f"  heap of an open segment: {in_c} + {in_python} bytes  (under 1024: {verdict})")


main()
