# SPDX-License-Identifier: MIT
"""shmkit watch: changes as lines, and the screen."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import support
from support import run, system_v
from terminal import (
    CONTROL_C,
    DOWN,
    END,
    ENTER,
    ESCAPE,
    HOME,
    PAGE_DOWN,
    PAGE_UP,
    RIGHT,
    UP,
    Terminal,
)

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"


@contextmanager
def memory(path: Path) -> Iterator[mmap.mmap]:
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        yield mapping


class Watcher:
    """The command, which has looked once."""

    def __init__(self, *arguments: str, around: tuple[str, ...] = ()) -> None:
        self.process = subprocess.Popen(
            [*around, support.COMMAND, "watch", "--interval", "0.02", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        self.out, self.err = self.process.stdout, self.process.stderr
        self.said: list[str] = []
        self.wait_for("watching ")

    def __enter__(self) -> Watcher:  # noqa: PYI034
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.out.close()
        self.err.close()

    def wait_for(self, text: str) -> str:
        """The next message with a text."""
        for line in self.err:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} was not said: {self.said}")

    def change(self) -> str:
        """The next change, without its time."""
        line = self.out.readline()
        assert re.match(TIME + " ", line), line
        return line.partition(" ")[2].rstrip("\n")

    def wait(self) -> int:
        return self.process.wait(support.DEADLINE)


# ---- Lines -------------------------------------------------------------------------------------


def test_a_change_is_a_line_with_what_was_there_and_what_is(segment: Path) -> None:
    with memory(segment) as bytes_, Watcher(segment.name, "-n", "1") as watcher:
        bytes_[0x12:0x14] = b"\xaa\xbb"
        # Both bytes need not be seen by the same look.
        assert re.match(r"0x1[23] 1[23] .*-> .*(aa|bb)", watcher.change())
        assert watcher.wait() == 0


def test_elements_of_a_type_are_shown_as_values(segment: Path) -> None:
    values = {
        "i8": (struct.pack("b", -5), "-5"),
        "u16": (struct.pack("H", 65535), "65535"),
        "i32": (struct.pack("i", -100000), "-100000"),
        "u64": (struct.pack("Q", 2**64 - 1), "18446744073709551615"),
        "f32": (struct.pack("f", 0.1), "0.1"),
        "f64": (struct.pack("d", -1e300), "-1e+300"),
        "bool": (b"\x01", "true"),
        "char": (b"x", "x"),
    }
    for kind, (raw, text) in values.items():
        with memory(segment) as bytes_, Watcher(segment.name, "--type", kind) as watcher:
            old = bytes(len(raw))
            assert bytes_[4096 : 4096 + len(raw)] == old
            bytes_[4096 : 4096 + len(raw)] = raw
            line = watcher.change()
            while not line.endswith(f" -> {text}"):
                line = watcher.change()
            assert line.startswith("0x1000 ")
            bytes_[4096 : 4096 + len(raw)] = old


def test_strings_are_shown_as_text(segment: Path) -> None:
    with memory(segment) as bytes_:
        bytes_[5000:5006] = b"hello\0"
        with Watcher(segment.name, "-s", "-n", "1") as watcher:
            bytes_[5004:5005] = b"!"
            assert watcher.change() == '0x1388 "hello" -> "hell!"'
            assert watcher.wait() == 0


def test_only_the_part_that_was_asked_for_is_watched(segment: Path) -> None:
    with (
        memory(segment) as bytes_,
        Watcher(segment.name, "-o", "16", "--length", "0x10", "-n", "1") as watcher,
    ):
        bytes_[15:16] = bytes_[32:33] = b"\xee"
        bytes_[31:32] = b"\xdd"
        assert watcher.change() == "0x1f 1f -> dd"
        assert watcher.wait() == 0


def test_growing_and_shrinking_are_told_and_followed(segment: Path) -> None:
    with Watcher(segment.name) as watcher:
        os.truncate(segment, 12288)
        assert "grew from 8192 to 12288 bytes" in watcher.wait_for("grew")
        os.truncate(segment, 4096)
        assert "shrank from 12288 to 4096 bytes" in watcher.wait_for("shrank")
        with memory(segment) as bytes_:
            bytes_[0:1] = b"\xff"
            assert watcher.change() == "0x0 00 -> ff"


def test_a_removed_segment_ends_it_with_status_3(segment: Path) -> None:
    with Watcher(segment.name) as watcher:
        segment.unlink()
        watcher.wait_for("was removed")
        assert watcher.wait() == 3


def test_a_segment_that_is_created_anew_is_followed(segment: Path) -> None:
    with Watcher(segment.name, "--follow") as watcher:
        segment.unlink()
        watcher.wait_for("was removed")
        segment.write_bytes(b"\xff" + bytes(range(1, 256)) * 2)
        watcher.wait_for("created anew")
        assert watcher.change().startswith("0x0 00")


def test_what_does_not_exist_is_status_3(name: str) -> None:
    result = run("watch", name)
    assert (result.status, result.out) == (3, "")
    assert name in result.err


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("a", "b"),
        ("--interval", "x", "a"),
        ("--type", "i33", "a"),
        ("--length", "0", "a"),
        ("--offset", "-1", "a"),
        ("-n", "0", "a"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("watch", *wrong)
    assert (result.status, result.out) == (2, "")
    assert "shmkit watch: " in result.err


def test_an_offset_beyond_the_end_is_refused(segment: Path) -> None:
    result = run("watch", segment.name, "--offset", "8192")
    assert (result.status, result.out) == (2, "")
    assert "8192 bytes" in result.err


def test_watching_changes_nothing(segment: Path) -> None:
    os.truncate(segment, 1 << 20)
    os.utime(segment, ns=(10**18, segment.stat().st_mtime_ns))
    before = segment.stat()
    with Watcher(segment.name) as watcher:
        assert "1048576 bytes" in watcher.said[-1]
    after = segment.stat()
    assert after == before
    assert after.st_blocks == before.st_blocks


def test_system_v_is_watched_without_allocating_its_holes() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    with system_v(1 << 20) as identifier:
        memory_ = libc.shmat(identifier, None, 0)
        ctypes.memset(memory_ + 8, 1, 1)
        before = support.found(f"sysv:id={identifier}")
        with Watcher(f"sysv:id={identifier}", "--type", "u8", "-n", "1") as watcher:
            ctypes.memset(memory_ + 8, 7, 1)
            assert watcher.change() == "0x8 1 -> 7"
            assert watcher.wait() == 0
        assert support.found(f"sysv:id={identifier}")["resident"] == before["resident"]
        libc.shmdt(ctypes.c_void_p(memory_))


def test_a_system_v_segment_that_is_removed_ends_it() -> None:
    with system_v(4096) as identifier, Watcher(f"sysv:id={identifier}") as watcher:
        libc = ctypes.CDLL(None)
        libc.shmctl(identifier, support.IPC_RMID, None)
        watcher.wait_for("was removed")
        assert watcher.wait() == 3


# ---- The screen --------------------------------------------------------------------------------


def watch(segment: Path, *arguments: str, **options: object) -> Terminal:
    address = f"posix:/{segment.name}"
    return Terminal("watch", "--interval", "0.05", address, *arguments, **options)  # type: ignore[arg-type]


def test_the_screen_shows_bytes_and_text(segment: Path) -> None:
    with watch(segment) as terminal:
        terminal.wait_for("@ABCDEFGHIJKLMNO")
        assert f"posix:/{segment.name}  8192 bytes" in terminal.lines[0]
        line = terminal.line("00000040 ")
        assert line.split()[1:5] == ["40", "41", "42", "43"]
        assert line.endswith("@ABCDEFGHIJKLMNO")
        terminal.wait_for(lambda: "q quit" in terminal.lines[-1])


def test_what_another_process_changes_is_highlighted_and_fades(segment: Path) -> None:
    with watch(segment) as terminal:
        terminal.wait_for("00000010 ")
        script = "import os,sys; f=os.open(sys.argv[1],1); os.pwrite(f,b'\\xde\\xad',0x12)"
        subprocess.run(["python3", "-c", script, str(segment)], check=True)
        # While it is new it may go by faster than this test reads; what was written tells.
        terminal.wait_for("de ad")
        terminal.wait_for(lambda: not terminal.style("de ad").reverse)
        terminal.wait_for(lambda: not terminal.style("de ad").underscore)
        assert re.search(rb"\x1b\[[0-9;]*7[;m][^\r\n]*de", terminal.raw)


def test_a_pause_keeps_what_is_highlighted(segment: Path) -> None:
    with watch(segment, "--interval", "3") as terminal:
        terminal.wait_for("00000010 ")
        with memory(segment) as bytes_:
            bytes_[0x12:0x13] = b"\xde"
        terminal.wait_for("de 13")
        terminal.send("p")
        terminal.wait_for("PAUSED")
        assert terminal.style("de 13").reverse


def test_keys_move_through_the_segment(segment: Path) -> None:
    with watch(segment) as terminal:
        terminal.wait_for("00000000 ")
        for keys, first in (
            (DOWN, 0x10),
            (RIGHT, 0x11),
            (PAGE_DOWN, 0x171),
            (PAGE_UP, 0x11),
            (UP, 0x1),
            (END, 8192 - 22 * 16),
            (HOME, 0),
            (f"g0x1000{ENTER}", 0x1000),
            (f"g64{ENTER}", 64),
            (f"g8{ESCAPE}", 64),
        ):
            terminal.send(keys)
            terminal.wait_for(lambda at=first: terminal.lines[1].startswith(f"{at:08x} "))  # type: ignore[misc]
        terminal.send(f"gnonsense{ENTER}")
        terminal.wait_for("is no offset")
        terminal.send(f"g9000{ENTER}")
        terminal.wait_for("not as large")


def test_views_are_hexadecimal_strings_and_types(segment: Path) -> None:
    with memory(segment) as bytes_:
        bytes_[4096:4112] = b"first\0\0\0second\0\0"
        struct.pack_into("i", bytes_, 4112, -123456)
    with watch(segment, "--offset", "0x1000") as terminal:
        terminal.wait_for("first")
        terminal.send("t")
        terminal.wait_for("00001008  second")
        assert "00001000  first" in terminal.text
        terminal.send(DOWN)
        terminal.wait_for(lambda: terminal.lines[1].startswith("00001008  second"))
        terminal.send(UP)
        terminal.wait_for(lambda: terminal.lines[1].startswith("00001000  first"))
        terminal.send("t")
        terminal.wait_for("-123456")
        assert " i32 " in terminal.lines[0]
        terminal.send("T")
        terminal.wait_for(lambda: " i64 " in terminal.lines[0])


def test_a_removed_segment_is_told_and_its_successor_shown(segment: Path) -> None:
    with watch(segment) as terminal:
        terminal.wait_for("00000010 ")
        segment.unlink()
        terminal.wait_for("was removed")
        assert "10 11 12 13" in terminal.text
        segment.write_bytes(b"\xab" * 4096)
        terminal.wait_for("was created anew")
        terminal.wait_for("ab ab ab")
        terminal.send("q")
        assert terminal.wait_for_end() == 0


def test_growth_is_told(segment: Path) -> None:
    with watch(segment) as terminal:
        terminal.wait_for("8192 bytes")
        os.truncate(segment, 16384)
        terminal.wait_for("grew from 8192 to 16384 bytes")
        os.truncate(segment, 0)
        terminal.wait_for("shrank from 16384 to 0 bytes")


@pytest.mark.parametrize(
    ("leave", "status"),
    [
        (lambda t: t.send("q"), 0),
        (lambda t: t.send(CONTROL_C), -signal.SIGINT),
        (lambda t: t.process.terminate(), -signal.SIGTERM),
    ],
    ids=["q", "control-c", "terminate"],
)
def test_the_terminal_is_as_before_whichever_way_it_ends(  # type: ignore[no-untyped-def]
    segment: Path, leave, status: int
) -> None:
    with watch(segment) as terminal:
        terminal.wait_for("00000010 ")
        leave(terminal)
        assert terminal.wait_for_end() == status
        terminal.assert_restored()


@pytest.mark.parametrize(("rows", "columns"), [(5, 20), (2, 10), (1, 1), (24, 40), (50, 200)])
def test_every_size_of_terminal_works(segment: Path, rows: int, columns: int) -> None:
    with watch(segment, rows=rows, columns=columns) as terminal:
        terminal.wait_for(lambda: b"\x1b[?1049h" in terminal.raw)
        terminal.send("ttt" + DOWN + END + UP + "T" + PAGE_UP + "q")
        assert terminal.wait_for_end() == 0
        terminal.assert_restored()


def test_a_terminal_that_changes_its_size_is_filled_again(segment: Path) -> None:
    with watch(segment) as terminal:
        terminal.wait_for("00000150 ")
        terminal.resize(6, 40)
        terminal.wait_for(lambda: terminal.lines[4].startswith("0000000c "))
        terminal.resize(30, 160)
        terminal.wait_for(lambda: terminal.lines[2].startswith("00000020 "))


def test_names_never_act_on_the_terminal(name: str) -> None:
    path = support.SHM / f"{name}\x1b]0;owned\x07\n"
    path.write_bytes(b"\x1b]0;owned\x07" * 10)
    try:
        with watch(path, columns=120) as terminal:
            terminal.wait_for("\\033]0;owned\\a\\n")
            terminal.send("ttt")
            path.unlink()
            terminal.wait_for("was removed")
            assert b"\x1b]0;" not in terminal.raw
            assert b"\x07" not in terminal.raw
    finally:
        path.unlink(missing_ok=True)
