# SPDX-License-Identifier: MIT
"""shmkit top: batches, and the screen."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import support
from support import holder, run
from terminal import (
    BACKSPACE,
    CONTROL_C,
    CONTROL_Z,
    DOWN,
    END,
    ENTER,
    ESCAPE,
    HOME,
    PAGE_DOWN,
    RIGHT,
    UP,
    Terminal,
)

QUICK = ("top", "--interval", "0.05")


def top(*arguments: str, **options: object) -> Terminal:
    return Terminal(*QUICK, *arguments, **options)  # type: ignore[arg-type]


@contextmanager
def segments(count: int, size: int = 4096) -> Iterator[list[Path]]:
    """So many files, each a page larger than the one before; their names begin alike."""
    common = support.unique_name("-")
    paths = [support.SHM / f"{common}{i:02}" for i in range(count)]
    try:
        for i, path in enumerate(paths):
            path.write_bytes(b"x" * (size + i * 4096))
        yield paths
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


# ---- Batches -----------------------------------------------------------------------------------


def test_a_batch_has_a_summary_and_a_table(segment: Path) -> None:
    result = run("top", "-b", "-n", "1", "--bytes", "--kind", "posix")
    assert (result.status, result.err) == (0, "")
    summary, table = result.out.split("\n\n")
    assert re.match(r"\d+ segments?: ", summary)
    assert "this look took " in summary
    assert " posix " in summary
    assert "/dev/shm: " in summary
    headings, *rows = [line.split() for line in table.splitlines()]
    assert headings == "RSS RATE SIZE PROCS CHANGE STATE OWNER SEGMENT".split()
    (row,) = [row for row in rows if row[-1] == f"posix:/{segment.name}"]
    assert row[1:5] == ["-", "8192", "0", "."]


def test_what_is_no_terminal_gets_batches_and_their_number_is_kept() -> None:
    result = run("top", "-n", "3", "--interval", "0.01")
    assert result.out.count("this look took") == 3


def test_the_largest_in_memory_come_first(segment: Path) -> None:
    with segments(3) as paths:
        out = run("top", "-n", "1", "-o", "segment").out
    at = [out.index(path.name) for path in paths]
    assert at == sorted(at, reverse=True)


def test_order_and_columns_are_chosen() -> None:
    with segments(3) as paths:
        names = [path.name for path in paths]
        for sort, upwards in (("segment", True), ("-segment", False), ("+rss", True)):
            out = run("top", "-n", "1", "-o", "segment,rss", "--sort", sort).out
            at = [out.index(name) for name in names]
            assert at == sorted(at, reverse=not upwards)


def batches(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [support.COMMAND, "top", "--json", "--interval", "0.02", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_json_is_a_document_a_line_that_tells_what_changes(name: str) -> None:
    path = support.SHM / name
    process = batches()
    assert process.stdout

    def wait_for(**wanted: object) -> dict[str, object]:
        assert process.stdout
        for line in process.stdout:
            for each in json.loads(line)["segments"]:
                if each["name"] == name and all(each[k] == v for k, v in wanted.items()):
                    return each  # type: ignore[no-any-return]
        raise AssertionError("it has ended")

    try:
        first = json.loads(process.stdout.readline())
        assert first["version"] == 1
        assert first["look_ns"] > 0
        assert all(each["resident_per_second"] is None for each in first["segments"])
        path.write_bytes(b"x" * 4096)
        assert wait_for(change="new")["resident_per_second"] is None
        assert wait_for(change=None)["mappers_came"] == 0
        with holder(path):
            wait_for(mappers_came=1, mappers_left=0)
        wait_for(mappers_came=0, mappers_left=1)
        path.unlink()
        wait_for(change="gone")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        path.unlink(missing_ok=True)


def test_rates_are_the_change_of_what_is_in_memory(segment: Path) -> None:
    process = batches("--kind", "posix")
    assert process.stdout
    rates: list[float] = []
    try:
        for line in process.stdout:
            found = [each for each in json.loads(line)["segments"] if each["name"] == segment.name]
            rates += [each["resident_per_second"] for each in found]
            if len(rates) == 3:
                with open(segment, "r+b") as file:
                    file.write(b"x" * 8192)
            if len(rates) > 3 and rates[-1] != 0:
                break
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    if rates[0] is None and rates[-1] is None:
        pytest.skip("what is in memory is not known while something is in swap")
    assert rates[0] is None
    assert rates[1:3] == [0, 0]
    assert rates[-1] > 0


@pytest.mark.parametrize(
    "wrong",
    [
        ("-n", "0"),
        ("--interval", "0"),
        ("--interval", "x"),
        ("--interval", "2h"),
        ("--sort", "nonsense"),
        ("-o", "rss,nonsense"),
        ("--kind", "nonsense"),
        ("argument",),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("top", *wrong)
    assert (result.status, result.out) == (2, "")
    assert "shmkit top: " in result.err


def test_top_changes_nothing(segment: Path) -> None:
    os.utime(segment, ns=(10**18, segment.stat().st_mtime_ns))
    before = segment.stat()
    assert run("top", "--all", "-n", "3", "--interval", "0.01").status == 0
    assert segment.stat() == before


# ---- The screen --------------------------------------------------------------------------------


def test_the_screen_shows_segments_and_how_long_a_look_takes(segment: Path) -> None:
    with top() as terminal:
        terminal.wait_for(segment.name)
        terminal.wait_for("this look took")
        terminal.wait_for(lambda: terminal.line("RATE").split()[:1] == ["RSS"])
        terminal.wait_for(lambda: "q quit" in terminal.lines[-1])


@pytest.mark.parametrize(
    ("leave", "status"),
    [
        (lambda t: t.send("q"), 0),
        (lambda t: t.send(CONTROL_C), -signal.SIGINT),
        (lambda t: t.process.terminate(), -signal.SIGTERM),
        (lambda t: t.process.send_signal(signal.SIGHUP), -signal.SIGHUP),
    ],
    ids=["q", "control-c", "terminate", "hang-up"],
)
def test_the_terminal_is_as_before_whichever_way_it_ends(leave, status: int) -> None:  # type: ignore[no-untyped-def]
    with top() as terminal:
        terminal.wait_for("q quit")
        leave(terminal)
        assert terminal.wait_for_end() == status
        terminal.assert_restored()


def test_so_many_looks_and_an_end(segment: Path) -> None:
    with top("-n", "2") as terminal:
        assert terminal.wait_for_end() == 0
        terminal.assert_restored()


def test_control_z_gives_the_terminal_to_the_shell_and_fg_takes_it_again() -> None:
    shell = ("bash", "--norc", "--noediting", "-i")
    with Terminal(command=shell, environment={"PS1": "prompt$ "}) as terminal:
        terminal.wait_for("prompt$")
        before = termios.tcgetattr(terminal.slave)
        terminal.send(f"{support.COMMAND} {' '.join(QUICK)}\n")
        terminal.wait_for("q quit")
        assert termios.tcgetattr(terminal.slave) != before
        terminal.send(CONTROL_Z)
        terminal.wait_for("Stopped")
        assert termios.tcgetattr(terminal.slave) == before
        terminal.send("clear; fg\n")
        terminal.wait_for(lambda: "q quit" in terminal.text and "Stopped" not in terminal.text)
        terminal.send("q")
        terminal.wait_for(lambda: termios.tcgetattr(terminal.slave) == before)
        terminal.send("exit\n")
        assert terminal.wait_for_end() == 0


def test_a_new_segment_is_highlighted_and_one_that_is_gone_too(name: str) -> None:
    path = support.SHM / name
    with Terminal("top", "--interval", "0.5", "--kind", "posix") as terminal:
        terminal.wait_for("q quit")
        terminal.send(f"/{name}{ENTER}p")
        terminal.wait_for("PAUSED")
        path.write_bytes(b"x" * 4096)
        try:
            terminal.send(" ")
            terminal.wait_for(lambda: " new " in terminal.line(name))
            path.unlink()
            terminal.send(" ")
            terminal.wait_for(lambda: " gone " in terminal.line(f"/{name}"))
            terminal.send(" ")
            terminal.wait_for(lambda: f"posix:/{name}" not in terminal.text)
        finally:
            path.unlink(missing_ok=True)


def test_processes_that_come_and_go_are_counted(segment: Path) -> None:
    with top() as terminal:
        terminal.wait_for(segment.name)
        terminal.send(f"/{segment.name}{ENTER}p")
        terminal.wait_for("PAUSED")
        with holder(segment), holder(segment):
            terminal.send(" ")
            terminal.wait_for(lambda: " +2 " in terminal.line(f"posix:/{segment.name}"))
        terminal.send(" ")
        terminal.wait_for(lambda: " -2 " in terminal.line(f"posix:/{segment.name}"))


def test_new_rows_stand_out_with_colours_and_without() -> None:
    for environment, colour in (({}, "brown"), ({"NO_COLOR": "1"}, "default")):
        with top(environment=environment) as terminal, segments(2) as paths:
            terminal.wait_for(paths[1].name)
            common = paths[0].name[:-2]
            terminal.send(f"/{common}{ENTER}p")
            terminal.wait_for("PAUSED")
            extra = support.SHM / f"{common}99"
            try:
                extra.write_bytes(b"x")
                terminal.send(" ")
                terminal.wait_for(lambda: " new " in terminal.line(extra.name))  # noqa: B023
                terminal.send(HOME)
                terminal.wait_for(lambda: terminal.style(paths[1].name).bold)
                style = terminal.style(extra.name)
            finally:
                extra.unlink()
            assert style.reverse
            assert style.fg == colour


def test_the_selection_stays_with_its_segment_and_the_table_scrolls() -> None:
    with top("--kind", "posix") as terminal, segments(30) as paths:
        common = paths[0].name[:-2]
        terminal.send(f"/{common}{ENTER}")
        terminal.wait_for(f"only with {common}")
        terminal.wait_for(paths[29].name)
        assert paths[0].name not in terminal.text
        terminal.send(END)
        terminal.wait_for(
            lambda: terminal.style(paths[0].name).reverse
            if paths[0].name in terminal.text
            else False
        )
        terminal.send(UP)
        terminal.wait_for(lambda: terminal.style(paths[1].name).reverse)
        terminal.send("r")
        terminal.wait_for(
            lambda: paths[1].name in terminal.text and terminal.style(paths[1].name).reverse
        )
        terminal.wait_for(lambda: "smallest first" in terminal.lines[-1])
        terminal.send(HOME + PAGE_DOWN + DOWN)
        terminal.wait_for(lambda: paths[0].name not in terminal.text)


def test_details_show_who_maps_the_selected_segment(segment: Path) -> None:
    with holder(segment) as process, top() as terminal:
        terminal.send(f"/{segment.name}{ENTER}")
        terminal.wait_for(f"only with {segment.name}")
        terminal.send(HOME + ENTER)
        terminal.wait_for("Mapped by")
        terminal.wait_for(str(process.pid))
        text = terminal.text
        assert f"posix:/{segment.name}" in text
        assert "8192 (8K)" in text
        assert "Modified" in text
        terminal.send("q")
        terminal.wait_for("q quit")


def test_help_tells_the_keys_and_scrolls() -> None:
    with top(rows=12) as terminal:
        terminal.wait_for("q quit")
        terminal.send("h")
        terminal.wait_for("select a segment")
        terminal.send(END)
        terminal.wait_for("change of RSS")
        terminal.send("q")
        terminal.wait_for("q quit, h help")


def test_the_order_is_changed_by_keys(segment: Path) -> None:
    with top() as terminal:
        terminal.wait_for("by RSS, largest first")
        terminal.send(">")
        terminal.wait_for("by RATE, largest first")
        terminal.send("<<")
        terminal.wait_for("by SEGMENT, smallest first")
        terminal.send("r")
        terminal.wait_for("by SEGMENT, largest first")
        terminal.send(f"sinodx{BACKSPACE}e{ENTER}")
        terminal.wait_for("by INODE, largest first")
        terminal.send(f"snonsense{ENTER}")
        terminal.wait_for("no such column")
        terminal.send(f"ssize{ESCAPE}")
        terminal.wait_for("by INODE")


def test_kinds_are_changed_by_keys(name: str) -> None:
    semaphore = support.SHM / f"sem.{name}"
    semaphore.write_bytes(bytes(32))
    try:
        with top() as terminal:
            terminal.send(f"/{name}{ENTER}")
            terminal.wait_for("only with")
            assert f"sem.{name}" not in terminal.text
            terminal.send("a")
            terminal.wait_for(f"sem.{name}")
            terminal.wait_for(lambda: "all kinds" in terminal.lines[-1])
            terminal.send("akkk")
            terminal.wait_for("; memfd; by")
            assert f"sem.{name}" not in terminal.text
            terminal.send("k")
            terminal.wait_for(f"sem.{name}")
            # Not "new" in the column CHANGE, which may be the name of a user.
            assert "." in terminal.line(f"sem.{name}").split()
    finally:
        semaphore.unlink()


def test_the_interval_is_changed_by_keys() -> None:
    with Terminal("top") as terminal:
        terminal.wait_for("every 2 s")
        terminal.send("+")
        terminal.wait_for("every 4 s")
        terminal.send("---")
        terminal.wait_for("every 0.5 s")


def test_a_pause_takes_no_looks(segment: Path, name: str) -> None:
    with top() as terminal:
        terminal.wait_for("q quit")
        terminal.send("p")
        terminal.wait_for("PAUSED")
        before = terminal.line("this look took")
        terminal.send("r" * 50)
        terminal.send(">")
        terminal.wait_for("by RATE")
        assert terminal.line("this look took") == before
        terminal.send("p")
        terminal.wait_for(lambda: terminal.line("this look took") != before)


@pytest.mark.parametrize(("rows", "columns"), [(5, 20), (2, 10), (1, 1), (24, 40), (50, 200)])
def test_every_size_of_terminal_works(segment: Path, rows: int, columns: int) -> None:
    with top(rows=rows, columns=columns) as terminal:
        if columns >= 10:
            terminal.wait_for(lambda: terminal.lines[-1] != "")
        else:
            terminal.wait_for(lambda: b"\x1b[?1049h" in terminal.raw)
        for key in (DOWN, RIGHT, "i", "q", "h", "q", "s", ESCAPE, END):
            terminal.send(key)
        terminal.send(ESCAPE)
        terminal.send("q" * 3)
        assert terminal.wait_for_end() == 0
        terminal.assert_restored()


def test_a_tiny_terminal_shows_what_is_largest(segment: Path) -> None:
    with top(rows=5, columns=20) as terminal, segments(1, size=1 << 20) as paths:
        terminal.send(f"/{paths[0].name}{ENTER}")
        terminal.wait_for("posix:/shmkit")
        terminal.wait_for(
            lambda: "RSS" in terminal.lines[1] and "posix:/shmkit" in terminal.lines[2]
        )


def test_a_terminal_that_changes_its_size_is_filled_again(segment: Path) -> None:
    with top() as terminal:
        terminal.wait_for("q quit")
        terminal.resize(10, 60)
        terminal.wait_for(lambda: "q quit" in terminal.lines[9])
        terminal.resize(40, 132)
        terminal.wait_for(lambda: "q quit" in terminal.lines[39] and "RSS" in terminal.text)


def test_names_never_act_on_the_terminal(name: str) -> None:
    evil = f"{name}\x1b]0;owned\x07\x1b[2J\x9b31m\n\u202e"
    path = support.SHM / evil
    path.write_bytes(b"x" * 4096)
    try:
        with top(columns=200) as terminal:
            terminal.send(f"/{name}{ENTER}")
            terminal.wait_for(f"posix:/{name}\\033]0;owned\\a\\033[2J")
            terminal.send(HOME + ENTER)
            terminal.wait_for("Address")
            terminal.wait_for("owned")
            assert b"\x1b]0;" not in terminal.raw
            assert "\x9b".encode() not in terminal.raw
            assert "\u202e".encode() not in terminal.raw
        for line in run("top", "-n", "1").out.splitlines():
            assert "\x1b" not in line
    finally:
        path.unlink()


def test_no_color_is_respected(segment: Path) -> None:
    with holder(segment), top(environment={"NO_COLOR": "1"}) as terminal:
        terminal.wait_for(segment.name)
        terminal.send("q")
        terminal.wait_for_end()
        assert not re.search(rb"\x1b\[([0-9]+;)*[34][0-9][;m]", terminal.raw)


def test_states_have_colours(segment: Path) -> None:
    with holder(segment), top() as terminal:
        terminal.wait_for(lambda: " used " in terminal.line(segment.name))
        terminal.send(END)
        terminal.send("q")
        terminal.wait_for_end()
        assert re.search(rb"\x1b\[([0-9]+;)*[34][0-9][;m]", terminal.raw)


def test_a_dumb_terminal_gets_lines() -> None:
    with Terminal("top", "-n", "2", "--interval", "0.01", environment={"TERM": "dumb"}) as terminal:
        assert terminal.wait_for_end() == 0
        assert terminal.raw.count(b"this look took") == 2
        assert b"\x1b" not in terminal.raw


@pytest.mark.parametrize("terminal_type", [None, "", "no-such-terminal"])
def test_without_a_known_terminal_it_says_what_to_do(terminal_type: str | None) -> None:
    with Terminal("top", environment={"TERM": terminal_type}) as terminal:
        assert terminal.wait_for_end() == 1
        assert b"shmkit top: " in terminal.raw
        assert b"TERM" in terminal.raw
        assert b"\x1b" not in terminal.raw


def test_batches_on_request_on_a_terminal_too() -> None:
    with Terminal("top", "-b", "-n", "1", environment={"TERM": None}) as terminal:
        assert terminal.wait_for_end() == 0
        assert b"this look took" in terminal.raw
