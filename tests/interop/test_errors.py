# SPDX-License-Identifier: MIT
"""The same mistake is the same error in every language: errno, kind and message."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from peers import Failed, Peer

PeerStarter = Callable[..., Peer]


class Case(NamedTuple):
    name: str
    errno: int
    do: Callable[[Peer, str], object]


def closed(peer: Peer) -> None:
    peer.create(1, "memfd:closed", 64)
    peer.close(1)


def memfd(peer: Peer, **options: object) -> None:
    peer.create(1, "memfd:errors", 64, **options)


def make(path: str, size: int = 64) -> None:
    Path("/dev/shm", path).write_bytes(bytes(size))


def link(name: str) -> None:
    Path("/dev/shm", name).symlink_to("/etc/hosts")


def directory(name: str) -> None:
    Path("/dev/shm", name).mkdir()


def first(*actions: object) -> object:
    """Do several things; the last one is expected to fail."""
    return actions[-1]


CASES = [
    # Addresses.
    Case("empty", errno.EINVAL, lambda p, n: p.create(1, "", 64)),
    Case("dot", errno.EINVAL, lambda p, n: p.create(1, ".", 64)),
    Case("dots", errno.EINVAL, lambda p, n: p.open(1, "posix:/..")),
    Case("slash inside", errno.EINVAL, lambda p, n: p.create(1, "a/b", 64)),
    Case("too long", errno.ENAMETOOLONG, lambda p, n: p.create(1, "x" * 256, 64)),
    Case("unknown scheme", errno.EINVAL, lambda p, n: p.open(1, "mmap:frames")),
    Case("no key", errno.EINVAL, lambda p, n: p.open(1, "sysv:frames")),
    Case("large key", errno.EINVAL, lambda p, n: p.open(1, "sysv:0x100000000")),
    Case("no descriptor", errno.EINVAL, lambda p, n: p.open(1, "fd:-1")),
    Case("closed descriptor", errno.EBADF, lambda p, n: p.open(1, "fd:999")),
    Case("create fd", errno.EOPNOTSUPP, lambda p, n: p.create(1, "fd:0", 64)),
    Case("open memfd", errno.EOPNOTSUPP, lambda p, n: p.open(1, "memfd:frames")),
    # Names.
    Case("absent", errno.ENOENT, lambda p, n: p.open(1, n)),
    Case("absent sysv", errno.ENOENT, lambda p, n: p.open(1, "sysv:0x7fffabcd")),
    Case("absent unlink", errno.ENOENT, lambda p, n: p.unlink_address(n)),
    Case("present", errno.EEXIST, lambda p, n: first(make(n), p.create(1, n, 64))),
    Case("smaller", errno.EPROTO, lambda p, n: first(make(n), p.open_or_create(1, n, 4096))),
    Case("of no size", errno.ENODATA, lambda p, n: first(make(n, 0), p.open(1, n))),
    Case("directory", errno.EPROTO, lambda p, n: first(directory(n), p.open(1, n))),
    Case("fifo", errno.EPROTO, lambda p, n: first(os.mkfifo(f"/dev/shm/{n}"), p.open(1, n))),
    Case(
        "link",
        errno.ELOOP,
        lambda p, n: first(link(n), p.open(1, n)),
    ),
    Case("unlink directory", errno.EPROTO, lambda p, n: first(directory(n), p.unlink_address(n))),
    Case("owner of sysv", errno.EOPNOTSUPP, lambda p, n: p.open(1, "sysv:1", any_owner=True)),
    Case(
        "owner of file", errno.EOPNOTSUPP, lambda p, n: p.open(1, "file:/dev/shm/x", any_owner=True)
    ),
    Case("unlink memfd", errno.EOPNOTSUPP, lambda p, n: first(memfd(p), p.unlink(1))),
    # Sizes and options.
    Case("size 0", errno.EINVAL, lambda p, n: p.create(1, n, 0)),
    Case("larger than memory", errno.ENOSPC, lambda p, n: p.create(1, n, 1 << 50)),
    Case("larger than addresses", errno.ENOMEM, lambda p, n: p.create(1, n, 1 << 50, sparse=True)),
    Case(
        "lifetime of a memfd",
        errno.EOPNOTSUPP,
        lambda p, n: p.create(1, "memfd:x", 64, lifetime="last"),
    ),
    Case("seals of a name", errno.EOPNOTSUPP, lambda p, n: p.create(1, n, 64, seals="grow")),
    Case("long content", errno.EINVAL, lambda p, n: p.create(1, n, 4, content=b"hello")),
    # Listings.
    Case("stat nothing", errno.EINVAL, lambda p, n: p.stat("")),
    Case("stat absent", errno.ENOENT, lambda p, n: p.stat(n)),
    Case("stat absent sysv", errno.ENOENT, lambda p, n: p.stat("sysv:0x7fffabcd")),
    Case("stat absent memfd", errno.ENOENT, lambda p, n: p.stat(f"memfd:{n}")),
    Case("stat closed", errno.EBADF, lambda p, n: p.stat("fd:999")),
    Case("stat directory", errno.EPROTO, lambda p, n: first(directory(n), p.stat(n))),
    Case("stat link", errno.ELOOP, lambda p, n: first(link(n), p.stat(n))),
    Case("remove slash", errno.EINVAL, lambda p, n: p.remove("a/b")),
    Case("remove absent", errno.ENOENT, lambda p, n: p.remove(n)),
    Case("remove link", errno.ELOOP, lambda p, n: first(link(n), p.remove(n, "force"))),
    Case("remove memfd", errno.EOPNOTSUPP, lambda p, n: p.remove("memfd:x", "force")),
    Case("remove used", errno.EBUSY, lambda p, n: first(p.create(1, n, 64), p.remove(n))),
    Case("gc of memfds", errno.EINVAL, lambda p, n: p.gc("*", kinds="memfd")),
    # Use.
    Case("read outside", errno.ERANGE, lambda p, n: first(memfd(p), p.read(1, 60, 5))),
    Case("read far", errno.ERANGE, lambda p, n: first(memfd(p), p.read(1, 1 << 62, 1))),
    Case("write outside", errno.ERANGE, lambda p, n: first(memfd(p), p.write(1, 60, b"hello"))),
    Case("view outside", errno.ERANGE, lambda p, n: first(memfd(p), p.get(1, "u32", 64, 1))),
    Case("view of many", errno.ERANGE, lambda p, n: first(memfd(p), p.get(1, "f64", 0, 1 << 61))),
    Case("misaligned", errno.EINVAL, lambda p, n: first(memfd(p), p.get(1, "f64", 4, 1))),
    Case("no type", errno.EINVAL, lambda p, n: first(memfd(p), p.get(1, "f16", 0, 1))),
    Case("grow beyond", errno.ERANGE, lambda p, n: first(memfd(p), p.grow(1, 1 << 20))),
    Case("closed read", errno.EBADF, lambda p, n: first(closed(p), p.read(1, 0, 1))),
    Case("closed write", errno.EBADF, lambda p, n: first(closed(p), p.write(1, 0, b"x"))),
    Case("closed view", errno.EBADF, lambda p, n: first(closed(p), p.get(1, "u8", 0, 1))),
    Case("closed grow", errno.EBADF, lambda p, n: first(closed(p), p.grow(1, 100))),
    Case("closed refresh", errno.EBADF, lambda p, n: first(closed(p), p.refresh(1))),
    Case("closed fileno", errno.EBADF, lambda p, n: first(closed(p), p.fileno(1))),
    Case(
        "sealed",
        errno.EPERM,
        lambda p, n: first(memfd(p, seals="grow", capacity=99), p.grow(1, 99)),
    ),
    Case("seals of sysv", errno.EOPNOTSUPP, lambda p, n: first(sysv(p), p.seals(1))),
    Case("descriptor of sysv", errno.EOPNOTSUPP, lambda p, n: first(sysv(p), p.fileno(1))),
    Case("grow sysv", errno.EOPNOTSUPP, lambda p, n: first(sysv(p), p.grow(1, 1 << 20))),
]


def sysv(peer: Peer) -> None:
    peer.create(1, "sysv:private", 64)
    peer.unlink(1)


def remove(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    elif path.is_symlink() or path.exists():
        path.unlink()


def comparable(message: str) -> str:
    """A message without what may differ."""
    message = re.sub(r"sysv:id=\d+", "sysv:id=0", message)
    # Who has it in use.
    return re.sub(r"process \d+ \(.*?\)", "process 0 (peer)", message)


def failure(case: Case, language: str, start: PeerStarter, name: str) -> Failed:
    peer = start(language)
    try:
        with pytest.raises(Failed) as failed:
            case.do(peer, name)
    finally:
        remove(Path("/dev/shm", name))
    return failed.value


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_same_error_everywhere(case: Case, start: PeerStarter, name: str) -> None:
    c = failure(case, "c", start, name)
    assert c.errno == case.errno
    python = failure(case, "python", start, name)
    assert (python.errno, python.misuse) == (c.errno, c.misuse)
    lua = failure(case, "lua", start, name)
    # What is misuse raises in Lua, and a message is all there is.
    assert (lua.errno, lua.misuse) == (None if c.misuse else c.errno, c.misuse)
    messages = {comparable(error.message) for error in (c, python, lua)}
    assert len(messages) == 1, messages
