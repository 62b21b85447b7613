# SPDX-License-Identifier: MIT
"""shmkit explain."""

from __future__ import annotations

import mmap
import os
import re
import sys
from pathlib import Path

import pytest
import support
from support import SHM, Result, holder, run, run_in_own_place, system_v, unique_name

# What is there is somebody else's as well: exact figures need a place of one's own.
EMPTY = "mount -t tmpfs -o size=64m none /dev/shm"


def topics() -> list[str]:
    return re.findall(r"^ {4}(\w+) ", run("explain").out, re.MULTILINE)


def explained(*arguments: str) -> str:
    """An answer as one line."""
    return flat(run("explain", *arguments))


def flat(result: Result) -> str:
    assert result.status == 0, result.err
    return " ".join(result.out.split())


def nanoseconds(text: str, what: str) -> float:
    """The time in the line about `what`."""
    (line,) = [line for line in text.splitlines() if what in line]
    number, unit = line.split()[-2:]
    return float(number) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}[unit]


# ---- The command ---------------------------------------------------------------------------------


def test_without_arguments_it_lists_the_topics_with_their_questions() -> None:
    result = run("explain")
    assert (result.status, result.err) == (0, "")
    assert {"ipcs", "dest", "echo", "speed", "loop", "docker", "leak", "sigbus"} <= set(topics())
    questions = [line for line in result.out.splitlines() if line.startswith("    ")]
    assert all(line.endswith("?") for line in questions)


@pytest.mark.parametrize("topic", topics())
def test_every_topic_has_an_answer_with_figures_under_its_question(topic: str) -> None:
    result = run("explain", topic, environment={"COLUMNS": "72"})
    assert result.status == 0
    assert all("lower bounds" in line for line in result.err.splitlines())
    lines = result.out.splitlines()
    assert lines[0].endswith("?")
    assert lines[0] in run("explain").out
    assert re.search(r"\d", "".join(lines[1:]))
    # Only what is laid out in columns may be wider.
    assert max(len(line) for line in lines[1:] if not line.startswith("    ")) <= 72
    assert not any(line.endswith(" ") for line in lines)


def test_other_words_lead_to_the_same_answer() -> None:
    first = run("explain", "append").out.splitlines()[0]
    assert first == run("explain", "ECHO").out.splitlines()[0]


def test_several_questions_are_answered_one_after_the_other() -> None:
    result = run("explain", "tmpfs", "dest")
    assert result.out.index("Is shared memory a file?") < result.out.index("Who makes")


def test_what_is_neither_topic_nor_segment_is_not_found() -> None:
    result = run("explain", "no-such-thing")
    assert (result.status, result.out) == (3, "")
    assert "no topic" in result.err
    assert "does not exist" in result.err
    assert run("explain", "posix:/a/b").status == 2


# ---- What there is -------------------------------------------------------------------------------


def test_ipcs_is_answered_with_what_it_shows_and_what_it_does_not() -> None:
    files = "head -c 4096 /dev/zero | tee /dev/shm/a >/dev/shm/b; ipcmk -M 8192 >/dev/null"
    text = flat(run_in_own_place(f"{EMPTY}; {files}", "explain", "ipcs", alone=True))
    assert "System V 1 segment 8K shown by ipcs" in text
    assert "POSIX 2 segments 8K" in text


DEST = """
import ctypes, subprocess, sys
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
identifier = libc.shmget(0, ctypes.c_size_t(8294400), 0o1600)
libc.shmat(identifier, None, 0)
libc.shmctl(identifier, 0, None)
print(identifier, flush=True)
subprocess.run(sys.argv[1:], check=True)
"""


def test_dest_is_answered_with_the_segments_that_have_it_and_who_made_them() -> None:
    command = ("explain", "dest")
    result = run_in_own_place(f"set -- '{sys.executable}' -c '{DEST}' \"$@\"", *command)
    text = flat(result)
    identifier = text.split()[0]
    assert "Here and now: 1 segment with status dest (7.9M)" in text
    assert re.search(rf"sysv:id={identifier} 7.9M made by \d+ \(python3.*\);", text)
    assert "0 segments with status dest" in flat(run_in_own_place("true", *command))


def test_leak_counts_what_nobody_uses() -> None:
    create = 'import shmkit; shmkit.create("left", 8192).close()'
    text = flat(run_in_own_place(f"{EMPTY}; '{sys.executable}' -c '{create}'", "explain", "leak"))
    counts = re.findall(r"(leaked|idle|used|unknown) (\d+) segments? (\w+) in memory", text)
    assert sorted(count for _, count, _ in counts) == ["0", "0", "0", "1"]
    (state,) = [state for state, count, size in counts if (count, size) == ("1", "8K")]
    # Unknown where a process cannot be looked at.
    assert state in ("leaked", "unknown")


