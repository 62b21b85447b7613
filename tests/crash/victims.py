# SPDX-License-Identifier: MIT
"""Processes that die at a place of one's choice, and the scene in which they do."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "interop"))
import peers
from peers import LANGUAGES, Failed, Peer, unique_name

__all__ = ["CONTENT", "LANGUAGES", "SIZE", "Failed", "Peer", "Scene", "Victim", "unique_name"]

CONTENT = b"what it had from the beginning"
SIZE = 10000

peers.COMMANDS["victim"] = [Path(os.environ["SHMKIT_BUILD"]) / "tests/crash/victim"]


@dataclass(frozen=True)
class Scene:
    """What a case is about: a segment's name, and who is to go on."""

    name: str
    survivor: Peer

    @property
    def path(self) -> Path:
        return Path("/dev/shm") / self.name

    def wait_for_flag(self, flag: int) -> None:
        """Until somebody has said in the first word that he sleeps."""
        deadline = time.monotonic() + peers.PATIENCE
        while not int.from_bytes(self.path.read_bytes()[:4], sys.byteorder) & flag:
            assert time.monotonic() < deadline, "nobody sleeps"
            os.sched_yield()


class Victim(Peer):
    """A peer in C that kills itself at a place."""

    def __init__(self, place: str, stop: str = "") -> None:
        os.environ |= {"SHMKIT_CRASH": place, "SHMKIT_STOP": stop}
        try:
            super().__init__("victim")
        finally:
            del os.environ["SHMKIT_CRASH"], os.environ["SHMKIT_STOP"]

    def wait_until_stopped(self) -> None:
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def ask(self, *words: object) -> None:
        """A thread of its own may have killed it before it is asked."""
        try:
            super().ask(*words)
        except BrokenPipeError as error:
            raise AssertionError("the victim died before it was asked") from error

    def died(self) -> bool:
        """Whether it was killed: waits for its end."""
        return self.end() == -signal.SIGKILL
