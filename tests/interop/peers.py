# SPDX-License-Identifier: MIT
"""Programs that do with shmkit what they are told, one for each language: see peer.c.

A peer reads a command per line, such as `open 1 66726d 6361...`: words that are separated by
blanks. Segments have numbers, addresses and bytes are in hexadecimal. It answers `ok` and results,
or `error`, the errno, whether it is misuse, and the message; then a line with a dot.
"""

from __future__ import annotations

import itertools
import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ["SHMKIT_BUILD"])
COMMANDS = {
    "c": [BUILD / "tests/interop/peer"],
    "python": [sys.executable, HERE / "peer.py"],
    "lua": ["lua5.4", HERE / "peer.lua"],
}
LANGUAGES = tuple(COMMANDS)
PATIENCE = 60

# Names that tests make begin so.
PREFIX = f"shmkit-interop-{os.getpid()}-"
_numbers = itertools.count()


def unique_name() -> str:
    return f"{PREFIX}{next(_numbers)}"


def unique_key() -> int:
    """A System V key: never one that a human would choose, or that the other suites use."""
    return 0x60000000 | (os.getpid() & 0x1FFFFF) << 8 | next(_numbers) & 0xFF


class Failed(Exception):
    """A peer's call of shmkit failed. In Lua, misuse has no errno: None."""

    def __init__(self, errno: int | None, misuse: bool, message: str) -> None:
        super().__init__(f"errno {errno}, {'misuse' if misuse else 'no misuse'}: {message}")
        self.errno = errno
        self.misuse = misuse
        self.message = message


class Info(NamedTuple):
    address: str
    name: str
    kind: str
    lifetime: str
    size: int
    capacity: int
    readonly: bool
    created: bool
    closed: bool


def _encode(data: bytes | str) -> str:
    data = os.fsencode(data) if isinstance(data, str) else data
    return data.hex() or "-"


def _decode(word: str) -> bytes:
    return b"" if word == "-" else bytes.fromhex(word)


def _option(name: str, value: object) -> str:
    if isinstance(value, bytes):
        value = _encode(value)
    return f"{name}={value}"


def _text(type: str, value: object) -> str:
    if type in ("f32", "f64"):
        return float(value).hex()  # type: ignore[arg-type]
    return str(int(value))  # type: ignore[call-overload]


