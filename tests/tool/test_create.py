# SPDX-License-Identifier: MIT
"""shmkit create."""

from __future__ import annotations

import mmap
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import support
from support import AS_NOBODY, found, in_own_place, run, system_v_of, unique_key, unique_name

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def path(name: str) -> Iterator[Path]:
    """Where the test's segment will be."""
    path = support.SHM / name
    yield path
    path.unlink(missing_ok=True)


def test_a_new_segment_is_zeros_with_their_room_for_its_owner_only(path: Path) -> None:
    result = run("create", path.name, "1.5M")
    assert (result.status, result.out, result.err) == (0, "", "")
    status = path.stat()
    assert (status.st_size, stat.S_IMODE(status.st_mode)) == (1536 * KIB, 0o600)
    assert status.st_blocks * 512 >= 1536 * KIB
    assert run("cat", path.name, "--trim").bytes == b""


def test_it_is_not_taken_for_leaked_because_the_command_has_ended(path: Path) -> None:
    assert run("create", path.name, "4096").status == 0
    info = found(f"posix:/{path.name}")
    assert info["state"] in ("idle", "unknown")
    assert info["creator"] is None
    assert run("stat", "--exact", "--json", path.name).json["segments"][0]["state"] == "idle"


def test_any_program_can_map_it(path: Path) -> None:
    assert run("create", f"posix:/{path.name}", "0x2000").status == 0
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        assert len(memory) == 8192
        memory[:5] = b"hello"
        assert run("cat", path.name, "--trim").bytes == b"hello"


def test_permissions_are_exact_whatever_the_umask(path: Path) -> None:
    around = ("sh", "-c", 'umask 077; exec "$@"', "sh")
    assert run("create", path.name, "4096", "--mode", "0666", around=around).status == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o666


@pytest.mark.parametrize("mode", ["", "0", "8", "01777", "-1", "rw", "0600x"])
def test_permissions_that_are_none_are_refused(path: Path, mode: str) -> None:
    result = run("create", path.name, "4096", f"--mode={mode}")
    assert (result.status, result.out) == (2, "")
    assert not path.exists()


def test_sparse_reserves_a_page_at_most(path: Path) -> None:
    assert run("create", path.name, "1G", "--sparse").status == 0
    assert path.stat().st_size == 1 << 30
    assert path.stat().st_blocks * 512 <= mmap.PAGESIZE


def test_its_address_is_printed_on_request(path: Path) -> None:
    assert run("create", path.name, "1", "-v").out == f"posix:/{path.name}\n"


# ---- Content -------------------------------------------------------------------------------------


