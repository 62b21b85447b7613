# SPDX-License-Identifier: MIT
"""shmkit write."""

from __future__ import annotations

import errno
import mmap
import os
import random
from pathlib import Path

import pytest
import support
from support import AS_NOBODY, IS_ROOT, in_own_place, make_as_nobody, run, system_v, unique_name

KIB, MIB = 1 << 10, 1 << 20


def test_what_is_written_is_seen_by_who_maps_it_and_the_rest_stays(segment: Path) -> None:
    before = segment.read_bytes()
    with open(segment, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        result = run("write", segment.name, "--offset", "100", stdin=b"hello")
        assert (result.status, result.out, result.err) == (0, "", "")
        assert memory[:] == before[:100] + b"hello" + before[105:]
        assert segment.stat().st_ino == os.fstat(file.fileno()).st_ino
        assert segment.stat().st_size == len(before)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_written_can_be_shown_again(name: str, seed: int, tmp_path: Path) -> None:
    content = random.Random(seed).randbytes(3 * MIB + 17)
    file = tmp_path / "content"
    file.write_bytes(content)
    path = support.SHM / name
    assert run("create", name, "4M").status == 0
    try:
        assert run("write", name, str(file), "--offset", "100").status == 0
        assert path.read_bytes()[100:].rstrip(b"\0") == content.rstrip(b"\0")
        again = run("cat", name, "--offset", "100", "--length", str(len(content)))
        assert again.bytes == content
        assert run("write", name, "-", stdin=content[::-1]).status == 0
        assert run("cat", name, "--length", str(len(content))).bytes == content[::-1]
    finally:
        path.unlink()


def test_a_nul_is_written_behind_it_on_request(segment: Path) -> None:
    with open(segment, "r+b") as file:
        file.write(b"x" * 100)
    assert run("write", segment.name, "--nul", stdin=b"hello").status == 0
    assert segment.read_bytes()[:8] == b"hello\0xx"


def test_what_was_written_is_said_on_request(segment: Path) -> None:
    result = run("write", segment.name, "--verbose", "--nul", "-o", "1K", stdin=b"hello")
    assert result.out == f"posix:/{segment.name}: 5 bytes and a NUL at offset 1024 of 8192\n"


def test_nothing_is_a_content_too(segment: Path) -> None:
    before = segment.read_bytes()
    assert run("write", segment.name).status == 0
    assert run("write", segment.name, "/dev/null").status == 0
    assert segment.read_bytes() == before


# ---- What does not fit ---------------------------------------------------------------------------


def as_pipe(content: bytes, tmp_path: Path) -> tuple[tuple[str, ...], bytes]:
    return (), content


def as_file(content: bytes, tmp_path: Path) -> tuple[tuple[str, ...], bytes]:
    file = tmp_path / "content"
    file.write_bytes(content)
    return (str(file),), b""


every_input = pytest.mark.parametrize("give", [as_pipe, as_file])


@every_input
def test_up_to_the_last_byte_it_fits(segment: Path, give: object, tmp_path: Path) -> None:
    for content, options in ((b"x" * 92, ()), (b"y" * 91, ("--nul",))):
        arguments, stdin = give(content, tmp_path)  # type: ignore[operator]
        result = run("write", segment.name, *arguments, "-o", "8100", *options, stdin=stdin)
        assert (result.status, result.err) == (0, "")
        assert segment.read_bytes()[8100:].rstrip(b"\0") == content
        assert segment.stat().st_size == 8192


@every_input
def test_what_does_not_fit_is_not_written_at_all(
    segment: Path, give: object, tmp_path: Path
) -> None:
    before = segment.read_bytes()
    for content, options in ((b"x" * 93, ()), (b"x" * 92, ("--nul",)), (b"x" * MIB, ())):
        arguments, stdin = give(content, tmp_path)  # type: ignore[operator]
        result = run("write", segment.name, *arguments, "-o", "8100", *options, stdin=stdin)
        assert (result.status, result.out) == (1, "")
        assert "92 bytes" in result.err
        assert "--grow" in result.err
        assert segment.read_bytes() == before


def test_an_offset_beyond_the_end_is_refused(segment: Path) -> None:
    before = segment.read_bytes()
    result = run("write", segment.name, "--offset", "8193", stdin=b"")
    assert (result.status, result.out) == (2, "")
    assert "8192 bytes" in result.err
    assert run("write", segment.name, "-o", str(2**64 - 1), stdin=b"xx").status == 2
    assert segment.read_bytes() == before


@every_input
def test_a_segment_grows_on_request_and_stays_the_same_one(
    segment: Path, give: object, tmp_path: Path
) -> None:
    before = segment.read_bytes()
    content = b"x" * MIB
    with open(segment, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        arguments, stdin = give(content, tmp_path)  # type: ignore[operator]
        result = run(
            "write", segment.name, *arguments, "-o", "8190", "--grow", "--nul", stdin=stdin
        )
        assert (result.status, result.err) == (0, "")
        assert memory[:] == before[:8190] + b"xx"
        assert os.fstat(file.fileno()).st_size == 8190 + MIB + 1
    assert segment.read_bytes() == before[:8190] + content + b"\0"
    assert segment.stat().st_blocks * 512 >= MIB


def test_growing_is_not_for_what_fits(segment: Path) -> None:
    assert run("write", segment.name, "--grow", stdin=b"x").status == 0
    assert segment.stat().st_size == 8192


def test_growing_leaves_zeros_in_between(segment: Path) -> None:
    before = segment.read_bytes()
    assert run("write", segment.name, "-o", "10000", "--grow", stdin=b"x").status == 0
    assert segment.read_bytes() == before + bytes(10000 - 8192) + b"x"


def test_an_empty_segment_can_only_be_grown(name: str) -> None:
    path = support.SHM / name
    path.touch()
    try:
        result = run("write", name, stdin=b"hello")
        assert result.status == 1
        assert "0 bytes" in result.err
        assert run("write", name, "--grow", stdin=b"hello").status == 0
        assert path.read_bytes() == b"hello"
    finally:
        path.unlink()


def test_system_v_is_written_and_cannot_grow() -> None:
    with system_v(5000) as identifier:
        address = f"sysv:id={identifier}"
        assert run("write", address, "-o", "4995", stdin=b"hello").status == 0
        assert run("cat", address, "-o", "4990").bytes == bytes(5) + b"hello"
        assert run("write", address, "-o", "4996", stdin=b"HELLO").status == 1
        result = run("write", address, "-o", "4996", "--grow", stdin=b"HELLO")
        assert result.status == 1
        assert "System V segments have a fixed size" in result.err
        assert run("cat", address, "-o", "4995").bytes == b"hello"


# ---- Refusals ------------------------------------------------------------------------------------


def test_it_creates_nothing(name: str) -> None:
    for options in ((), ("--grow",)):
        result = run("write", name, *options, stdin=b"hello")
        assert (result.status, result.out) == (3, "")
        assert "does not exist; 'shmkit create' makes a segment" in result.err
    assert not (support.SHM / name).exists()


def test_an_input_that_cannot_be_read_is_named(segment: Path, tmp_path: Path) -> None:
    before = segment.read_bytes()
    result = run("write", segment.name, str(tmp_path / "nothing"))
    assert result.status == 3
    assert str(tmp_path / "nothing") in result.err
    result = run("write", segment.name, str(tmp_path))
    assert result.status == 1
    assert os.strerror(errno.EISDIR) in result.err
    assert segment.read_bytes() == before


def test_a_segment_is_not_written_into_itself(segment: Path) -> None:
    before = segment.read_bytes()
    result = run("write", segment.name, str(segment), "-o", "10", "--grow")
    assert result.status == 1
    assert "the segment itself" in result.err
    assert segment.read_bytes() == before


def test_without_permission_to_write_there_is_one_clear_sentence(segment: Path) -> None:
    segment.chmod(0o444)
    before = segment.read_bytes()
    result = run("write", segment.name, around=AS_NOBODY, stdin=b"hello")
    assert (result.status, result.out) == (1, "")
    assert "for writing: no permission" in result.err
    assert segment.read_bytes() == before


@pytest.mark.skipif(not IS_ROOT, reason="only root can make another user's segment")
def test_a_strangers_segment_takes_a_word_more(name: str) -> None:
    path = make_as_nobody(name)
    try:
        result = run("write", name, stdin=b"y")
        assert result.status == 1
        assert "belongs to user 65534" in result.err
        assert path.read_bytes() == b"x\n"
        assert run("write", name, "--any-owner", stdin=b"y").status == 0
        assert path.read_bytes() == b"y\n"
    finally:
        path.unlink()


def test_any_owner_is_not_in_the_way_of_other_kinds() -> None:
    with system_v(100) as identifier:
        address = f"sysv:id={identifier}"
        assert run("write", address, "--any-owner", stdin=b"hello").status == 0
        assert run("cat", address, "--trim").bytes == b"hello"


def test_a_memfd_is_written_through_its_address(name: str) -> None:
    file = os.memfd_create(name)
    os.ftruncate(file, 4096)
    try:
        result = run("write", f"file:/proc/{os.getpid()}/fd/{file}", stdin=b"hello")
        assert (result.status, result.err) == (0, "")
        assert os.pread(file, 6, 0) == b"hello\0"
        assert run("write", f"memfd:{name}", stdin=b"hello").status == 1
    finally:
        os.close(file)


def test_names_and_files_may_begin_with_a_dash(tmp_path: Path) -> None:
    path = support.SHM / f"-{unique_name()}"
    path.write_bytes(bytes(10))
    (tmp_path / "-file").write_bytes(b"dash")
    try:
        around = ("env", "-C", str(tmp_path))
        assert run("write", "--", path.name, "-file", around=around).status == 0
        assert path.read_bytes() == b"dash" + bytes(6)
        assert run("write", path.name, stdin=b"x").status == 2
        assert run("write", f"/{path.name}", "-", stdin=b"stdin").status == 0
        assert path.read_bytes() == b"stdin" + bytes(5)
    finally:
        path.unlink()


@pytest.mark.parametrize("wrong", [(), ("a", "b", "c"), ("a", "--offset", "x")])
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("write", *wrong)
    assert (result.status, result.out) == (2, "")


# ---- No room -------------------------------------------------------------------------------------

# Runs the command, then says its status and what has become of the segment.
AFTERWARDS = ("sh", "-c", '"$@"; echo "$?"; stat -c %s /dev/shm/x', "sh")


def test_a_sparse_segment_without_room_is_a_message_not_a_signal() -> None:
    script = "mount -t tmpfs -o size=256k tmpfs /dev/shm && truncate -s 4M /dev/shm/x"
    around = (*in_own_place(script), *AFTERWARDS)
    result = run("write", "x", around=around, stdin=b"x" * (3 * MIB))
    assert result.rows == [["1"], [str(4 * MIB)]]
    assert "no room" in result.err
    assert f"0 of {3 * MIB} bytes were written" in result.err


def test_growing_without_room_changes_nothing() -> None:
    script = "mount -t tmpfs -o size=256k tmpfs /dev/shm && echo hello >/dev/shm/x"
    around = (*in_own_place(script), *AFTERWARDS)
    result = run("write", "x", "--grow", around=around, stdin=b"x" * MIB)
    assert result.rows == [["1"], ["6"]]
    assert "no room" in result.err