class Peer:
    """One process. Segments are numbers of the caller's choice, 0 to 7."""

    def __init__(
        self, language: str, socket: int | None = None, around: Sequence[str] = ()
    ) -> None:
        """`around`: a command that runs it, such as unshare."""
        self.language = language
        self.socket = socket
        self._process = subprocess.Popen(
            [*around, *COMMANDS[language]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=() if socket is None else (socket,),
        )
        self.pid = self._process.pid
        self._unread = b""

    def _line(self) -> str:
        assert self._process.stdout is not None
        while b"\n" not in self._unread:
            ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
            assert ready, f"the peer in {self.language} does not answer"
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            assert chunk, f"the peer in {self.language} died: {self._process.wait()}"
            self._unread += chunk
        line, self._unread = self._unread.split(b"\n", 1)
        return line.decode()

    def call(self, *words: object) -> list[str]:
        """The results of one command; Failed when shmkit said so."""
        self.ask(*words)
        return self.answer()

    def ask(self, *words: object) -> None:
        """Give it a command, which may take as long as it likes."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)).encode() + b"\n")
        self._process.stdin.flush()

    def answer(self) -> list[str]:
        """The results of the command that was given last."""
        answer: list[str] = []
        while (line := self._line()) != ".":
            answer = line.split()  # C says "ok" before it knows: what counts is the last line.
        if answer[0] == "ok":
            return answer[1:]
        _, errno, misuse, message = answer
        known = None if errno == "misuse" else int(errno)
        raise Failed(known, misuse == "1", _decode(message).decode(errors="replace"))

    def create(self, slot: int, address: bytes | str, size: int, **options: object) -> Info:
        self.call("create", slot, _encode(address), size, *map(_option, options, options.values()))
        return self.info(slot)

    def open(self, slot: int, address: bytes | str, **options: object) -> Info:
        self.call("open", slot, _encode(address), *map(_option, options, options.values()))
        return self.info(slot)

    def open_or_create(self, slot: int, address: bytes | str, size: int) -> Info:
        self.call("open_or_create", slot, _encode(address), size)
        return self.info(slot)

    def send(self, slot: int, **options: object) -> None:
        self.call("send", slot, self.socket, *map(_option, options, options.values()))

    def receive(self, slot: int, **options: object) -> Info:
        self.call("receive", slot, self.socket, *map(_option, options, options.values()))
        return self.info(slot)

    def unlink_address(self, address: bytes | str) -> None:
        self.call("unlink_address", _encode(address))

    def unlink(self, slot: int) -> None:
        self.call("unlink", slot)

    def close(self, slot: int) -> None:
        self.call("close", slot)

    def refresh(self, slot: int) -> None:
        self.call("refresh", slot)

    def grow(self, slot: int, size: int) -> None:
        self.call("grow", slot, size)

    def seals(self, slot: int) -> int:
        return int(self.call("seals", slot)[0])

    def fileno(self, slot: int) -> int:
        return int(self.call("fileno", slot)[0])

    def creator(self, slot: int) -> int:
        return int(self.call("creator", slot)[0])

    def info(self, slot: int) -> Info:
        address, name, kind, lifetime, *numbers = self.call("info", slot)
        size, capacity, *flags = map(int, numbers)
        texts = (os.fsdecode(_decode(word)) for word in (address, name))
        return Info(*texts, kind, lifetime, size, capacity, *map(bool, flags))

    def read(self, slot: int, offset: int, size: int) -> bytes:
        return _decode(self.call("read", slot, offset, size)[0])

    def write(self, slot: int, offset: int, data: bytes) -> None:
        self.call("write", slot, offset, _encode(data))

    def pack(self, slot: int, offset: int, format: str, value: int) -> None:
        """Not in C, which has no formats; for one integer."""
        self.call("pack", slot, offset, format, value)

    def unpack(self, slot: int, offset: int, format: str) -> int:
        return int(self.call("unpack", slot, offset, format)[0])

    def get(self, slot: int, type: str, offset: int, count: int) -> list[float]:
        words = self.call("get", slot, type, offset, count)
        return [float.fromhex(word) if type in ("f32", "f64") else int(word) for word in words]

    def set(self, slot: int, type: str, offset: int, values: list[float]) -> None:
        words = (_text(type, value) for value in values)
        self.call("set", slot, type, offset, len(values), *words)

    def _records(self, *words: object) -> list[dict[str, str]]:
        """For each record, its fields and those of the whole, as words."""
        found: list[dict[str, str]] = []
        whole: dict[str, str] = {}
        fields = whole
        for word in self.call(*words):
            if word == "end":
                found.append({**whole, **fields})
                fields = {}
                continue
            name, value = word.split("=")
            if fields is whole and name in ("address", "name"):
                fields = {}
            assert name not in fields
            fields[name] = value
        return found

    def list(self, name: str, kinds: str = "-", *flags: str) -> list[dict[str, str]]:
        """What has that name."""
        return self._records("list", _encode(name), kinds, *flags)

    def stat(self, address: bytes | str, *exact: str) -> list[dict[str, str]]:
        return self._records("stat", _encode(address), *exact)

    def remove(self, address: bytes | str, *force: str) -> list[dict[str, str]]:
        return self._records("remove", _encode(address), *force)

    def gc(
        self, pattern: str, *flags: str, kinds: str = "-", older_than: int = 0
    ) -> list[dict[str, str]]:
        return self._records("gc", _encode(pattern), kinds, older_than, *flags)

    def limits(self) -> list[dict[str, str]]:
        return self._records("limits")

    def atomic_count(self, slot: int, type: str, offset: int, rounds: int) -> None:
        """Count up an integer so often, by adding and by comparing and exchanging in turns."""
        self.call("atomic_count", slot, type, offset, rounds)

    def mutex_open(self, slot: int, address: bytes | str) -> None:
        """A mutex in a segment of its own; mutexes and events have numbers of their own."""
        self.call("mutex_open", slot, _encode(address))

    def mutex_lock(self, slot: int, timeout: int = -1) -> str:
        """Timeouts are in nanoseconds, -1 for ever: "done", "timeout" or "owner_died"."""
        return self.call("mutex_lock", slot, timeout)[0]

    def mutex_unlock(self, slot: int) -> None:
        self.call("mutex_unlock", slot)

    def mutex_locked(self, slot: int) -> bool:
        return self.call("mutex_locked", slot) == ["1"]

    def mutex_lock_in_thread(self, slot: int) -> None:
        """By a thread that ends with it. Only in C."""
        self.call("mutex_lock_in_thread", slot)

    def mutex_count(self, slot: int, rounds: int) -> None:
        """Count up so often what is behind the mutex in its segment, holding it each time."""
        self.call("mutex_count", slot, rounds)

    def mutex_close(self, slot: int) -> None:
        self.call("mutex_close", slot)

    def event_open(self, slot: int, address: bytes | str) -> None:
        self.call("event_open", slot, _encode(address))

    def event_set(self, slot: int) -> None:
        self.call("event_set", slot)

    def event_clear(self, slot: int) -> None:
        self.call("event_clear", slot)

    def event_is_set(self, slot: int) -> bool:
        return self.call("event_is_set", slot) == ["1"]

    def event_sequence(self, slot: int) -> int:
        return int(self.call("event_sequence", slot)[0])

    def event_wait(self, slot: int, timeout: int = -1) -> str:
        return self.call("event_wait", slot, timeout)[0]

    def event_wait_since(self, slot: int, since: int, timeout: int = -1) -> str:
        return self.call("event_wait_since", slot, since, timeout)[0]

    def event_wait_any(self, slot: int, other: int) -> int:
        """For ever, until one of two is set: 0 or 1. Only in C."""
        return int(self.call("event_wait_any", slot, other)[0])

    def event_fileno(self, slot: int) -> int:
        """Only in C."""
        return int(self.call("event_fileno", slot)[0])

    def event_close(self, slot: int) -> None:
        self.call("event_close", slot)

    def kill(self) -> None:
        """SIGKILL: no code of the peer's runs any more."""
        self._process.kill()
        self._process.wait()

    def end(self) -> int:
        """Let it close everything and exit; the status."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        finally:
            assert self._process.stdout is not None
            self._process.stdout.close()
