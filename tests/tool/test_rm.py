# SPDX-License-Identifier: MIT
"""shmkit rm."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import support
from support import attached, holder, run, system_v, system_v_exists


def test_what_nobody_uses_is_removed_and_named(segment: Path) -> None:
    result = run("rm", segment.name)
    assert (result.status, result.err) == (0, "")
    assert result.out == f"removed posix:/{segment.name}\n"
    assert not segment.exists()


def test_what_is_not_there_is_status_3(name: str) -> None:
    for address in (name, f"sysv:{support.unique_key():#x}", f"file:/dev/shm/{name}"):
        result = run("rm", address)
        assert (result.status, result.out) == (3, "")
        assert "does not exist" in result.err


def test_who_maps_it_is_named_and_the_status_is_4(segment: Path) -> None:
    with holder(segment) as process:
        result = run("rm", segment.name)
        assert (result.status, result.out) == (4, "")
        assert f"process {process.pid} (python" in result.err
        assert segment.exists()


def test_programs_with_odd_names_do_not_drive_the_terminal(segment: Path) -> None:
    with holder(segment, program="\x1b[31m) a\nb"):
        result = run("rm", segment.name)
    assert result.status == 4
    assert "[31m) a" in result.err
    assert "\x1b" not in result.err
    assert result.err.count("\n") == 1


def test_who_merely_has_it_open_is_in_the_way(segment: Path) -> None:
    with open(segment, "rb"):
        result = run("rm", segment.name)
    assert result.status == 4
    assert "somebody has it open" in result.err
    assert segment.exists()


def test_force_takes_the_name_and_says_who_keeps_the_memory(segment: Path) -> None:
    with holder(segment):
        result = run("rm", "--force", segment.name)
        assert result.status == 0
        assert "1 process that maps it keeps the memory" in result.out
        assert not segment.exists()


def test_system_v_is_refused_while_attached_and_marked_by_force() -> None:
    with system_v(4096, support.unique_key()) as identifier:
        address = f"sysv:id={identifier}"
        with attached(identifier, times=2):
            result = run("rm", address)
            assert result.status == 4
            assert f"2 attachments, by process {os.getpid()} (" in result.err
            result = run("rm", "-f", address)
            assert result.status == 0
            assert "goes with the last of 2 attachments" in result.out
            assert system_v_exists(identifier)
        assert not system_v_exists(identifier)


def test_verbose_says_why_nobody_will_miss_it(segment: Path) -> None:
    result = run("rm", "--verbose", segment.name)
    assert result.out.startswith(f"removed posix:/{segment.name}, 8K: nobody maps it")


def test_each_is_tried_and_a_mixture_is_status_1(segment: Path, name: str) -> None:
    missing = f"{name}-missing"
    result = run("rm", missing, segment.name, missing)
    assert result.status == 1
    assert result.out == f"removed posix:/{segment.name}\n"
    assert result.err.count("does not exist") == 2
    assert run("rm", missing, missing).status == 3


def test_symbolic_links_are_not_followed(segment: Path, name: str) -> None:
    link = support.SHM / f"{name}-link"
    link.symlink_to(segment)
    try:
        for arguments in ((link.name,), ("--force", link.name), ("--force", f"file:{link}")):
            result = run("rm", *arguments)
            assert result.status == 1
            assert "symbolic link" in result.err
        assert link.is_symlink()
        assert segment.exists()
    finally:
        link.unlink()


def test_what_is_no_segment_stays(name: str, tmp_path: Path) -> None:
    path = support.SHM / name
    os.mkfifo(path)
    assert run("rm", "--force", name).status == 1
    path.unlink()
    path.mkdir()
    assert run("rm", "--force", name).status == 1
    path.rmdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        result = run("rm", "--force", name)
        assert result.status == 1
        assert "socket, not a segment" in result.err
    path.unlink()


def test_what_has_no_name_cannot_be_removed(segment: Path) -> None:
    with holder(segment) as process:
        segment.unlink()
        (info,) = run("ls", "--json", "--pid", str(process.pid)).json["segments"]
        result = run("rm", "--force", info["address"])
    assert result.status == 1
    assert "goes with its last user" in result.err
    assert run("rm", "memfd:frames").status == 1


def test_odd_names_are_removed_by_their_addresses(name: str) -> None:
    with support.odd_segments(name) as paths:
        for path in paths:
            result = run("rm", b"posix:" + path.removeprefix(b"/dev/shm"))
            assert (result.status, result.err) == (0, "")
            assert result.out.count("\n") == 1
            assert "\x1b" not in result.out
            assert not os.path.lexists(path)


def test_semaphores_are_removed(name: str) -> None:
    path = support.SHM / f"sem.{name}"
    path.write_bytes(bytes(32))
    assert run("rm", f"posix:/sem.{name}").status == 0
    assert not path.exists()


@pytest.mark.skipif(not support.IS_ROOT, reason="only root can become another user")
def test_another_users_segment_is_not_removed(segment: Path) -> None:
    with system_v(4096) as identifier:
        for address in (segment.name, f"sysv:id={identifier}"):
            for force in ((), ("--force",)):
                result = run("rm", *force, address, around=support.AS_NOBODY)
                assert result.status == 1
                assert "no permission" in result.err
        assert system_v_exists(identifier)
    assert segment.exists()


@pytest.mark.skipif(not support.IS_ROOT, reason="only root can give a file away")
def test_what_the_kernel_does_not_tell_counts_as_in_use(segment: Path) -> None:
    os.chown(segment, 65534, 65534)
    # Root in a container has no right to lease what is another's.
    contained = ("setpriv", "--inh-caps=-lease", "--bounding-set=-lease")
    result = run("rm", segment.name, around=contained)
    assert result.status == 4
    assert "whether anybody has it open cannot be told" in result.err
    assert "forced, it goes all the same" in result.err
    assert segment.exists()
    assert run("rm", "--force", segment.name, around=contained).status == 0
    assert not segment.exists()


def test_an_ordinary_user_removes_his_own(name: str) -> None:
    path = support.make_as_nobody(name)
    result = run("rm", name, around=support.AS_NOBODY)
    assert (result.status, result.err) == (0, "")
    assert not path.exists()


def test_an_ordinary_user_does_not_rob_whom_he_cannot_see(name: str) -> None:
    path = support.make_as_nobody(name)
    try:
        with holder(path):
            assert run("rm", name, around=support.AS_NOBODY).status == 4
        assert path.exists()
    finally:
        path.unlink()


def test_a_read_only_file_system_is_named() -> None:
    script = "echo x >/dev/shm/frames && mount -o remount,bind,ro /dev/shm"
    result = support.run_in_own_place(script, "rm", "--force", "frames")
    assert result.status == 1
    assert "Read-only file system" in result.err


def test_a_segment_that_comes_and_goes_is_removed_or_not(name: str) -> None:
    with support.coming_and_going(support.SHM / name):
        for _ in range(30):
            result = run("rm", name)
            assert result.status in (0, 3, 4), result.err


@pytest.mark.parametrize("wrong", [(), ("a/b",), ("sysv:x",), ("sysv:private",), ("",)])
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("rm", *wrong)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("shmkit rm: ")
