# SPDX-License-Identifier: MIT
"""The example programs, as processes of tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
BUILD = Path(os.environ["SHMKIT_BUILD"])
COMMANDS: dict[str, list[object]] = {
    "sampler": [BUILD / "examples/telemetry/sampler"],
    "summary": [sys.executable, EXAMPLES / "telemetry/summary.py"],
    "dashboard": ["lua5.4", EXAMPLES / "telemetry/dashboard.lua"],
    "demo": [sys.executable, EXAMPLES / "demo"],
}
PATIENCE = 60


def wait_until(done: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, f"in {PATIENCE} s it did not come true that {what}"
        time.sleep(0.01)


class Program:
    """A running example. Its output goes to a file, which can be looked at meanwhile."""

    def __init__(self, command: list[object], directory: Path, *arguments: object) -> None:
        self.output_path = directory / f"output-{time.monotonic_ns()}"
        with self.output_path.open("wb") as output:
            self._process = subprocess.Popen(
                [str(word) for word in (*command, *arguments)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.pid = self._process.pid

    @property
    def output(self) -> str:
        return self.output_path.read_text()

    def says(self, text: str) -> None:
        """Wait until it has said that."""
        wait_until(lambda: text in self.output, f"{text!r} appears in {self.output!r}")

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
