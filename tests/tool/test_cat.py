# SPDX-License-Identifier: MIT
"""shmkit cat."""

from __future__ import annotations

import mmap
import os
import pty
import random
import re
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import support
from support import AS_NOBODY, IS_ROOT, holder, on_a_terminal, run, system_v, unique_name

PAGE = mmap.PAGESIZE
KIB, MIB = 1 << 10, 1 << 20


@contextmanager
def segment_of(content: bytes, size: int | None = None) -> Iterator[Path]:
    """A segment with that at its beginning and holes behind."""
    path = support.SHM / unique_name()
    path.write_bytes(content)
    if size is not None:
        os.truncate(path, size)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def mixture(seed: int) -> bytes:
    """Text, odd bytes and zeros in stretches of all lengths, across pages and chunks."""
    dice = random.Random(seed)
    kinds = [b"\0", b"text ", "ünï€𝄞".encode(), b"\xff\xe2\x82", b"A\n\tB", b"\x1b[0m"]
    parts = [dice.choice(kinds) * dice.choice([1, 2, 3, 17, 500, 5000]) for _ in range(60)]
    return b"".join(parts)


def as_hex(content: bytes, offset: int = 0) -> str:
    """What `hexdump -C` prints."""
    lines, previous = [], b""
    for at in range(0, len(content), 16):
        line = content[at : at + 16]
        if line == previous:
            if lines[-1] != "*":
                lines.append("*")
            continue
        previous = line if len(line) == 16 else b""
        half = [" ".join(f"{byte:02x}" for byte in part) for part in (line[:8], line[8:])]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        lines.append(f"{offset + at:08x}  {half[0]:<23}  {half[1]:<23}  |{text}|")
    return "\n".join([*lines, f"{offset + len(content):08x}"]) + "\n"


def as_strings(content: bytes) -> str:
    lines = []
    # Each odd byte is one character, and none that is printable.
    text = content.decode(errors="surrogateescape")
    for run_ in re.finditer("[^\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]{4,}", text):
        offset = len(text[: run_.start()].encode(errors="surrogateescape"))
        lines.append(f"{offset:08x}  {run_.group()}\n")
    return "".join(lines)


# ---- Forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_every_form_shows_what_is_there(seed: int) -> None:
    content = mixture(seed)
    with segment_of(content) as path:
        assert run("cat", path.name).bytes == content
        assert run("cat", path.name, "--raw").bytes == content
        assert run("cat", path.name, "--trim").bytes == content.rstrip(b"\0")
        assert run("cat", path.name, "--hex").out == as_hex(content)
        assert run("cat", path.name, "--strings").out == as_strings(content)


@pytest.mark.parametrize("seed", range(4))
def test_a_part_is_what_that_part_of_the_whole_is(seed: int) -> None:
    content = mixture(seed)
    dice = random.Random(seed)
    with segment_of(content) as path:
        for _ in range(5):
            first, length = dice.randrange(len(content)), dice.choice([0, 1, 15, 4096, 1 << 40])
            part = content[first : first + length]
            arguments = ("cat", path.name, "--offset", str(first), "--length", str(length))
            assert run(*arguments).bytes == part
            assert run(*arguments, "--hex").out == as_hex(part, first)


def test_holes_are_zeros_in_every_form() -> None:
    size = 3 * MIB + 5
    content = b"begin" + bytes(size - 5)
    with segment_of(b"begin", size) as path:
        with open(path, "r+b") as file:
            file.seek(2 * MIB + 7)
            file.write(b"in the middle")
        content = content[: 2 * MIB + 7] + b"in the middle" + content[2 * MIB + 20 :]
        assert run("cat", path.name).bytes == content
        assert run("cat", path.name, "--trim").bytes == content.rstrip(b"\0")
        assert run("cat", path.name, "--hex").out == as_hex(content)
        assert run("cat", path.name, "--strings").out == as_strings(content)


def test_only_one_form_can_be_had(segment: Path) -> None:
    result = run("cat", segment.name, "--hex", "--strings")
    assert (result.status, result.out) == (2, "")


def test_an_empty_segment_has_nothing_to_show() -> None:
    with segment_of(b"") as path:
        result = run("cat", path.name)
        assert (result.status, result.out, result.err) == (0, "", "")
        assert run("cat", path.name, "--hex").out == "00000000\n"


