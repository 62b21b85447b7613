# SPDX-License-Identifier: MIT
"""When names go, and who takes them away."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
import shmkit
import support

CREATE_AND_WAIT = """
import shmkit, sys
segment = shmkit.create(sys.argv[1], 4096, lifetime=sys.argv[2])
print("ready", flush=True)
sys.stdin.read()
"""


def exists(name: str) -> bool:
    return os.path.exists(f"/dev/shm/{name}")


def test_creator_takes_the_name_away_when_it_closes(name: str) -> None:
    with shmkit.create(name, 1, lifetime="creator") as segment:
        assert segment.lifetime == "creator"
        with shmkit.open(name) as other:
            other.close()
            assert exists(name)
    assert not exists(name)


def test_creator_takes_the_name_away_when_it_is_forgotten(name: str) -> None:
    shmkit.create(name, 1, lifetime="creator")
    assert not exists(name)


@pytest.mark.parametrize(
    "end", ["pass", "sys.exit(0)", "globals()['kept'] = segment", "kept = segment.view('u8')"]
)
def test_creator_takes_the_name_away_when_its_process_exits(name: str, end: str) -> None:
    code = f"import shmkit, sys\nsegment = shmkit.create(sys.argv[1], 1, lifetime='creator')\n{end}"
    support.run_python(code, name)
    assert not exists(name)


def test_a_forked_child_does_not_take_the_creators_name_away(name: str) -> None:
    with shmkit.create(name, 1, lifetime="creator") as segment:
        with support.forked(segment.close):
            pass
        assert exists(name)
        with support.forked(segment.unlink):
            pass
    assert not exists(name)


def test_last_takes_the_name_away_with_the_last_user(name: str) -> None:
    first = shmkit.create(name, 1, lifetime="last")
    second = shmkit.open(name)
    assert second.lifetime == "last"
    first.close()
    assert exists(name)
    second.close()
    assert not exists(name)


def test_last_counts_a_forked_child(name: str) -> None:
    read_end, write_end = os.pipe()
    segment = shmkit.create(name, 1, lifetime="last")

    def child() -> None:
        os.close(write_end)
        os.read(read_end, 1)
        assert exists(name)
        segment.close()

    with support.forked(child):
        os.close(read_end)
        segment.close()
        assert exists(name)
        os.close(write_end)
    assert not exists(name)


def test_what_a_killed_last_user_left_does_not_exist_for_the_next(name: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CREATE_AND_WAIT, name, "last"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        with shmkit.open(name) as segment:
            assert segment.lifetime == "last"
            child.send_signal(signal.SIGKILL)
            child.wait()
            assert exists(name)
            shmkit.open(name).close()
            assert exists(name)
    assert not exists(name)


def test_a_name_left_by_kill_is_free_again(name: str) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CREATE_AND_WAIT, name, "last"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with child:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        child.kill()
    assert exists(name)
    with pytest.raises(FileNotFoundError):
        shmkit.open(name)
    with shmkit.open_or_create(name, 5, lifetime="last") as segment:
        assert segment.created


def test_views_hold_on_to_last(name: str) -> None:
    segment = shmkit.create(name, 8, lifetime="last")
    view = segment.view("u8")
    segment.close()
    view[0] = 1
    view.release()
    assert not exists(name)


def test_many_creators_of_one_name_make_one_segment(name: str) -> None:
    code = """
import os, shmkit, sys
created = 0
children = []
for _ in range(200):
    child = os.fork()
    if child == 0:
        with shmkit.open_or_create(sys.argv[1], 100000, content=b"whole") as segment:
            assert segment.size == 100000 and segment.read(0, 5) == b"whole"
            os._exit(segment.created)
    children.append(child)
for child in children:
    _, status = os.waitpid(child, 0)
    created += os.WEXITSTATUS(status)
print(created)
"""
    assert support.run_python(code, name) == "1\n"
    shmkit.unlink(name)