def test_nattch_tells_attachments_from_processes() -> None:
    twice = DEST.replace("libc.shmctl(identifier, 0, None)", "libc.shmat(identifier, None, 0)")
    text = flat(
        run_in_own_place(f"set -- '{sys.executable}' -c '{twice}' \"$@\"", "explain", "nattch")
    )
    assert "1 segment of System V, with 2 attachments (nattch) by 1 process" in text


def test_semaphores_and_lifetimes_are_counted() -> None:
    assert "0 semaphores" in flat(run_in_own_place(EMPTY, "explain", "semaphores", alone=True))
    files = "head -c 32 /dev/zero >/dev/shm/sem.x; : >/dev/shm/last; chmod +t /dev/shm/last"
    assert "now: 1 semaphore, of which somebody maps 0" in flat(
        run_in_own_place(f"{EMPTY}; {files}", "explain", "semaphores", alone=True)
    )
    assert "'last' (1 now)" in flat(
        run_in_own_place(f"{EMPTY}; {files}", "explain", "lifetime", alone=True)
    )


# ---- This machine --------------------------------------------------------------------------------


def test_room_and_docker_have_this_places_own_figures() -> None:
    text = flat(run_in_own_place(EMPTY, "explain", "room"))
    assert "POSIX: 64M. The limit on the size of /dev/shm comes first" in text
    text = flat(run_in_own_place(EMPTY, "explain", "docker"))
    assert "/dev/shm 64M, 64M free (a container's usual 64 MiB)" in text
    assert "IPC namespace one of its own" in text


def test_removeipc_is_answered_with_the_setting_that_holds() -> None:
    own = "mount -t tmpfs none /etc/systemd; echo RemoveIPC=no >/etc/systemd/logind.conf"
    if not Path("/etc/systemd").is_dir():
        pytest.skip("this machine has no systemd")
    assert "no, in /etc/systemd/logind.conf" in flat(run_in_own_place(own, "explain", "removeipc"))
    own += "; mkdir /etc/systemd/logind.conf.d"
    own += "; echo ' RemoveIPC = yes' >/etc/systemd/logind.conf.d/x.conf"
    assert "yes, in /etc/systemd/logind.conf.d/x.conf" in flat(
        run_in_own_place(own, "explain", "removeipc")
    )


# ---- Tried out -----------------------------------------------------------------------------------

FIGURES = r"the file: (\d+) bytes before, (\d+) after; the text is at offset (\d+)"
PLACES = {
    "usual": "true",
    "read-only": f"{EMPTY}; mount -o remount,ro /dev/shm",
    "full": f"{EMPTY}; head -c 64m /dev/zero >/dev/shm/full",
    "missing": "mount -t tmpfs none /dev; mkdir /dev/fd.; ln -s /proc/self/fd /dev/fd",
}


@pytest.mark.parametrize("place", PLACES)
def test_echo_is_reproduced_wherever_this_runs(place: str) -> None:
    page = mmap.PAGESIZE
    text = flat(run_in_own_place(PLACES[place], "explain", "echo"))
    (figures,) = re.findall(FIGURES, text)
    assert tuple(map(int, figures)) == (page, page + 6, page)
    assert f"cat S: {page + 6} bytes; {page} NUL bytes" in text
    assert r'then "hello\n"' in text
    seen = re.findall(r'bytes, as a string: "([^"]*)"', text)
    assert seen == ["", "hello", r"hi\n"]


def test_trying_things_out_leaves_nothing_in_dev_shm() -> None:
    for topic in ("echo", "sigbus", "size", "mtime", "rss", "unlink", "speed", "loop", "tmpfs"):
        show = f"{EMPTY}; trap 'ls -A /dev/shm | sed s/^/left:/ >&2' EXIT"
        result = run_in_own_place(show, "explain", topic)
        assert result.status == 0
        assert "left:" not in result.err


# Called in the middle of it, it kills the command, which may have a shell in between.
KILLER = """#!/bin/sh
process=$PPID
while read -r name </proc/$process/comm && [ "$name" != shmkit ]; do
  while read -r key value; do
    if [ "$key" = PPid: ]; then parent=$value; fi
  done </proc/$process/status
  process=$parent
done
kill -s "$KILL_BY" "$process"
"""


@pytest.mark.parametrize("signal", ["KILL", "INT", "TERM"])
def test_nothing_is_left_when_it_is_killed_half_way(signal: str, tmp_path: Path) -> None:
    (tmp_path / "cat").write_text(KILLER)
    (tmp_path / "cat").chmod(0o755)
    show = f"export KILL_BY={signal}; {EMPTY}; trap 'echo $? >&2; ls -A /dev/shm >&2' EXIT"
    show += f'; set -- env PATH={tmp_path}:$PATH "$@"'
    result = run_in_own_place(show, "explain", "echo")
    numbers = {"KILL": 9, "INT": 2, "TERM": 15}
    assert result.err.split()[-1] == str(128 + numbers[signal])


