# SPDX-License-Identifier: MIT
"""A terminal with somebody in front of it: keys go in, and what the screen shows comes out."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pyte
import support

if TYPE_CHECKING:
    from typing import Self

# What a terminal of the kind xterm is told to begin and end with when a program takes its screen.
TAKEN, GIVEN_BACK = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR_IS_SHOWN = b"\x1b[?25h"

UP, DOWN, RIGHT, LEFT = "\x1bOA", "\x1bOB", "\x1bOC", "\x1bOD"
HOME, END, PAGE_UP, PAGE_DOWN = "\x1bOH", "\x1bOF", "\x1b[5~", "\x1b[6~"
ENTER, ESCAPE, BACKSPACE, CONTROL_C, CONTROL_Z = "\r", "\x1b", "\x7f", "\x03", "\x1a"

# A character and how often it is repeated, which pyte does not know.
REPEATED = re.compile(rb"(.)\x1b\[(\d+)b", re.DOTALL)


class Terminal:
    """The command, or another, on a terminal of its own, as a context."""

    def __init__(
        self,
        *arguments: str,
        rows: int = 24,
        columns: int = 80,
        command: tuple[str, ...] | None = None,
        environment: dict[str, str | None] | None = None,
    ) -> None:
        self.master, self.slave = pty.openpty()
        os.set_blocking(self.master, False)
        self.raw = b""
        self._rest = b""
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._set_size(rows, columns)
        self.modes_before = termios.tcgetattr(self.slave)
        wanted = {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "NO_COLOR": None}
        wanted |= environment or {}
        variables = {k: v for k, v in ({**os.environ, **wanted}).items() if v is not None}
        self.process = subprocess.Popen(
            [*(command or (str(support.COMMAND),)), *arguments],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=variables,
            start_new_session=True,
            # Of the session's first process it becomes the controlling terminal.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.send_signal(signal.SIGCONT)
        self.process.wait(support.DEADLINE)
        os.close(self.master)
        os.close(self.slave)

    def _set_size(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, size)

    def resize(self, rows: int, columns: int) -> None:
        self.read()
        self._screen.resize(rows, columns)
        self._set_size(rows, columns)

    def send(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def read(self, timeout: float = 0) -> bool:
        """Take in what has been written; whether there was something."""
        if not select.select([self.master], [], [], timeout)[0]:
            return False
        part = os.read(self.master, 65536)
        self.raw += part
        text = self._rest + part
        # What may be the first part of something is kept for the next time.
        whole = text.rfind(b"\x1b") if b"\x1b" in text[-16:] else max(len(text) - 1, 0)
        whole = max(whole - 1, 0)
        self._rest = text[whole:]
        self._feed(text[:whole])
        return True

    def _feed(self, text: bytes) -> None:
        self._stream.feed(REPEATED.sub(lambda m: m[1] * (int(m[2]) + 1), text))

    @property
    def lines(self) -> list[str]:
        """What the screen shows."""
        rest, self._rest = self._rest, b""
        self._feed(rest)
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def line(self, part: str) -> str:
        return next((line for line in self.lines if part in line), "")

    def style(self, part: str) -> Any:
        """How the first character of a text is drawn."""
        row, line = next((i, line) for i, line in enumerate(self.lines) if part in line)
        return self._screen.buffer[row][line.index(part)]

    def wait_for(self, holds: str | Callable[[], bool]) -> None:
        """Until the screen shows a text, or something is true."""
        end = time.monotonic() + support.DEADLINE
        test = (lambda: holds in self.text) if isinstance(holds, str) else holds
        while not test():
            assert time.monotonic() < end, f"{holds!r} is not on the screen:\n{self.text}"
            self.read(0.05)

    def wait_for_end(self) -> int:
        """The exit status, or the negative number of the signal; everything has been read then."""
        end = time.monotonic() + support.DEADLINE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text}"
            self.read(0.05)
        while self.read():
            pass
        return self.process.returncode

    def assert_restored(self) -> None:
        """The terminal is as before the program."""
        assert termios.tcgetattr(self.slave) == self.modes_before
        assert self.raw.count(TAKEN) == self.raw.count(GIVEN_BACK) > 0
        assert self.raw.rfind(GIVEN_BACK) > self.raw.rfind(TAKEN)
        assert self.raw.rfind(CURSOR_IS_SHOWN) > self.raw.rfind(b"\x1b[?25l")