def test_offsets_beyond_four_gibibytes_are_shown_whole() -> None:
    with segment_of(b"", 1 << 33) as path:
        with open(path, "r+b") as file:
            file.seek((1 << 32) + 3)
            file.write(b"far away")
        assert run("cat", path.name, "--strings").out == "0000000100000003  far away\n"
        lines = run("cat", path.name, "--hex").out.splitlines()
        assert [line.split()[0] for line in lines] == [
            "00000000",
            "*",
            "0000000100000000",
            "0000000100000010",
            "*",
            "0000000200000000",
        ]


# ---- Offsets -------------------------------------------------------------------------------------


def test_at_the_end_there_is_nothing_and_beyond_it_an_error(segment: Path) -> None:
    assert run("cat", segment.name, "--offset", "8K").bytes == b""
    result = run("cat", segment.name, "--offset", "8193")
    assert (result.status, result.out) == (2, "")
    assert "8192 bytes" in result.err


@pytest.mark.parametrize("wrong", [("--offset", "-1"), ("--length", "much"), ("--offset", "1e99")])
def test_sizes_that_are_none_are_refused(segment: Path, wrong: tuple[str, str]) -> None:
    result = run("cat", segment.name, *wrong)
    assert (result.status, result.out) == (2, "")


# ---- Output --------------------------------------------------------------------------------------


def test_a_terminal_gets_hexadecimal_unless_told_otherwise() -> None:
    with segment_of(b"\x1b[31mred\0") as path:
        assert "|.[31mred.|" in on_a_terminal("cat", path.name)
        assert on_a_terminal("cat", path.name, "--raw") == "\x1b[31mred\0"


def test_text_on_a_terminal_is_escaped_and_ends_its_line() -> None:
    with segment_of("grün\x1b[31m\n\0\0\0x\0y\x9b\u009b".encode() + b"\xff\t.", 4096) as path:
        shown = on_a_terminal("cat", path.name, "--trim")
    assert shown == "grün\\033[31m\r\n\\000{3}x\\000y\\302\\233\\302\\233\\377\t.\r\n"


