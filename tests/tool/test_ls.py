# SPDX-License-Identifier: MIT
"""shmkit ls."""

from __future__ import annotations

import base64
import json
import mmap
import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import support
from support import found, holder, on_a_terminal, run, system_v

DEFAULT = "ADDRESS KIND OWNER MODE SIZE RSS PROCS MAPS AGE STATE CREATOR".split()


def row(address: str, *arguments: str) -> list[str]:
    (line,) = [line for line in run("ls", *arguments).rows if line and line[0] == address]
    return line


def test_a_segment_is_shown_with_who_maps_it(segment: Path) -> None:
    with holder(segment, mappings=2):
        line = row(f"posix:/{segment.name}")
    columns = dict(zip(DEFAULT, line, strict=False))
    del columns["AGE"], columns["OWNER"]
    assert columns == {
        "ADDRESS": f"posix:/{segment.name}",
        "KIND": "posix",
        "MODE": "rw-r-----",
        "SIZE": "8K",
        "RSS": "4K",
        "PROCS": "1",
        "MAPS": "2",
        "STATE": "used",
        "CREATOR": "-",
    }


def test_headings_are_the_columns_and_can_be_left_out(segment: Path) -> None:
    headings = run("ls").rows[0]
    assert [each for each in headings if each != "NAME"] == DEFAULT
    assert run("ls", "--noheadings").rows[0] != headings


def test_columns_are_chosen_and_added(segment: Path) -> None:
    address = f"posix:/{segment.name}"
    inode = str(segment.stat().st_ino)
    assert row(address, "-o", "address,inode,size", "--bytes") == [address, inode, "8192"]
    assert row(address, "-o", "ADDRESS", "-o", "+INODE") == [address, inode]


def test_order_is_by_any_column_and_reversed(segment: Path) -> None:
    for column in ("size", "age", "state", "name", "rss"):
        up = run("ls", "--sort", column, "-o", "inode", "--noheadings", "--kind", "posix")
        assert up.status == 0
    sizes = [line[0] for line in run("ls", "--sort=-size", "-bo", "size").rows[1:]]
    known = [int(size) for size in sizes if size != "-"]
    assert known == sorted(known, reverse=True)


def test_only_what_a_process_maps_is_shown(segment: Path) -> None:
    with holder(segment) as process:
        rows = run("ls", "--pid", str(process.pid), "-o", "address", "--noheadings").rows
        assert rows == [[f"posix:/{segment.name}"]]
    result = run("ls", "--pid", str(process.pid))
    assert result.status == 3
    assert str(process.pid) in result.err


def test_a_name_that_is_gone_is_shown_while_somebody_maps_it(segment: Path) -> None:
    with holder(segment) as process:
        segment.unlink()
        result = run("ls", "--json", "--pid", str(process.pid))
    (info,) = result.json["segments"]
    assert (info["state"], info["name"], info["unlinked"]) == ("unlinked", segment.name, True)
    assert info["address"].startswith(f"file:/proc/{process.pid}/")


def test_system_v_is_shown_with_a_key_beyond_two_to_the_31() -> None:
    key = 0x80000000 | os.getpid()
    with system_v(5000, key - (1 << 32)):
        info = found(f"sysv:{key:#x}")
    assert (info["kind"], info["size"], info["attachments"]) == ("sysv", 5000, 0)
    assert info["creator"]["pid"] == os.getpid()


def test_kinds_are_chosen(segment: Path) -> None:
    with system_v(4096) as identifier:
        kinds = {line[0] for line in run("ls", "-o", "kind", "-k", "sysv", "--noheadings").rows}
        assert kinds == {"sysv"}
        assert found(f"sysv:id={identifier}", "--kind", "posix,sysv")


def test_semaphores_and_files_are_shown_on_request(name: str, tmp_path: Path) -> None:
    semaphore = support.SHM / f"sem.{name}"
    semaphore.write_bytes(bytes(32))
    file = tmp_path / "mapped"
    file.write_bytes(bytes(4096))
    try:
        with holder(file):
            shown = {each["address"] for each in run("ls", "--json").json["segments"]}
            assert not shown & {f"posix:/{semaphore.name}", f"file:{file}"}
            assert found(f"posix:/{semaphore.name}", "--all")["kind"] == "semaphore"
            only = run("ls", "--all", "--kind", "semaphore", "--json").json["segments"]
            assert {info["kind"] for info in only} == {"semaphore"}
            assert found(f"file:{file}", "--all")["kind"] in ("file", "posix")
    finally:
        semaphore.unlink()


@pytest.mark.parametrize(
    "odd",
    ["with space", "new\nline", "\x1b[31mred", "quote'd", "\\x20", "end (deleted)", "ünï", "-o"],
)
def test_addresses_read_back_in_a_shell_whatever_the_name(name: str, odd: str) -> None:
    path = support.SHM / (name + odd)
    path.write_bytes(b"x")
    try:
        lines = run("ls", "-o", "address", "--noheadings").out.splitlines()
        (line,) = [line for line in lines if name in line]
        assert "\x1b" not in line
        script = f"printf %s {line}"
        back = subprocess.run(["bash", "-c", script], capture_output=True, check=True).stdout
        assert os.fsdecode(back) == f"posix:/{name}{odd}"
    finally:
        path.unlink()


def test_names_that_are_not_utf_8_are_valid_json_and_exact() -> None:
    name = os.fsencode(support.unique_name()) + b"\xff\xfe\n\x80"
    path = b"/dev/shm/" + name
    os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        segments = run("ls", "--json").json["segments"]
        (info,) = [
            each for each in segments if base64.b64decode(each.get("name_base64", "")) == name
        ]
        assert base64.b64decode(info["address_base64"]) == b"posix:/" + name
        assert info["name"].endswith("\\377\\376\\n\\200")
    finally:
        os.unlink(path)


