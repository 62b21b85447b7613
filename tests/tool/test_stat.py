# SPDX-License-Identifier: MIT
"""shmkit stat."""

from __future__ import annotations

import ctypes
import mmap
import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import support
from support import attached, holder, run, system_v


def fields(*arguments: str | bytes) -> dict[str, str]:
    """The lines "Key: value" about one segment."""
    result = run("stat", *arguments)
    assert result.status == 0, result.err
    pairs = (line.split(":", 1) for line in result.out.splitlines() if re.match(r"\w[\w ]*:", line))
    return {key: value.strip() for key, value in pairs}


def test_everything_about_a_segment_is_told(segment: Path) -> None:
    status = segment.stat()
    told = fields(segment.name)
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    assert told["Address"] == f"posix:/{segment.name}"
    assert told["Kind"] == "posix"
    assert told["File"] == f"device {device}, inode {status.st_ino}, 1 name"
    assert told["Owner"].endswith(", rw-r-----")
    assert told["State"].startswith(("idle: ", "unknown: "))
    assert (told["Size"], told["Allocated"], told["Data"]) == ("8K", "4K", "bytes 0-4095")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \(\d+s ago\)", told["Modified"])
    assert told["Creator"] == "not known"
    assert told["Locks"] == "0"
    assert told["Held"] == "not asked; --exact asks"
    assert told["May remove"].endswith("; you may")
    assert "unless the kernel says that somebody has it open" in told["Removal"]


def test_sizes_are_exact_on_request(segment: Path) -> None:
    told = fields("--bytes", segment.name)
    assert (told["Size"], told["Allocated"]) == ("8192", "4096")


def test_who_maps_it_is_in_a_table(segment: Path) -> None:
    with holder(segment, mappings=2) as process:
        result = run("stat", "--bytes", segment.name)
    headings, row = result.rows[-2:]
    assert headings == "PID PROGRAM USER ACCESS MAPS OFFSET MAPPED STARTED".split()
    assert row[0] == str(process.pid)
    assert row[1].startswith("python")
    assert row[3:7] == ["rw", "2", "0", "16384"]
    assert re.search(
        r"^Mapped: +by (at least )?1 process, (at least )?2 mappings$", result.out, re.M
    )
    assert "'shmkit rm' refuses, since 1 process maps it; with --force, its name goes" in result.out


def test_programs_with_odd_names_do_not_drive_the_terminal(segment: Path) -> None:
    with holder(segment, program="\x1b[31m) a\nb") as process:
        result = run("stat", segment.name)
        (mapper,) = run("stat", "--json", segment.name).json["segments"][0]["mappers"]
    assert "\x1b" not in result.out
    assert result.rows[-1][0] == str(process.pid)
    assert (mapper["pid"], mapper["program"]) == (process.pid, "\x1b[31m) a\nb")


def test_the_kernel_tells_who_is_not_seen_when_asked(segment: Path) -> None:
    told = fields("--exact", segment.name)
    assert told["Held"].startswith("no: ")
    assert "nobody would lose anything" in told["Removal"]
    assert told["State"].startswith("idle: ")
    with open(segment, "rb"):
        told = fields("--exact", segment.name)
    assert told["Held"].startswith("yes: ")
    assert told["State"].startswith("used: ")
    assert "refuses, since somebody has it open" in told["Removal"]


def test_system_v_has_attachments_and_no_process_count() -> None:
    support.wait_until_older_than_a_second()
    with system_v(5000, support.unique_key()) as identifier:
        address = f"sysv:id={identifier}"
        told = fields(address)
        assert told["Identifier"] == f"{identifier} in this IPC namespace"
        assert (told["Attachments"], told["Attached"], told["Mapped"]) == (
            "0",
            "never",
            "by nobody",
        )
        assert "Held" not in told
        assert f"process {os.getpid()} (" in told["Creator"]
        with attached(identifier, times=3):
            told = fields(address)
        assert told["Attachments"] == "3"
        assert re.fullmatch(r"by (at least )?1 process, (at least )?3 mappings", told["Mapped"])
        assert told["Last PID"] == f"{os.getpid()}, which attached or detached last"
        assert "refuses, since it has 3 attachments; with --force, its key goes" in told["Removal"]


def test_what_is_marked_for_removal_goes_with_its_last_attachment() -> None:
    with system_v(4096) as identifier, attached(identifier):
        run("rm", "--force", f"sysv:id={identifier}")
        told = fields(f"sysv:id={identifier}")
    assert told["State"].startswith("dest: ")
    assert told["Removal"] == "marked already; goes with the last of 1 attachment"


