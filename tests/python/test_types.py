# SPDX-License-Identifier: MIT
"""What type checkers see: the package is annotated, and the annotations are true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import shmkit
import support

support.module("mypy", support.NO_MYPY)

PACKAGE = Path(shmkit.__file__).parent

# What stubtest is wrong about, and why.
ALLOWED = r"""
# It takes a Literal of several values for a Union.
shmkit\.((event|factories|inspect|mutex|segment|types)\.)?((Info)?Kind|Lifetime|TypeName|State)
shmkit\.((inspect|limits|types)\.)?(AtomicName|CreatorState|Holding|InfoKind|Kinds|Removal|Scope|Unit)
shmkit\.((inspect|types)\.)?Object(Kind|State)
# How the annotations say "is a buffer"; the method itself came with Python 3.12.
shmkit\.native\.Segment\.__buffer__
# Newer versions want it marked as a base that excludes others; older ones do not know the mark.
shmkit\.native\.(Event|Mutex|Segment)
"""

USER = """
import numpy
import os
import shmkit
from typing import Any, Dict, FrozenSet, List, Optional, Tuple

def use(lifetime: shmkit.Lifetime, type: shmkit.TypeName, path: "os.PathLike[str]") -> None:
    with shmkit.create("frames", 1 << 20, capacity=1 << 24, lifetime=lifetime) as segment:
        address: str = segment.address
        size: int = segment.size + len(segment) + segment.views + segment[0]
        data: bytes = segment[0:5] + segment.read(0, 5) + bytes(segment)
        segment[0:5] = b"hello"
        segment[0] = 1
        view: memoryview = segment.view("f64", offset=64, count=8)
        array: "numpy.ndarray[Any, Any]" = segment.array(type, (480, 640, 3))
        values: Tuple[Any, ...] = segment.unpack(0, "<id")
        creator: Optional[shmkit.Creator] = segment.creator
        seals: FrozenSet[str] = segment.seals
        segment.write(0, bytearray(5))
        segment.pack(0, "<id", 1, 1.5)
        index: Dict[shmkit.Segment, int] = {segment: 1}
        descriptor: int = segment.fileno()
        segment.store("u64", 0, segment.load("i32", 8))
        before: int = segment.add("u32", 0, -1) + segment.exchange("i64", 0, 1)
        before += segment.compare_exchange("u32", 0, 1, 2)
    shmkit.open(path, readonly=True).close(strict=True)
    listing: shmkit.Listing = shmkit.list(kinds=["posix", "memfd"], names_only=True)
    leaked: shmkit.Listing = shmkit.gc(pattern=b"posix:/x", kinds="posix", older_than=1)
    for info in listing + shmkit.stat(path, exact=True) + leaked:
        for each in info.objects or ():
            what: Tuple[shmkit.ObjectKind, shmkit.ObjectState] = each.kind, each.state
            holder: Optional[int] = each.pid
        kind: shmkit.InfoKind = info.kind
        memory: Optional[int] = info.resident
        users: List[int] = [mapper.pid for mapper in info.mappers]
        by: Optional[shmkit.Creator] = info.creator
    whole: bool = listing.complete
    mutex = shmkit.Mutex("lock", lifetime="creator")
    with mutex as state:
        died: bool = state.owner_died or mutex.look().mine
    locked: bool = mutex.acquire(timeout=1.5) and mutex.acquire(False) and mutex.locked()
    event: shmkit.Event = mutex.segment.event(0)
    sequence: int = event.sequence
    fired: bool = event.wait(timeout=1) or event.wait(sequence) or event.is_set()
    found: Optional[shmkit.Event] = shmkit.wait_any([event], timeout=1)
    number_of_it: int = event.fileno()
    first: shmkit.Info = listing[0]
    room: Optional[int] = shmkit.limits().tightest["posix"].free
    try:
        shmkit.unlink(b"frames")
    except shmkit.Error as error:
        number: Optional[int] = error.errno
        symbol: str = error.symbol
"""

MISTAKES = """
import shmkit
segment = shmkit.open(5)
segment.size = 3
segment.view("float")
segment.read("0")
segment.write(0, "text")
shmkit.create("frames")
shmkit.create("frames", 1, lifetime="forever")
segment.nonesuch
segment.load("u8", 0)
segment.store("u32", 0, 1.5)
segment[0.5]
shmkit.Mutex("lock").acquire(timeout="1")
shmkit.Mutex("lock", size=5)
shmkit.Event("tick").wait(0.5)
shmkit.wait_any(["tick"])
shmkit.list(kinds=["posics"])
shmkit.list("posix")
shmkit.gc(older_than=1.5)
shmkit.stat("frames").size
shmkit.stat("frames")[0].size + 1
shmkit.list().complete = True
shmkit.limits().tightest["posics"]
"""


def mypy(tmp_path: Path, *arguments: str, module: str = "mypy") -> list[str]:
    """What mypy or stubtest prints."""
    environment = {**os.environ, "MYPY_CACHE_DIR": str(tmp_path)}
    if "site-packages" not in PACKAGE.parts:  # There mypy finds it, and wants no help.
        environment["MYPYPATH"] = str(PACKAGE.parent)
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_package_is_well_typed(tmp_path: Path) -> None:
    printed = mypy(tmp_path, "--strict", "-p", "shmkit")
    assert printed[-1].startswith("Success"), printed


def test_users_get_types(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(USER)
    printed = mypy(tmp_path, "--strict", "user.py")
    assert printed[-1].startswith("Success"), printed


def test_users_mistakes_are_found(tmp_path: Path) -> None:
    (tmp_path / "mistakes.py").write_text(MISTAKES)
    printed = mypy(tmp_path, "--strict", "mistakes.py")
    lines = {int(line.split(":")[1]) for line in printed if ": error:" in line}
    assert lines == set(range(3, MISTAKES.count("\n") + 1)), printed


def test_the_annotations_are_true(tmp_path: Path) -> None:
    (tmp_path / "allowed").write_text(ALLOWED)
    printed = mypy(
        tmp_path,
        "--allowlist=allowed",
        "--ignore-unused-allowlist",
        "shmkit",
        module="mypy.stubtest",
    )
    assert printed[-1].startswith("Success"), printed


def test_the_marker_for_type_checkers_is_there() -> None:
    assert (PACKAGE / "py.typed").is_file()
