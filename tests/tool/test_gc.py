# SPDX-License-Identifier: MIT
"""shmkit gc.

What removes is given a pattern of the test's own names, or runs in a place of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import support
from support import attached, holder, run, system_v_exists, system_v_of

# As the sticky bit says, its last user was killed.
LEAKED = 0o1600


@pytest.fixture
def leaked(segment: Path) -> Path:
    segment.chmod(LEAKED)
    return segment


def own(path: Path) -> str:
    return f"--pattern=posix:/{path.name}"


def test_nothing_is_removed_unless_asked(leaked: Path) -> None:
    result = run("gc", own(leaked))
    assert result.status == 0
    headings, row = result.rows
    assert headings == "ADDRESS KIND OWNER SIZE ALLOCATED AGE STATE REASON".split()
    assert row[0] == f"posix:/{leaked.name}"
    assert (row[3], row[4], row[6]) == ("8K", "4K", "leaked")
    assert "left it behind when it was killed" in result.out
    assert "shmkit gc: 1 to remove, 4K to free; --apply removes" in result.err
    assert leaked.exists()


def test_apply_removes_and_says_what_was_freed(leaked: Path) -> None:
    result = run("gc", "--apply", "--bytes", own(leaked))
    assert result.status == 0
    assert "removed" in result.rows[1]
    assert "shmkit gc: 1 removed, 4096 bytes freed; 0 kept, 0 failed" in result.err
    assert not leaked.exists()


def test_what_is_merely_idle_is_left_alone_unless_asked(segment: Path) -> None:
    result = run("gc", "--apply", own(segment))
    assert (result.status, result.out) == (0, "")
    assert "nothing to remove: nothing of what is asked for is known to be left over" in result.err
    assert "--idle" in result.err
    assert segment.exists()
    assert run("gc", "--apply", "--idle", own(segment)).status == 0
    assert not segment.exists()


def test_what_somebody_maps_is_not_listed(leaked: Path) -> None:
    with holder(leaked):
        result = run("gc", "--apply", "--idle", own(leaked))
    assert (result.status, result.out) == (0, "")
    assert leaked.exists()


def test_what_somebody_merely_has_open_is_kept(leaked: Path) -> None:
    with open(leaked, "rb"):
        result = run("gc", "--apply", own(leaked))
    assert result.status == 0
    assert "kept: somebody has it open" in result.out
    assert "0 removed, 0B freed; 1 kept, 0 failed" in result.err
    assert leaked.exists()


def test_only_what_is_old_enough_goes(leaked: Path) -> None:
    for age in ("1h", "90s", "10m", "2d"):
        assert run("gc", "--older-than", age, own(leaked)).out == ""
    assert leaked.name in run("gc", "--older-than", "0s", own(leaked)).out
    assert leaked.name in run("gc", "--older-than", "0.000001s", own(leaked)).out


def test_json_has_the_totals_and_what_was_done(leaked: Path) -> None:
    document = run("gc", "--json", own(leaked)).json
    (info,) = document["segments"]
    assert (document["version"], document["applied"]) == (1, False)
    assert (document["bytes"], document["freed"]) == (4096, 0)
    assert (info["state"], info["removal"]) == ("leaked", None)
    document = run("gc", "--json", "--apply", own(leaked)).json
    (info,) = document["segments"]
    assert (document["applied"], document["freed"], info["removal"]) == (True, 4096, "removed")


_LEAK = """
import ctypes, sys
libc = ctypes.CDLL(None)
print(libc.shmget(int(sys.argv[1]), 10000, 0o3600))
"""


def leak(key: int) -> int:
    """A System V segment's identifier, whose creator has exited."""
    command = [sys.executable, "-c", _LEAK, str(key)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def test_system_v_of_an_exited_process_goes_and_attached_stays() -> None:
    key = support.unique_key()
    identifier = leak(key)
    pattern = f"--pattern=sysv:{key:#x}"
    with system_v_of(identifier):
        with attached(identifier):
            assert run("gc", "--apply", "--idle", pattern).out == ""
        # This process, which attached it last, runs: only --idle takes it.
        assert run("gc", "--apply", pattern).out == ""
        result = run("gc", "--apply", "--idle", pattern)
        assert "1 removed" in result.err
        assert not system_v_exists(identifier)


def test_system_v_that_nobody_attached_since_is_leaked() -> None:
    key = support.unique_key()
    identifier = leak(key)
    with system_v_of(identifier):
        result = run("gc", "--apply", "--kind=sysv", f"--pattern=sysv:{key:#x}")
        assert "has exited" in result.out
        assert not system_v_exists(identifier)


def test_semaphores_go_only_when_asked_for(name: str) -> None:
    path = support.SHM / f"sem.{name}"
    path.write_bytes(bytes(32))
    assert run("gc", "--apply", "--idle", own(path)).out == ""
    assert run("gc", "--apply", "--idle", "-k", "semaphore", own(path)).status == 0
    assert not path.exists()


def test_odd_names_are_one_row_each_and_go(name: str) -> None:
    with support.odd_segments(name) as paths:
        pattern = f"--pattern=posix:/{name}*"
        result = run("gc", "--idle", "--noheadings", pattern)
        assert len(result.rows) == len(paths)
        assert "\x1b" not in result.out
        assert len(run("gc", "--idle", "--json", pattern).json["segments"]) == len(paths)
        assert f"{len(paths)} removed" in run("gc", "--idle", "--apply", pattern).err
        assert not any(os.path.lexists(path) for path in paths)


@pytest.mark.skipif(not support.IS_ROOT, reason="only root can become another user")
def test_an_ordinary_user_is_not_bothered_with_what_is_anothers(leaked: Path) -> None:
    result = run("gc", "--apply", "--idle", own(leaked), around=support.AS_NOBODY)
    assert (result.status, result.out) == (0, "")
    assert leaked.exists()


def test_an_ordinary_user_clears_up_what_is_his(name: str) -> None:
    path = support.make_as_nobody(name)
    arguments = ("gc", "--apply", "--idle", own(path))
    with open(path, "rb"):
        result = run(*arguments, around=support.AS_NOBODY)
        assert "1 kept" in result.err
    result = run(*arguments, around=support.AS_NOBODY)
    assert "1 removed" in result.err
    assert not path.exists()


def test_an_incomplete_look_is_told_apart_from_what_is_removed(leaked: Path) -> None:
    result = run("gc", "--json", own(leaked))
    said = "could not be read" in result.err or "cannot be seen" in result.err
    assert said != result.json["complete"]


def test_everything_goes_in_a_place_of_its_own() -> None:
    script = "echo x >/dev/shm/a; echo x >/dev/shm/b; ipcmk -M 5000 >/dev/null"
    result = support.run_in_own_place(script, "gc", "--apply", "--idle")
    assert result.status == 0
    assert "3 removed, 8K freed; 0 kept, 0 failed" in result.err


def test_what_cannot_be_removed_is_a_failure() -> None:
    script = "echo x >/dev/shm/a && mount -o remount,bind,ro /dev/shm"
    result = support.run_in_own_place(script, "gc", "--apply", "--idle")
    assert result.status == 1
    assert "failed" in result.rows[1]
    assert "Read-only file system" in result.out
    assert "0 removed, 0B freed; 0 kept, 1 failed" in result.err


def test_segments_that_come_and_go_are_no_trouble(name: str) -> None:
    path = support.SHM / name
    with support.coming_and_going(path):
        for _ in range(30):
            result = run("gc", "--apply", "--idle", "--json", own(path))
            assert result.status == 0, result.err
            assert len(result.json["segments"]) <= 1


@pytest.mark.parametrize(
    "wrong",
    [
        ("--older-than", "10"),
        ("--older-than", "-1s"),
        ("--kind", "memfd"),
        ("--kind", "nonsense"),
        ("--pattern", "frames-*"),
        ("--pattern", "/frames"),
        ("--pattern", ""),
        ("--pattern", "posix:/"),
        ("argument",),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("gc", *wrong)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("shmkit gc: ")