def test_sigbus_comes_behind_the_last_page_of_the_file_and_not_before() -> None:
    text = run("explain", "sigbus").out
    page = mmap.PAGESIZE
    touched = re.findall(r"reads the byte at (\d+): (.*)", text)
    assert touched == [
        (str(page), "nothing happens"),
        ("0", "nothing happens"),
        (str(page - 1), "nothing happens"),
        (str(page), "SIGBUS"),
    ]


def test_pages_come_with_the_first_store_or_look() -> None:
    memory = re.findall(r"size 64M, in memory (\w+)", run("explain", "size").out)
    page = mmap.PAGESIZE // 1024
    assert memory == ["0B", f"{page}K", f"{2 * page}K"]


def test_stores_do_not_move_the_modification_time() -> None:
    text = flat(run("explain", "mtime"))
    assert "the second store modification time stays" in text
    assert "the third store modification time stays" in text
    assert "write() modification time moves" in text


def test_resident_sizes_add_up_to_more_than_there_is() -> None:
    text = flat(run("explain", "rss"))
    assert len(re.findall(r"process \d+: 8M", text)) == 3
    assert "together 24M; in memory is 8M" in text


def test_speed_is_measured_and_a_kept_mapping_is_what_is_fast() -> None:
    out = run("explain", "speed").out
    word = nanoseconds(out, "a word, in place")
    read = nanoseconds(out, "pread from shared memory")
    assert 0 < word < read
    assert read < nanoseconds(out, "open, map, copy")


def test_loops_measure_starting_programs() -> None:
    out = run("explain", "loop").out
    access = nanoseconds(out, "opening 4 KiB")
    assert 0 < access < nanoseconds(out, "starting 'true'")
    (share,) = re.findall(r"the access is ([\d.]+)% of the time", " ".join(out.split()))
    assert 0 < float(share) < 50


# ---- A segment -----------------------------------------------------------------------------------


def test_a_segment_is_told_with_who_maps_it_and_what_removing_would_do(segment: Path) -> None:
    address = f"posix:/{segment.name}"
    with holder(segment) as process:
        text = explained(address)
    assert text.startswith(f'{address} A POSIX segment: the file "{segment.name}" in /dev/shm')
    assert "It is 8K (8192 bytes) long, and has 4K in memory" in text
    assert "rw-r-----" in text
    assert "1 process maps it now:" in text
    assert f"- {process.pid} (python3" in text
    assert "can write" in text
    assert "Its state is used" in text
    assert "with --force, its name goes, and who uses it keeps the memory" in text
    assert "size of /dev/shm: " in text


def test_a_segment_that_nobody_uses_is_told_to_be_free_to_go(segment: Path) -> None:
    text = explained(segment.name)
    assert "No process is seen to map it now." in text
    assert "Its removal: 'shmkit rm' would remove it" in text
    assert "Its memory (4K) is freed" in text
    assert "Which process made it cannot be known" in text


def test_a_system_v_segment_is_told_by_its_key_and_attachments() -> None:
    support.wait_until_older_than_a_second()
    key = 0x5EED0000 | os.getpid() & 0xFFFF
    with system_v(4096, key) as identifier:
        text = explained(f"sysv:id={identifier}")
    assert f"A System V segment with the identifier {identifier} and the key {key:#x}" in text
    assert "nattch is 0: the number of attachments" in text
    assert f"Process {os.getpid()} (" in text
    assert "made it, and runs" in text
    assert "size of /dev/shm" not in text


def test_a_memfd_is_told_to_have_no_name_to_remove() -> None:
    name = unique_name(" of mine")
    file = os.memfd_create(name)
    os.ftruncate(file, 4096)
    with mmap.mmap(file, 0):
        os.close(file)
        text = explained(f"memfd:{name}")
    assert f'A memfd called "{name}"' in text
    assert "Its removal: goes with its last user." in text
    assert "takes no memory" in text


def test_names_cannot_act_on_the_terminal(name: str) -> None:
    odd = f"{name}\n\033[31m"
    path = SHM / odd
    path.write_bytes(b"x")
    try:
        result = run("explain", f"posix:/{odd}")
    finally:
        path.unlink()
    assert result.status == 0
    assert "\033" not in result.out
    assert rf"{name}\n\033[31m" in result.out


def test_help_says_what_may_be_asked() -> None:
    assert "TOPIC|ADDRESS" in run("explain", "--help").out
