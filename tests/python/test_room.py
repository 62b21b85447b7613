# SPDX-License-Identifier: MIT
"""No room: on a tiny tmpfs in place of /dev/shm, in a mount namespace of its own."""

from __future__ import annotations

import support


def run_on_tiny_tmpfs(code: str) -> str:
    return support.run_in_own_place(code, "256k")


def test_no_room_is_an_error_of_create_and_leaves_nothing() -> None:
    code = """
import errno, os, shmkit
for call in shmkit.create, shmkit.open_or_create:
    try:
        call("frames", 1 << 20)
    except shmkit.NoSpaceError as error:
        assert error.errno == errno.ENOSPC and error.filename == "posix:/frames"
        print(error)
assert os.listdir("/dev/shm") == []
"""
    printed = run_on_tiny_tmpfs(code)
    assert printed.count("posix:/frames") == 2
    assert "256" in printed or "262144" in printed


def test_no_room_to_grow_changes_nothing() -> None:
    code = """
import shmkit
with shmkit.create("frames", 4096, capacity=1 << 20, content=b"kept") as segment:
    try:
        segment.grow(1 << 20)
    except shmkit.NoSpaceError:
        print(segment.size, segment.read(0, 4))
    segment.grow(100000)
    segment[99999] = 1
    segment.unlink()
"""
    assert run_on_tiny_tmpfs(code) == "4096 b'kept'\n"


def test_no_call_fails_because_others_reserve_room_for_the_same_segment() -> None:
    code = """
import os, shmkit, sys
for _ in range(20):
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            with shmkit.open_or_create("frames", 200000) as segment:
                assert segment.size == 200000
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    shmkit.unlink("frames")
"""
    run_on_tiny_tmpfs(code)