def test_a_memfd_has_seals_and_no_name_to_remove(name: str) -> None:
    fd = os.memfd_create(name, os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, 4096)
    shrink, grow, add_seals = 2, 4, 1033
    assert ctypes.CDLL(None).fcntl(fd, add_seals, shrink | grow) == 0
    with mmap.mmap(fd, 4096):
        told = fields(f"memfd:{name}")
    os.close(fd)
    assert (told["Kind"], told["Seals"]) == ("memfd", "shrink, grow")
    assert told["Data"] == "none: no page has been written to"
    assert told["May remove"] == "nobody: it has no name"
    assert told["Removal"] == "goes with its last user"


def test_a_name_that_is_gone_is_told_of(segment: Path) -> None:
    with holder(segment) as process:
        segment.unlink()
        (info,) = run("ls", "--json", "--pid", str(process.pid)).json["segments"]
        told = fields(info["address"])
    assert told["Name"] == segment.name
    assert told["State"].startswith("unlinked: ")
    assert told["Removal"] == "goes with its last user"


def test_pages_are_told_where_they_are(name: str) -> None:
    path = support.SHM / name
    with open(path, "xb") as file:
        for page in range(0, 40, 4):
            file.seek(page * 4096)
            file.write(b"x")
    try:
        told = fields(name)
        assert told["Data"].startswith("bytes 0-4095, 16384-20479, ")
        assert told["Data"].endswith(" and 2 more stretches (--json lists them)")
        (info,) = run("stat", "--json", name).json["segments"]
        assert len(info["extents"]) == 10
        assert info["extents"][1] == {"offset": 16384, "length": 4096}
    finally:
        path.unlink()


_OBJECTS = """
import sys, threading, shmkit
open("/proc/self/comm", "w").write(sys.argv[2])
segment = shmkit.open(sys.argv[1])
held = segment.mutex(0)
held.acquire()
left = threading.Thread(target=segment.mutex(64).acquire)
left.start()
left.join()
segment.mutex(128)
for offset, sets in ((192, 17), (256, 3), (320, 1), (384, 0)):
    event = segment.event(offset)
    for _ in range(sets):
        event.set()
    if offset != 192:
        event.clear()
print("ready", flush=True)
sys.stdin.read()
"""


