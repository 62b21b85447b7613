# SPDX-License-Identifier: MIT
"""Programs that close every descriptor and open their own files: shmkit never touches those."""

from __future__ import annotations

import shmkit
import support

CLOSE_ALL = """
import os, shmkit, sys, tempfile
segment = {make}
view = segment.view("u8")
segment.write(0, b"before")
low, high = 3, 200
os.closerange(low, high)
# The number of the segment's descriptor is somebody else's file now.
files = [tempfile.TemporaryFile(buffering=0) for _ in range(20)]
for file in files:
    file.write(b"precious")
"""

CHECK = """
for file in files:
    file.seek(0)
    assert file.read() == b"precious"
    file.close()
"""


def run(make: str, work: str, name: str) -> str:
    return support.run_python(CLOSE_ALL.format(make=make) + work + CHECK, name)


def test_a_segment_works_after_its_descriptor_was_closed(name: str) -> None:
    work = """
assert segment.read(0, 6) == b"before"
segment.write(0, b"after!")
assert bytes(view[0:6]) == b"after!"
segment.refresh()
segment.grow(8192)
assert segment.fileno() not in [file.fileno() for file in files]
segment.unlink()
segment.close()
view.release()
"""
    run("shmkit.create(sys.argv[1], 4096, capacity=1 << 16)", work, name)


def test_a_segment_without_a_name_goes_on_as_mapping(name: str) -> None:
    work = """
assert segment.read(0, 6) == b"before"
segment.write(0, b"after!")
assert bytes(view[0:6]) == b"after!"
for call in segment.refresh, segment.fileno, lambda: segment.grow(8192), lambda: segment.seals:
    try:
        call()
    except shmkit.Error as error:
        assert "memfd:" in str(error), error
        assert error.symbol == "ESTALE" and not isinstance(error, ValueError), repr(error)
    else:
        raise AssertionError(call)
segment.close()
"""
    run("shmkit.create('memfd:' + sys.argv[1], 4096, capacity=1 << 16)", work, name)


def test_nothing_is_closed_when_the_segment_ends(name: str) -> None:
    work = "segment.unlink(); segment.close(); del segment, view"
    run("shmkit.create(sys.argv[1], 4096)", work, name)


def test_lifetimes_end_as_they_should(name: str) -> None:
    for lifetime in ["creator", "last"]:
        work = """
segment.close(); view.release()
assert not os.path.exists("/dev/shm/" + sys.argv[1])
"""
        run(f"shmkit.create(sys.argv[1], 4096, lifetime={lifetime!r})", work, name)


def test_the_users_descriptor_stays_open(segment: shmkit.Segment) -> None:
    with open(support.file_of(segment), "r+b") as file:
        shmkit.open(f"fd:{file.fileno()}").close()
        assert file.read(4) == bytes(4)
