# SPDX-License-Identifier: MIT
"""Running the command, and processes that use segments while it looks."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = f"shmkit-tool-{os.getpid()}-"
SHM = Path("/dev/shm")
COMMAND = Path(os.environ["SHMKIT_BUILD"]) / "bin" / "shmkit"
DEADLINE = 60

_numbers = itertools.count()
_libc = ctypes.CDLL(None, use_errno=True)


def unique_name(suffix: str = "") -> str:
    return f"{PREFIX}{next(_numbers)}{suffix}"


@dataclass
class Result:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.out.splitlines()]


def run(
    *arguments: str | bytes,
    stdin: bytes = b"",
    environment: dict[str, str] | None = None,
    around: tuple[str, ...] = (),
) -> Result:
    """The command to its end. `around`: a command that runs it, such as unshare."""
    done = subprocess.run(
        [*around, COMMAND, *arguments],
        input=stdin,
        capture_output=True,
        timeout=DEADLINE,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
        check=False,
    )
    out, err = (stream.decode(errors="surrogateescape") for stream in (done.stdout, done.stderr))
    return Result(done.returncode, out, err)


def found(address: str | bytes, *arguments: str) -> dict[str, Any]:
    """What `shmkit ls --json` says about one address."""
    wanted = os.fsdecode(address)
    segments = run("ls", "--json", *arguments).json["segments"]
    (segment,) = [each for each in segments if each["address"] == wanted]
    return segment  # type: ignore[no-any-return]


_HOLDER = """
import mmap, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
maps = [mmap.mmap(file, 0) for _ in range(int(sys.argv[2]))]
os.close(file)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(path: str | bytes | Path, mappings: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """A process that maps a file so many times, and nothing else, until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, path, str(mappings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(DEADLINE)


IPC_CREAT, IPC_EXCL, IPC_RMID = 0o1000, 0o2000, 0


@contextmanager
def system_v(size: int, key: int = 0) -> Iterator[int]:
    """A System V segment's identifier."""
    flags = 0o600 | IPC_CREAT | (IPC_EXCL if key else 0)
    identifier = _libc.shmget(ctypes.c_int(key), ctypes.c_size_t(size), flags)
    assert identifier >= 0, os.strerror(ctypes.get_errno())
    try:
        yield identifier
    finally:
        _libc.shmctl(identifier, IPC_RMID, None)