def test_a_name_of_255_bytes_is_shown_whole(name: str) -> None:
    longest = name + "x" * (255 - len(name))
    path = support.SHM / longest
    path.write_bytes(b"x")
    try:
        assert found(f"posix:/{longest}")["size"] == 1
        assert f"posix:/{longest}" in run("ls").out
    finally:
        path.unlink()


def test_a_long_name_is_quoted_whole(name: str) -> None:
    path = support.SHM / (name + " " * 100)
    path.write_bytes(b"x")
    try:
        assert f"'posix:/{path.name}'" in run("ls", "-k", "posix").out
    finally:
        path.unlink()


@pytest.mark.parametrize("more", [(), ("--noheadings",)])
@pytest.mark.parametrize("columns", ["address,size,mode,reason", "size,links", "kind,name,procs"])
def test_a_name_that_is_not_ascii_changes_no_other_line(
    name: str, columns: str, more: tuple[str, ...]
) -> None:
    sizes = {f"{name}-longest": 1, f"{name} b": 5_000_000, f"{name}-zü": 4096}
    arguments = ("ls", "--pid", str(os.getpid()), "-k", "posix", "-o", columns, *more)
    shown = []
    with ExitStack() as stack:
        for each, size in sizes.items():
            path = support.SHM / each
            path.write_bytes(bytes(size))
            stack.callback(path.unlink)
            with path.open("r+b") as file:
                stack.enter_context(mmap.mmap(file.fileno(), size))
            shown.append(run(*arguments).out.splitlines())
    _, plain, mixed = shown
    assert len(plain) == 3 - len(more)
    assert (mixed[:-1], len(mixed)) == (plain, len(plain) + 1)


def test_what_is_not_asked_for_changes_no_state(segment: Path) -> None:
    address = f"posix:/{segment.name}"
    alone = row(address, "-o", "address,state,reason")
    assert alone[1] in ("idle", "unknown")
    assert row(address, "-o", "address,state,reason,creator")[:-1] == alone
    with holder(segment):
        assert row(address, "-o", "address,state")[1] == "used"


def test_raw_has_a_word_for_each_column(name: str) -> None:
    path = support.SHM / f"{name} a\nb"
    path.write_bytes(b"x")
    try:
        lines = run("ls", "--raw", "--noheadings", "-k", "posix").out.splitlines()
        assert all(len(line.split(" ")) >= len(DEFAULT) for line in lines)
        (line,) = [line for line in lines if name in line]
        assert line.startswith(f"posix:/{name}\\x20a\\x0ab posix ")
    finally:
        path.unlink()


@pytest.mark.parametrize("seconds", [10**11, -(10**11), 2**63 - 1, -(2**62), 9223372037])
def test_times_that_no_number_of_nanoseconds_tells_are_unknown(segment: Path, seconds: int) -> None:
    subprocess.run(["touch", "-d", f"@{seconds}", segment], check=True)
    # Some kernels keep what is nearest.
    kept = segment.stat().st_mtime_ns
    told = found(f"posix:/{segment.name}")
    assert told["modified_ns"] == (kept if -(2**63) < kept < 2**63 else None)
    assert (told["modified"] is None) == (told["modified_ns"] is None)
    assert told["changed_ns"] > 0


def test_json_has_numbers_times_and_null_for_unknown(segment: Path) -> None:
    result = run("ls", "--json")
    document = result.json
    assert document["version"] == 1
    assert isinstance(document["complete"], bool)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", document["time"])
    (info,) = [each for each in document["segments"] if each["name"] == segment.name]
    status = segment.stat()
    assert info["size"] == 8192
    assert info["resident"] in (4096, None)
    assert info["modified_ns"] == status.st_mtime_ns
    assert (info["attachments"], info["creator"], info["seals"]) == (None, None, None)
    assert info["mappers"] == []


def test_json_has_a_line_for_each_segment(segment: Path) -> None:
    lines = run("ls", "--json").out.splitlines()
    (line,) = [line for line in lines[1:-1] if segment.name in line]
    assert json.loads(line.removesuffix(","))["name"] == segment.name


def test_an_incomplete_look_says_so_on_standard_error_only() -> None:
    result = run("ls", "--json")
    said = "could not be read" in result.err or "cannot be seen" in result.err
    assert said != result.json["complete"]


def test_colours_are_for_terminals_only_and_can_be_refused(segment: Path) -> None:
    with mmap.mmap(os.open(segment, os.O_RDWR | os.O_CLOEXEC), 4096):
        arguments = ("ls", "-o", "state", "--kind", "posix")
        assert "\x1b[" in on_a_terminal(*arguments)
        assert "\x1b[" not in on_a_terminal(*arguments, environment={"NO_COLOR": "1"})
        assert "\x1b[" not in on_a_terminal(*arguments, environment={"TERM": "dumb"})
        assert "\x1b[" not in run(*arguments).out


@pytest.mark.parametrize(
    "wrong",
    [
        ("--kind", "nonsense"),
        ("--kind", "posix,"),
        ("--sort", "nonsense"),
        ("-o", ""),
        ("--pid", "0"),
        ("--pid", "1x"),
        ("argument",),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("ls", *wrong)
    assert (result.status, result.out) == (2, "")
    assert "shmkit ls: " in result.err


def test_looking_changes_nothing(segment: Path) -> None:
    os.utime(segment, ns=(10**18, segment.stat().st_mtime_ns))
    before = segment.stat()
    for _ in range(3):
        run("ls", "--all", "--json")
    after = segment.stat()
    assert after == before
    assert after.st_blocks == before.st_blocks
