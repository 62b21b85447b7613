# SPDX-License-Identifier: MIT
"""What ./run demo calls: it shows something, notices what is wrong, and cleans up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest
import shmkit
from programs import BUILD, COMMANDS, EXAMPLES, Program, wait_until


def left_behind(pid: int) -> list[str]:
    return [name for name in os.listdir("/dev/shm") if name.endswith(f"-{pid}")]


def test_all_is_well(tmp_path: Path) -> None:
    demo = Program(COMMANDS["demo"], tmp_path, "--seconds", 2)
    assert demo.wait() == 0
    assert demo.output.endswith("All well.\n")
    assert "FAILED" not in demo.output
    table = [line.split() for line in demo.output.splitlines() if line.count(" ok") == 4]
    assert [row[0] for row in table] == ["C", "Python", "Lua", "plain"]
    table = [line.split() for line in demo.output.splitlines() if line.count(" ok") == 3]
    assert [row[0] for row in table] == ["C", "Python", "Lua"]
    for text in (r"samples of /proc", r"windows of 12 columns", r"frames shown"):
        assert int(re.search(rf"(\d+) {text}", demo.output)[1]) > 0  # type: ignore[index]
    assert "posix:/telemetry-" in demo.output.partition("`shmkit ls` said")[2]
    assert left_behind(demo.pid) == []


def test_ctrl_c_ends_it_with_its_report(tmp_path: Path) -> None:
    demo = Program(COMMANDS["demo"], tmp_path, "--keep")
    demo.says("(mean ")
    assert demo.end(signal.SIGINT) == 0
    assert demo.output.endswith("All well.\n")
    assert left_behind(demo.pid) == []


@pytest.mark.parametrize("moment", ["hello:", "telemetry, until", "(mean "])
def test_a_signal_at_any_time_leaves_nothing(moment: str, tmp_path: Path) -> None:
    demo = Program(COMMANDS["demo"], tmp_path, "--keep")
    demo.says(moment)
    assert demo.end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert "Traceback" not in demo.output
    assert left_behind(demo.pid) == []


def test_its_programs_end_when_it_is_killed(tmp_path: Path) -> None:
    demo = Program(COMMANDS["demo"], tmp_path, "--keep")
    demo.says("(mean ")
    assert left_behind(demo.pid)
    demo.end(signal.SIGKILL)

    def is_gone() -> bool:
        # The dashboard may only read: when it is the last to leave, the name goes with the next
        # one who opens it.
        for name in left_behind(demo.pid):
            with contextlib.suppress(FileNotFoundError):
                shmkit.open(name).close()
        return not left_behind(demo.pid)

    wait_until(is_gone, "the segment is gone")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A build directory whose programs may be exchanged."""
    for program in ("hello/hello", "hello/plain", "books/books", "telemetry/sampler"):
        link = tmp_path / "examples" / program
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(BUILD / "examples" / program)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/shmkit").symlink_to(BUILD / "bin/shmkit")
    return tmp_path


def exchange(programs: Path, program: str, other: Path | str) -> None:
    """Have another program in its place."""
    link = programs / "examples" / program
    link.unlink()
    link.symlink_to(other)


def demo_with(programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(word) for word in (*COMMANDS["demo"], "--seconds", 1)],
        env={**os.environ, "SHMKIT_BUILD": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wrong_greeting_is_a_failure(programs: Path) -> None:
    exchange(programs, "hello/hello", BUILD / "examples/hello/plain")
    done = demo_with(programs)
    assert done.returncode == 1
    assert "FAILED: C to Python: plain C removed it" in done.stdout


def test_books_that_are_not_repaired_are_a_failure(programs: Path) -> None:
    exchange(programs, "books/books", "/bin/true")
    done = demo_with(programs)
    assert done.returncode == 1
    assert "FAILED: C killed, Python next: C ended with 0" in done.stdout
    assert "FAILED: Python killed, C next:" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_sampler_that_ends_is_a_failure(programs: Path) -> None:
    exchange(programs, "telemetry/sampler", "/bin/false")
    done = demo_with(programs)
    assert done.returncode == 1
    assert "FAILED: sampler worked" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_missing_program_is_a_failure(programs: Path) -> None:
    (programs / "examples/hello/hello").unlink()
    done = demo_with(programs)
    assert done.returncode == 1
    assert "./run demo builds it" in done.stderr


def test_help_says_how() -> None:
    done = subprocess.run([EXAMPLES / "demo", "--help"], capture_output=True, text=True, check=True)
    assert "--keep" in done.stdout


def screen_of(command: list[str], width: int) -> str:
    """What a program writes to a terminal of that width."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        written = b""
        while True:
            try:
                chunk = os.read(ours, 1 << 16)
            except OSError:  # EIO: nobody has the other end any more
                chunk = b""
            if not chunk:
                break
            written += chunk
    os.close(ours)
    assert process.returncode == 0, written
    return written.decode()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_it_fits_the_terminal(width: int) -> None:
    screen = screen_of([str(word) for word in (*COMMANDS["demo"], "--seconds", "1")], width)
    assert "\x1b[" in screen  # the dashboard drew a picture
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", screen)
    lines = text.replace("\r", "").split("\n")
    assert max(map(len, lines)) <= width
    assert any("█" in line or "#" in line for line in lines)