def test_content_comes_from_a_file_or_a_pipe(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "content"
    file.write_bytes(b"hello")
    assert run("create", path.name, "4096", "--content", str(file)).status == 0
    assert path.read_bytes() == b"hello" + bytes(4091)
    path.unlink()
    assert run("create", path.name, "5", "--content", "-", stdin=b"hello").status == 0
    assert path.read_bytes() == b"hello"


def test_content_says_the_size_when_nobody_else_does(path: Path) -> None:
    content = os.urandom(3 * MIB + 1)
    assert run("create", path.name, "--content=-", stdin=content).status == 0
    assert path.read_bytes() == content
    assert run("cat", path.name).bytes == content


def test_content_that_does_not_fit_creates_nothing(path: Path) -> None:
    result = run("create", path.name, "4", "--content", "-", stdin=b"hello")
    assert (result.status, result.out) == (1, "")
    assert "nothing is created" in result.err
    assert not path.exists()


def test_content_that_is_not_there_creates_nothing(path: Path, tmp_path: Path) -> None:
    result = run("create", path.name, "4", "--content", str(tmp_path / "nothing"))
    assert result.status == 3
    assert not path.exists()


# ---- Addresses -----------------------------------------------------------------------------------


def test_what_exists_stays_as_it_is_and_the_message_says_what_to_do(segment: Path) -> None:
    before = segment.read_bytes()
    result = run("create", segment.name, "4096")
    assert (result.status, result.out) == (1, "")
    for command in ("stat", "write", "rm"):
        assert f"shmkit {command} {segment.name}" in result.err
    assert segment.read_bytes() == before


def test_of_many_one_creates(path: Path) -> None:
    racers = [
        subprocess.Popen(
            [support.COMMAND, "create", path.name, "64K", "--content", "-"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(8)
    ]
    for number, racer in enumerate(racers):
        racer.communicate(b"%d" % number * 64 * KIB, support.DEADLINE)
    assert sorted(racer.returncode for racer in racers) == [0, *[1] * 7]
    winner = [racer.returncode for racer in racers].index(0)
    assert path.read_bytes() == b"%d" % winner * 64 * KIB


def test_system_v_is_created_by_key_without_a_word() -> None:
    key = unique_key()
    result = run("create", f"sysv:{key:#x}", "5000", "--mode", "0640", "-c", "-", stdin=b"hello")
    info = found(f"sysv:{key:#x}")
    with system_v_of(info["inode"]):
        assert (result.status, result.out, result.err) == (0, "", "")
        assert (info["size"], info["mode"]) == (5000, 0o640)
        assert run("cat", f"sysv:{key:#x}", "--trim").bytes == b"hello"
        assert run("create", f"sysv:{key:#x}", "5000").status == 1


def test_without_a_key_the_address_that_opens_it_is_printed() -> None:
    result = run("create", "sysv:private", "5000")
    address = result.out.strip()
    assert address.startswith("sysv:id=")
    with system_v_of(int(address[8:])):
        assert run("write", address, stdin=b"hello").status == 0
        assert run("cat", address, "--trim").bytes == b"hello"


def test_files_elsewhere_are_segments_too(tmp_path: Path) -> None:
    file = tmp_path / "segment"
    assert run("create", f"file:{file}", "10K").status == 0
    assert file.stat().st_size == 10 * KIB
    assert run("create", f"file:{file}", "10K").status == 1


@pytest.mark.parametrize("odd", [b"with space", b"new\nline", b"\xff\xfe", b" (deleted)", b"-x"])
def test_names_may_be_odd(odd: bytes) -> None:
    name = os.fsencode(unique_name()) + odd
    path = b"/dev/shm/" + name
    try:
        assert run("create", "--", name, "4096").status == 0
        assert os.stat(path).st_size == 4096
        result = run("create", "--", name, "4096")
        assert result.status == 1
        assert result.err.count("\n") == 1
    finally:
        os.unlink(path)


def test_what_would_be_gone_at_once_is_not_created(name: str) -> None:
    result = run("create", f"memfd:{name}", "4096")
    assert (result.status, result.out) == (2, "")
    assert "would be gone" in result.err
    assert run("create", "fd:1", "4096").status != 0


@pytest.mark.parametrize("wrong", [(), ("0",), ("-5",), ("much",), ("5 ",), ("5 B",), ("4K", "4K")])
def test_sizes_that_are_none_are_refused(path: Path, wrong: tuple[str, ...]) -> None:
    result = run("create", path.name, "--", *wrong)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("shmkit create: ")
    assert not path.exists()


def test_huge_pages_are_for_system_v(path: Path) -> None:
    result = run("create", path.name, "2M", "--huge-pages")
    assert result.status == 1
    assert "hugetlbfs" in result.err
    assert not path.exists()


def test_without_permission_there_is_one_clear_sentence(tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o555)
    tmp_path.chmod(0o755)
    result = run("create", f"file:{place}/segment", "4096", around=AS_NOBODY)
    assert (result.status, result.out) == (1, "")
    assert result.err.count("\n") == 1


# ---- No room -------------------------------------------------------------------------------------


def test_no_room_is_a_message_with_the_limit_and_leaves_nothing() -> None:
    script = "mount -t tmpfs -o size=256k tmpfs /dev/shm"
    around = (*in_own_place(script), "sh", "-c", '"$@"; echo "$?"; ls -A /dev/shm', "sh")
    result = run("create", "x", "1M", around=around)
    assert result.rows == [["1"]]
    assert "no room" in result.err
    assert run("create", "x", "1M", "--sparse", around=around).rows == [["0"], ["x"]]


def test_what_cannot_be_created_cannot_exist() -> None:
    around = in_own_place("mount -t tmpfs -o ro tmpfs /dev/shm")
    result = run("create", "x", "4096", around=around)
    assert (result.status, result.out) == (1, "")
    assert os.strerror(30) in result.err