@contextmanager
def objects(segment: Path, program: str = "holder") -> Iterator[int]:
    """The PID of a process that has mutexes and events in a segment, and holds the first."""
    process = subprocess.Popen(
        [sys.executable, "-c", _OBJECTS, segment.name, program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout
    try:
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.communicate()


def objects_told(segment: Path, around: tuple[str, ...] = ()) -> list[str]:
    """The lines about what lies there."""
    out = run("stat", segment.name, around=around).out
    found = re.search(r"^Objects: +(.*(?:\n {13}.*)*)", out, re.MULTILINE)
    return [line.strip() for line in found[1].split("\n")] if found else []


def mark(segment: Path, offset: int, word: int, mark: int = 0xA5C31B01) -> None:
    """What a mutex, or with another mark an event, would be with that word."""
    with open(segment, "r+b") as file:
        file.seek(offset)
        file.write(struct.pack("=II", word, mark) + bytes(56))


def test_what_lies_there_is_told(segment: Path) -> None:
    segment.write_bytes(bytes(4096))
    assert objects_told(segment) == []
    with objects(segment) as pid:
        told = objects_told(segment)
    assert told == [
        f"mutex at 0: locked by process {pid} (holder)",
        "mutex at 64: its holder died, and nobody has got it since",
        "mutex at 128: unlocked",
        "event at 192: set, 17 times so far",
        "event at 256: not set, was 3 times so far",
        "event at 320: not set, was once so far",
        "event at 384: not set, never was",
    ]
    assert objects_told(segment)[0] == "mutex at 0: its holder died, and nobody has got it since"


def test_json_has_what_lies_there(segment: Path) -> None:
    segment.write_bytes(bytes(4096))
    with objects(segment) as pid:
        (info,) = run("stat", "--json", segment.name).json["segments"]
        listed = support.found(f"posix:/{segment.name}")
    held, left, *_, event, _, _, _ = info["objects"]
    assert held.pop("start") > 0
    assert 0 < held.pop("identity") < 1 << 30
    assert held == {
        "offset": 0,
        "kind": "mutex",
        "state": "locked",
        "sequence": None,
        "waited_for": False,
        "pid": pid,
        "program": "holder",
    }
    assert (left["state"], left["pid"], left["program"]) == ("owner died", None, None)
    assert (event["state"], event["sequence"], event["identity"]) == ("set", 17, None)
    assert listed["objects"] is None


def test_that_somebody_waits_is_told(segment: Path) -> None:
    mark(segment, 0, 1 << 31)
    mark(segment, 64, 3 << 3 | 1, 0xA5C31B02)
    assert objects_told(segment) == [
        "mutex at 0: unlocked; somebody waits",
        "event at 64: not set, was 3 times so far; somebody waits",
    ]


def test_a_holder_that_cannot_be_seen_is_said_to_be(segment: Path) -> None:
    segment.write_bytes(bytes(4096))
    alone = ("unshare", *(() if support.IS_ROOT else ("--map-root-user",)), "--pid", "--fork")
    around = (*alone, "--mount-proc", "--propagation=unchanged")
    if subprocess.run([*around, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting in a namespace is not permitted")
    with objects(segment):
        told = objects_told(segment, around)
    assert told[0] == "mutex at 0: locked by a process that cannot be seen"
    assert told[1].startswith("mutex at 64: its holder died")


def test_names_of_holders_do_not_drive_the_terminal(segment: Path) -> None:
    segment.write_bytes(bytes(4096))
    with objects(segment, "\x1b[31m) a\nb") as pid:
        result = run("stat", segment.name)
        (info,) = run("stat", "--json", segment.name).json["segments"]
    assert "\x1b" not in result.out
    assert f"mutex at 0: locked by process {pid} (\\033[31m) a\\nb)\n" in result.out
    assert info["objects"][0]["program"] == "\x1b[31m) a\nb"


def test_the_first_of_many_are_told_and_all_are_in_json(segment: Path) -> None:
    event = struct.pack("=II", 0, 0xA5C31B02) + bytes(56)
    segment.write_bytes(event * 20)
    told = objects_told(segment)
    assert told[15:] == ["event at 960: not set, never was", "and 4 more (--json lists them)"]
    assert len(run("stat", "--json", segment.name).json["segments"][0]["objects"]) == 20
    segment.write_bytes(event * 5000)
    assert objects_told(segment)[-1] == "and at least 4080 more (--json lists them)"
    assert len(run("stat", "--json", segment.name).json["segments"][0]["objects"]) == 4096


def test_who_may_not_look_is_told_that_it_is_not_known(segment: Path) -> None:
    mark(segment, 0, 0)
    if not support.IS_ROOT:
        pytest.skip("only root can become another user")
    segment.chmod(0o600)
    assert objects_told(segment, support.AS_NOBODY) == ["not known"]
    segment.chmod(0o644)
    os.utime(segment, ns=(10**18, segment.stat().st_mtime_ns))
    assert objects_told(segment, support.AS_NOBODY) in (
        ["not known: only its owner can look without a trace"],
        ["mutex at 0: unlocked"],  # Where /dev/shm keeps no times of access.
    )
    assert segment.stat().st_atime_ns == 10**18


def test_what_its_last_user_left_behind_is_said_to_be_leaked(segment: Path) -> None:
    segment.chmod(0o1600)
    told = fields(segment.name)
    assert told["Kind"] == "posix, goes with its last user"
    assert told["State"].startswith("leaked: ")
    assert told["Removal"].endswith("; so would 'shmkit gc'")


def test_json_has_all_of_it(segment: Path) -> None:
    with holder(segment) as process:
        document = run("stat", "--json", "--exact", segment.name).json
    (info,) = document["segments"]
    assert document["version"] == 1
    assert isinstance(document["complete"], bool)
    assert (info["size"], info["holding"], info["state"]) == (8192, "held", "used")
    assert info["extents"] == [{"offset": 0, "length": 4096}]
    assert [each["pid"] for each in info["mappers"]] == [process.pid]
    assert info["attachments"] is None


def test_several_are_shown_and_those_that_are_not_there_named(segment: Path, name: str) -> None:
    missing = f"{name}-missing"
    result = run("stat", segment.name, missing, segment.name)
    assert result.status == 1
    assert len(re.findall(r"^Address:", result.out, re.MULTILINE)) == 2
    assert f"cannot look at posix:/{missing}: it does not exist" in result.err
    result = run("stat", "--json", missing, segment.name)
    assert result.status == 1
    assert [info["name"] for info in result.json["segments"]] == [segment.name]


def test_what_is_not_there_is_status_3(name: str) -> None:
    result = run("stat", name, f"sysv:{support.unique_key():#x}", f"memfd:{name}")
    assert (result.status, result.out) == (3, "")
    result = run("stat", "--json", name)
    assert (result.status, result.json["segments"]) == (3, [])


def test_what_is_no_segment_is_named(name: str) -> None:
    path = support.SHM / name
    path.symlink_to("/etc/passwd")
    result = run("stat", name)
    path.unlink()
    assert result.status == 1
    assert "symbolic link" in result.err
    os.mkfifo(path)
    result = run("stat", name)
    path.unlink()
    assert result.status == 1
    assert "not a segment" in result.err


def test_odd_names_are_told_without_driving_the_terminal(name: str) -> None:
    with support.odd_segments(name) as paths:
        addresses = [b"posix:" + path.removeprefix(b"/dev/shm") for path in paths]
        result = run("stat", *addresses)
        assert result.status == 0
        assert "\x1b" not in result.out
        assert len(re.findall(r"^Address:", result.out, re.MULTILINE)) == len(paths)
        assert len(run("stat", "--json", *addresses).json["segments"]) == len(paths)


def test_an_ordinary_user_learns_what_he_may(segment: Path) -> None:
    segment.chmod(0o600)
    result = run("stat", segment.name, around=support.AS_NOBODY)
    assert result.status == 0
    assert "8K" in result.out
    if support.IS_ROOT:
        assert re.search(r"^May remove: +root, its owner; you may not$", result.out, re.M)
        assert re.search(r"^Data: +not known$", result.out, re.M)


def test_an_incomplete_look_says_so_once(segment: Path) -> None:
    result = run("stat", segment.name, segment.name, around=support.AS_NOBODY)
    said = result.err.count("could not be read") + result.err.count("cannot be seen")
    complete = run("stat", "--json", segment.name, around=support.AS_NOBODY).json["complete"]
    assert said == (0 if complete else 1)


def test_looking_changes_nothing(segment: Path) -> None:
    os.utime(segment, ns=(10**18, segment.stat().st_mtime_ns))
    before = segment.stat()
    run("stat", segment.name)
    run("stat", "--exact", "--json", segment.name)
    after = segment.stat()
    assert after == before
    assert after.st_blocks == before.st_blocks


def test_a_segment_that_comes_and_goes_is_told_of_or_not(name: str) -> None:
    with support.coming_and_going(support.SHM / name):
        for _ in range(30):
            result = run("stat", "--exact", name)
            assert result.status in (0, 3), result.err


@pytest.mark.parametrize("wrong", [(), ("a/b",), ("sysv:x",), ("sysv:private",), ("",)])
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("stat", *wrong)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("shmkit stat: ")


@pytest.mark.skipif(not support.IS_ROOT, reason="only root can become another user")
def test_who_may_not_remove_it_is_not_told_that_rm_would(segment: Path) -> None:
    segment.chmod(0o644)
    result = run("stat", segment.name, around=support.AS_NOBODY)
    assert "root, its owner; you may not" in result.out
    assert "'shmkit rm' fails: you may not remove it" in result.out
    assert "would remove it" not in result.out


@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="AddressSanitizer cannot do without /proc",
)
def test_system_v_is_found_where_there_is_no_proc() -> None:
    make = 'mount -t tmpfs tmpfs /proc; "$1" create sysv:0xdeadbeef 5000'
    result = support.run_in_own_place(make, "stat", "--json", "sysv:0xdeadbeef")
    assert result.status == 0, result.err
    document = result.json
    (told,) = document["segments"]
    assert not document["complete"]
    assert (told["address"], told["size"], told["attachments"]) == ("sysv:0xdeadbeef", 5000, 0)
    assert (told["resident"], told["allocated"]) == (None, None)
    (listed,) = support.run_in_own_place(make, "ls", "--json", "--kind", "sysv").json["segments"]
    assert listed["address"] == told["address"]
    result = support.run_in_own_place(make, "rm", "sysv:0xdeadbeef")
    assert (result.status, result.out) == (0, "removed sysv:0xdeadbeef\n")


def test_a_path_in_place_of_an_address_is_told_the_address(segment: Path) -> None:
    result = run("stat", str(segment))
    assert (result.status, result.out) == (2, "")
    assert f'write "posix:/{segment.name}"' in result.err
    assert run("stat", f"posix:/{segment.name}").status == 0
    assert "use file: for a path" in run("stat", f"{segment}/x").err


def test_a_descriptor_that_is_not_open_is_said_to_be_none() -> None:
    result = run("stat", "fd:987")
    assert (result.status, result.out) == (2, "")
    assert "this process has no open descriptor 987" in result.err