def test_a_reader_that_has_seen_enough_is_no_failure_worth_a_word() -> None:
    with segment_of(bytes(range(256)) * (4 * MIB // 256)) as path:
        for form in ("--raw", "--hex", "--strings"):
            process = subprocess.Popen(
                [support.COMMAND, "cat", path.name, form],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                restore_signals=False,  # SIGPIPE stays ignored.
            )
            assert process.stdout
            assert process.stdout.read(10)
            process.stdout.close()
            assert process.stderr
            assert process.stderr.read() == b""
            process.stderr.close()
            assert process.wait(support.DEADLINE) == 1


def test_what_is_done_at_once_has_no_bar() -> None:
    ours, theirs = pty.openpty()
    with segment_of(b"0123456789abcdef" * 65536) as path:
        done = subprocess.run(
            [support.COMMAND, "cat", path.name],
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            timeout=support.DEADLINE,
            env={**os.environ, "TERM": "xterm"},
            check=False,
        )
    os.close(theirs)
    drawn = b""
    with suppress(OSError):  # The other side is closed.
        drawn = os.read(ours, 4096)
    os.close(ours)
    assert (done.returncode, drawn) == (0, b"")


def test_a_slow_reader_has_a_bar_to_look_at_and_none_afterwards() -> None:
    ours, theirs = pty.openpty()
    with segment_of(b"0123456789abcdef" * (64 * MIB // 16)) as path:
        process = subprocess.Popen(
            [support.COMMAND, "cat", path.name],
            stdout=subprocess.PIPE,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        )
        os.close(theirs)
        assert process.stdout
        drawn, length = b"", 0
        while part := process.stdout.read(MIB):
            length += len(part)
            # Reads slowly until the bar is there.
            if not drawn and select.select([ours], [], [], 0.05)[0]:
                drawn = os.read(ours, 4096)
        process.stdout.close()
        assert (process.wait(support.DEADLINE), length) == (0, 64 * MIB)
        with suppress(OSError):  # The other side is closed.
            while select.select([ours], [], [], 0)[0]:
                drawn += os.read(ours, 4096)
        os.close(ours)
    assert b"reading [" in drawn
    assert drawn.endswith(b"\r\x1b[K")


def test_output_that_cannot_be_written_is_a_failure(segment: Path) -> None:
    for form in ("--raw", "--hex"):
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                [support.COMMAND, "cat", segment.name, form],
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
            )
        assert done.returncode == 1
        assert os.strerror(28) in done.stderr.decode()


def test_holes_stay_holes_in_a_file_and_what_was_there_is_overwritten(tmp_path: Path) -> None:
    size = 64 * MIB
    with segment_of(b"begin", size) as path:
        content = path.read_bytes()
        copy = tmp_path / "copy"
        with open(copy, "wb") as out:
            subprocess.run([support.COMMAND, "cat", path.name], stdout=out, check=True)
        assert copy.read_bytes() == content
        assert copy.stat().st_blocks * 512 < size // 8
        old = tmp_path / "old"
        old.write_bytes(b"o" * (size + 3))
        with open(old, "r+b") as out:
            subprocess.run([support.COMMAND, "cat", path.name], stdout=out, check=True)
        assert old.read_bytes() == content + b"ooo"
        with open(old, "ab") as out:
            subprocess.run([support.COMMAND, "cat", path.name], stdout=out, check=True)
        assert old.read_bytes() == content + b"ooo" + content


# ---- Nothing changes -----------------------------------------------------------------------------


def test_looking_changes_neither_pages_nor_times() -> None:
    with segment_of(b"begin", 16 * MIB) as path:
        os.utime(path, ns=(10**18, path.stat().st_mtime_ns))
        before = path.stat()
        for form in ("--raw", "--hex", "--strings", "--trim"):
            assert run("cat", path.name, form).status == 0
        after = path.stat()
    assert after == before
    assert after.st_blocks == before.st_blocks == PAGE // 512
    assert after.st_atime_ns == 10**18


def test_a_last_segment_that_its_users_left_behind_is_shown_and_stays(segment: Path) -> None:
    segment.chmod(0o1600)
    assert run("cat", segment.name).bytes == segment.read_bytes()
    assert segment.exists()


def sysv_line(identifier: int) -> list[str]:
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()
    (line,) = [line.split() for line in lines[1:] if line.split()[1] == str(identifier)]
    return line


def test_system_v_is_read_through_who_has_it_attached_where_that_is_permitted() -> None:
    with system_v(MIB) as identifier, support.attached(identifier):
        address = f"sysv:id={identifier}"
        assert run("write", address, "--offset", "700K", stdin=b"hello").status == 0
        before = sysv_line(identifier)
        result = run("cat", address)
        assert result.bytes == bytes(700 * KIB) + b"hello" + bytes(324 * KIB - 5)
        if "attach" not in result.err:
            assert result.err == ""
            assert sysv_line(identifier) == before


def test_system_v_that_has_to_be_attached_is_said_and_gets_no_pages() -> None:
    memory = Path("/proc/meminfo").read_text()
    total, free = (re.search(rf"{key}: *(\d+)", memory) for key in ("SwapTotal", "SwapFree"))
    assert total
    assert free
    if total.group(1) != free.group(1):
        pytest.skip("the machine has something in swap")
    with system_v(3 * MIB + 100) as identifier:
        address = f"sysv:id={identifier}"
        assert run("write", address, "--offset", "2M", stdin=b"hello").status == 0
        before = sysv_line(identifier)
        result = run("cat", address, "--offset", "5")
        assert result.bytes == bytes(2 * MIB - 5) + b"hello" + bytes(MIB + 95)
        assert f"{address} has to be attached" in result.err
        assert sysv_line(identifier)[-2:] == before[-2:] == [str(PAGE), "0"]
        assert run("cat", address, "--strings").out == "00200000  hello\n"


# ---- Addresses -----------------------------------------------------------------------------------


def test_what_is_not_there_is_status_3(name: str) -> None:
    for address in (name, "sysv:0x7ffffff1", f"memfd:{name}", f"file:/{name}"):
        result = run("cat", address)
        assert (result.status, result.out) == (3, "")
        assert result.err.startswith("shmkit cat: ")


@pytest.mark.parametrize("odd", [b"with space", b"new\nline", b"\xff\xfe", b" (deleted)", b"--hex"])
def test_names_may_be_odd(odd: bytes) -> None:
    name = os.fsencode(unique_name()) + odd
    path = b"/dev/shm/" + name
    with open(path, "xb") as file:
        file.write(b"content")
    try:
        assert run("cat", b"posix:/" + name).bytes == b"content"
        assert run("cat", "--", name).bytes == b"content"
    finally:
        os.unlink(path)


def test_a_name_may_begin_with_a_dash(name: str) -> None:
    path = support.SHM / f"-{name}"
    path.write_bytes(b"dash")
    try:
        assert run("cat", "--", path.name).bytes == b"dash"
        assert run("cat", f"/{path.name}").bytes == b"dash"
        assert run("cat", path.name).status == 2
    finally:
        path.unlink()


def test_one_segment_at_a_time(segment: Path) -> None:
    assert run("cat").status == 2
    assert run("cat", segment.name, segment.name).status == 2


def test_a_name_that_is_gone_is_read_through_who_maps_it(segment: Path) -> None:
    content = segment.read_bytes()
    with holder(segment) as process:
        segment.unlink()
        (info,) = run("ls", "--json", "--pid", str(process.pid)).json["segments"]
        result = run("cat", info["address"])
        assert result.bytes == content


def test_memfds_are_read_by_their_name_if_it_is_the_only_one(name: str) -> None:
    files = []
    maps = []
    for content in (b"first", b"second"):
        file = os.memfd_create(name)
        os.write(file, content)
        files.append(file)
        maps.append(mmap.mmap(file, 0))
        if len(files) == 1:
            assert run("cat", f"memfd:{name}").bytes == b"first"
    result = run("cat", f"memfd:{name}")
    assert (result.status, result.out) == (1, "")
    addresses = re.findall("file:/proc/.*", result.err)
    assert {run("cat", address).bytes for address in addresses} == {b"first", b"second"}
    for each in maps:
        each.close()
    for file in files:
        os.close(file)


def test_an_inherited_descriptor_is_an_address(segment: Path) -> None:
    around = ("sh", "-c", 'exec 7<"$0"; exec "$@"', str(segment))
    assert run("cat", "fd:7", around=around).bytes == segment.read_bytes()


def test_what_is_no_segment_is_refused(name: str) -> None:
    path = support.SHM / name
    os.mkfifo(path)
    try:
        result = run("cat", name)
        assert (result.status, result.out) == (1, "")
        assert "a fifo" in result.err
        path.unlink()
        path.symlink_to("/etc/passwd")
        result = run("cat", name)
        assert (result.status, result.out) == (1, "")
        assert "a symbolic link" in result.err
    finally:
        path.unlink()


def test_without_permission_there_is_one_clear_sentence(segment: Path) -> None:
    segment.chmod(0)
    result = run("cat", segment.name, around=AS_NOBODY)
    assert (result.status, result.out) == (1, "")
    assert "no permission to read it" in result.err


@pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
def test_system_v_without_permission_is_one_clear_sentence() -> None:
    with system_v(4096) as identifier:
        before = sysv_line(identifier)
        result = run("cat", f"sysv:id={identifier}", around=AS_NOBODY)
        assert (result.status, result.out) == (1, "")
        assert result.err.count("\n") == 1
        assert "no permission" in result.err
        assert sysv_line(identifier) == before


def test_what_others_own_and_all_may_read_can_be_read(segment: Path) -> None:
    segment.chmod(0o644)
    result = run("cat", segment.name, around=AS_NOBODY)
    assert (result.status, result.bytes, result.err) == (0, segment.read_bytes(), "")


# ---- Meanwhile -----------------------------------------------------------------------------------


@contextmanager
def in_the_middle_of(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A reading of a segment of several MiB, of which no more than the first has been read."""
    process = subprocess.Popen(
        [support.COMMAND, "cat", path.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    try:
        assert process.stdout.peek(1)[:1]  # type: ignore[attr-defined]
        yield process
    finally:
        process.communicate(timeout=support.DEADLINE)


def test_a_segment_that_gets_shorter_is_shown_as_far_as_it_goes() -> None:
    content = b"0123456789abcdef" * (8 * MIB // 16)
    with segment_of(content) as path, in_the_middle_of(path) as process:
        os.truncate(path, 5 * MIB)
        assert process.stdout
        assert process.stdout.read() == content[: 5 * MIB]
        assert process.stderr
        error = process.stderr.read().decode()
        assert f"{path.name} was truncated while it was read" in error
        assert str(5 * MIB) in error
        assert process.wait(support.DEADLINE) == 1


def test_a_segment_that_vanishes_is_read_to_its_end() -> None:
    content = b"0123456789abcdef" * (8 * MIB // 16)
    with segment_of(content) as path, in_the_middle_of(path) as process:
        path.unlink()
        path.write_bytes(b"another")
        assert process.stdout
        assert process.stdout.read() == content
        assert process.wait(support.DEADLINE) == 0
