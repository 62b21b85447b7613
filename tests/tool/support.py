# SPDX-License-Identifier: MIT
"""Running the command, and processes that use segments while it looks."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

_IMPORTED = time.time()

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
    def bytes(self) -> bytes:
        """What it wrote to standard output, whatever that is."""
        return self.out.encode(errors="surrogateescape")

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


def on_a_terminal(*arguments: str, environment: dict[str, str] | None = None) -> str:
    """What the command writes to a terminal 200 columns wide."""
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    process = subprocess.Popen(
        [COMMAND, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color", **(environment or {})},
    )
    os.close(slave)
    text = b""
    while True:
        assert select.select([master], [], [], DEADLINE)[0]
        try:
            part = os.read(master, 65536)
        except OSError:  # The other side is closed.
            break
        if not part:
            break
        text += part
    os.close(master)
    assert process.wait(DEADLINE) == 0
    return text.decode(errors="replace")


def commands() -> list[str]:
    """The names of all commands."""
    text = run("--help").out.partition("Commands:\n")[2]
    return re.findall(r"^  (\w+) ", text, re.MULTILINE)


def options(*command: str) -> set[str]:
    """The options that a command's help lists: "-k", "--kind"."""
    lines = re.findall(r"^ +(-.*)", run(*command, "--help").out, re.MULTILINE)
    both = [re.match(r"(-\S(?=[ ,]|$))?(?:, )?(--[\w-]+)?", line) for line in lines]
    return {option for match in both if match for option in match.groups() if option}


def found(address: str | bytes, *arguments: str) -> dict[str, Any]:
    """What `shmkit ls --json` says about one address."""
    wanted = os.fsdecode(address)
    segments = run("ls", "--json", *arguments).json["segments"]
    (segment,) = [each for each in segments if each["address"] == wanted]
    return segment  # type: ignore[no-any-return]


_HOLDER = """
import mmap, os, sys
if sys.argv[3]:
    open("/proc/self/comm", "w").write(sys.argv[3])
file = os.open(sys.argv[1], os.O_RDWR)
maps = [mmap.mmap(file, 0) for _ in range(int(sys.argv[2]))]
os.close(file)
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(
    path: str | bytes | Path, mappings: int = 1, program: str = ""
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that maps a file so many times, and nothing else, until the block ends; it may
    give itself another name."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, path, str(mappings), program],
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
    with system_v_of(identifier):
        yield identifier


@contextmanager
def system_v_of(identifier: int) -> Iterator[None]:
    """A System V segment that somebody made goes at the end of the block, if it is still there."""
    try:
        yield
    finally:
        _libc.shmctl(identifier, IPC_RMID, None)


IS_ROOT = os.geteuid() == 0
# As an ordinary user, whoever runs the tests.
AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups") if IS_ROOT else ()

_OWN_PLACE = 'mount -t tmpfs tmpfs /dev/shm\neval "$0"\n"$@"'


def in_own_place(script: str, *, alone: bool = False) -> tuple[str, ...]:
    """What runs a command in mount and IPC namespaces of its own, with an empty /dev/shm, after a
    shell script, whose traps are heeded; the test is skipped where that is not permitted. `alone`:
    it sees no other processes either, which have segments of their own."""
    users = () if IS_ROOT else ("--map-root-user",)
    processes = ("--pid", "--fork", "--mount-proc") if alone else ()
    around = ("unshare", *users, "--mount", "--ipc", *processes, "sh", "-ec", _OWN_PLACE)
    if subprocess.run([*around, ":", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting in a namespace is not permitted")
    return (*around, script)


def run_in_own_place(script: str, *arguments: str, alone: bool = False) -> Result:
    """The command to its end, there."""
    return run(*arguments, around=in_own_place(script, alone=alone))


def make_as_nobody(name: str) -> Path:
    """A segment of an ordinary user, whom the tests may be."""
    path = SHM / name
    subprocess.run([*AS_NOBODY, "sh", "-c", 'umask 077; echo x >"$0"', path], check=True)
    return path


def wait_until_older_than_a_second() -> None:
    """System V's times are in seconds, of a clock that ticks: who was not there before the second
    in which a segment was made could have got the PID of its creator."""
    while int(time.time() - 0.1) < _IMPORTED + 0.1:
        os.sched_yield()


_FREE_KEYS = itertools.count(0x5EB00000 + os.getpid() % 0x1000 * 0x100)


def unique_key() -> int:
    """A key for a System V segment."""
    return next(_FREE_KEYS)


def system_v_exists(identifier: int) -> bool:
    segments = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return any(int(line.split()[1]) == identifier for line in segments)


@contextmanager
def attached(identifier: int, times: int = 1) -> Iterator[None]:
    """This process attaches a System V segment."""
    _libc.shmat.restype = ctypes.c_void_p
    addresses = [_libc.shmat(identifier, None, 0) for _ in range(times)]
    try:
        yield
    finally:
        for address in addresses:
            assert _libc.shmdt(ctypes.c_void_p(address)) == 0


@contextmanager
def coming_and_going(path: Path) -> Iterator[None]:
    """A process that makes a segment and removes it, all the time."""
    script = 'while :; do echo x >"$0"; rm -f "$0"; done'
    process = subprocess.Popen(["sh", "-c", script, path])
    try:
        yield
    finally:
        process.kill()
        process.wait(DEADLINE)
        path.unlink(missing_ok=True)


ODD_NAMES = [
    b"with space",
    b"new\nline",
    b"\x1b[31mred",
    b"quote'd",
    b"\\x20",
    b" (deleted)",
    b"\xff\xfe",
    b"*",
]


@contextmanager
def odd_segments(name: str) -> Iterator[list[bytes]]:
    """Segments with names that are hard to print; their paths."""
    paths = [b"/dev/shm/" + os.fsencode(name) + odd for odd in ODD_NAMES]
    for path in paths:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield paths
    finally:
        for path in paths:
            if os.path.lexists(path):
                os.unlink(path)
