# SPDX-License-Identifier: MIT
"""shmkit bench: what it measures, that its figures hang together, and what it leaves: nothing."""

from __future__ import annotations

import ctypes
import json
import math
import os
import platform
import pty
import select
import shutil
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import support
from support import run

PAGE = os.sysconf("SC_PAGESIZE")
QUICK = ("--quick", "--json", "--sizes", "8,4K,64K")
MODES = (
    "in-place copy once cold spin-in-place spin-copy sleep-in-place sleep-copy baseline shell-loop"
).split()
STEPS = "create touch again open close unlink end".split()


def by_name(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in document["rows"]}


@pytest.fixture(scope="module")
def access() -> dict[str, Any]:
    result = run("bench", "access", *QUICK, "--samples", "--seed", "42")
    assert (result.status, result.err) == (0, "")
    return result.json  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def lifecycle() -> dict[str, Any]:
    result = run("bench", "lifecycle", "--quick", "--json", "--samples", "--sizes", "4K,64K")
    assert (result.status, result.err) == (0, "")
    return result.json  # type: ignore[no-any-return]


@contextmanager
def started(
    *arguments: str, stderr: int = subprocess.PIPE, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A run that goes on until it is ended."""
    process = subprocess.Popen(
        [support.COMMAND, "bench", *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm", **(environment or {})},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def names_of(pid: int) -> list[Path]:
    prefix = f"shmkit-bench-{pid}-"
    places = [support.SHM, Path(os.environ.get("TMPDIR", "/var/tmp")), Path("/var/tmp")]
    return [path for place in places for path in place.iterdir() if path.name.startswith(prefix)]


def segments_of(pid: int) -> list[str]:
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [line for line in lines if line.split()[4] == str(pid)]


def processes_with(mark: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + support.DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# ---- What it measures -------------------------------------------------------------------------


def test_every_way_is_measured_in_every_mode_that_makes_sense(access: dict[str, Any]) -> None:
    rows = by_name(access)
    spins = len(os.sched_getaffinity(0)) > 1
    assert {row["mode"] for row in rows.values()} == {
        mode for mode in MODES if spins or not mode.startswith("spin")
    }
    for size in (8, 4096, 65536):
        for way in ("private", "posix", "sysv", "memfd", "tmpfs-map"):
            assert {f"in-place/{way}/{size}", f"copy/{way}/{size}"} <= rows.keys()
        for way in ("tmpfs-read", "pipe", "socket"):
            assert {f"copy/{way}/{size}", f"cold/{way}/{size}"} <= rows.keys()
            assert f"sleep-copy/{way}/{size}" in rows
            assert f"in-place/{way}/{size}" not in rows
    assert {"baseline/empty-loop", "baseline/getppid", "baseline/start-process"} <= rows.keys()
    assert {"shell-loop/empty-program", "shell-loop/cat-tmpfs"} <= rows.keys()


def test_a_segments_life_is_measured_bare_and_with_the_library(lifecycle: dict[str, Any]) -> None:
    rows = by_name(lifecycle)
    for by in ("bare", "shmkit"):
        for room in ("reserve", "sparse", "populate"):
            assert {f"{step}/posix/{by}/{room}/4096" for step in STEPS} <= rows.keys()
        for way in ("sysv/{}/sparse", "memfd/{}/reserve", "tmpfs/{}/reserve"):
            steps = [step for step in STEPS if not (way.startswith("memfd") and step == "unlink")]
            assert {f"{step}/{way.format(by)}/65536" for step in steps} <= rows.keys()
    assert "unlink/memfd/bare/reserve/4096" not in rows


@pytest.mark.parametrize("which", ["access", "lifecycle"])
def test_rows_have_figures_and_verified_data(which: str, request: pytest.FixtureRequest) -> None:
    document = request.getfixturevalue(which)
    assert (document["version"], document["command"]) == (1, f"bench {which}")
    assert document["complete"] is True
    for row in document["rows"]:
        low, high = row["quartiles"]
        assert 0 < low <= row["median"] <= high, row["name"]
        assert row["unit"] == "ns"
        assert row["samples"] == len(row["values"]) >= 6
        assert row["operations_per_sample"] >= 1
        assert row["faults"] >= 0
        assert row["verified"] is (None if row["size"] is None else True)


def test_median_and_quartiles_are_those_of_the_samples(access: dict[str, Any]) -> None:
    for row in access["rows"]:
        low, median, high = statistics.quantiles(row["values"], n=4, method="inclusive")
        told = (row["quartiles"][0], row["median"], row["quartiles"][1])
        assert all(map(math.isclose, told, (low, median, high))), row["name"]


def test_the_machine_and_the_seed_are_told(access: dict[str, Any]) -> None:
    environment = access["environment"]
    assert access["seed"] == 42
    assert set(environment["pinned"]) <= os.sched_getaffinity(0)
    assert environment["posix"] == {"path": "/dev/shm", "file_system": "tmpfs"}
    assert environment["kernel"] == f"Linux {platform.release()}"
    assert environment["clock_overhead"] > 0


def test_system_calls_are_exact(access: dict[str, Any]) -> None:
    rows = by_name(access)
    if rows["baseline/getppid"]["syscalls"] is None:
        pytest.skip("no process can be traced here")
    expected = {
        "baseline/empty-loop": 0,
        "baseline/getppid": 1,
        "in-place/posix/65536": 0,
        "copy/posix/65536": 0,
        "copy/tmpfs-read/65536": 2,
        "copy/pipe/4096": 2,
        "once/posix/4096": 4,  # open, mmap, munmap, close
        "once/sysv/4096": 2,  # shmat, shmdt
        "once/tmpfs-read/4096": 4,  # open, write, read, close
        "cold/posix/4096": 6,  # open, ftruncate, mmap, munmap, unlink, close
    }
    assert {name: rows[name]["syscalls"] for name in expected} == expected


def test_system_calls_of_both_processes_count(access: dict[str, Any]) -> None:
    rows = by_name(access)
    # To write and to read a payload, to write and to read the answer; interruptions add some.
    assert 4 <= rows["sleep-copy/pipe/4096"]["syscalls"] < 5
    # Two more than waking and waiting; who is woken before he sleeps does not.
    assert 4 <= rows["sleep-copy/tmpfs-read/4096"]["syscalls"] < 7
    if "spin-copy/posix/4096" in rows:
        assert rows["spin-copy/posix/4096"]["syscalls"] == 0
        assert rows["spin-copy/tmpfs-read/4096"]["syscalls"] == 2


def test_page_faults_tell_cold_from_warm(access: dict[str, Any]) -> None:
    rows = by_name(access)
    pages = 65536 // PAGE
    for way in ("posix", "sysv", "memfd", "tmpfs-map", "private"):
        assert rows[f"in-place/{way}/65536"]["faults"] < 1
        assert rows[f"cold/{way}/65536"]["faults"] >= pages
    assert rows["once/posix/65536"]["faults"] >= pages
    assert rows["once/tmpfs-read/65536"]["faults"] < 1


def test_faults_are_told_for_each_step(lifecycle: dict[str, Any]) -> None:
    rows = by_name(lifecycle)
    pages = 65536 // PAGE
    for by in ("bare", "shmkit"):
        assert rows[f"touch/posix/{by}/sparse/65536"]["faults"] >= pages
        assert rows[f"again/posix/{by}/sparse/65536"]["faults"] < 1
        assert rows[f"touch/posix/{by}/populate/65536"]["faults"] < pages


def test_the_first_line_is_the_verdict() -> None:
    result = run("bench", "access", "--quick", "--ways", "posix,tmpfs-map,tmpfs-read")
    first, blank, *rest = result.out.splitlines()
    assert (result.status, result.err, blank) == (0, "", "")
    assert "POSIX shared memory" in first
    assert " x" in first
    headings = "SIZE WAY MEDIAN LOW HIGH X POSIX FAULTS CALLS SAMPLES".split()
    assert headings in [line.split() for line in rest]
    assert sum(line.split()[:2] == ["4K", "tmpfs-read"] for line in rest) == 5


def test_lifecycle_has_a_table_with_steps_for_columns() -> None:
    result = run("bench", "lifecycle", "--quick", "--sizes", "4K", "--ways", "posix,memfd")
    lines = [line.split() for line in result.out.splitlines()]
    assert result.out.startswith("The library beside bare system calls (posix): create ")
    assert "SIZE WAY ROOM BY".split() + [step.upper() for step in STEPS] in [
        line[: 4 + len(STEPS)] for line in lines
    ]
    assert [line[:4] for line in lines if line[:2] == ["4K", "memfd"]] == [
        ["4K", "memfd", "reserve", by] for by in ("bare", "shmkit")
    ]


# ---- What is asked for ------------------------------------------------------------------------


def test_only_what_was_asked_for_is_measured_in_growing_order() -> None:
    result = run(
        "bench", "access", "--quick", "--json", "--sizes", "1001,8", "--ways", "memfd,socket"
    )
    sizes = [row["size"] for row in result.json["rows"] if row["size"] is not None]
    assert result.status == 0
    assert sizes == sorted(sizes)
    assert set(sizes) == {8, 1001}
    ways = {row["way"] for row in result.json["rows"] if row["size"] is not None}
    assert ways == {"memfd", "socket"}
    assert any(name.startswith("sleep-in-place/memfd/") for name in by_name(result.json))


def test_two_processes_on_one_cpu_do_not_look_again_and_again() -> None:
    cpu = str(min(os.sched_getaffinity(0)))
    result = run("bench", "access", "--ways", "posix", "--cpus", f"{cpu},{cpu}", *QUICK)
    modes = {row["mode"] for row in result.json["rows"]}
    assert "sleep-copy" in modes
    assert not {mode for mode in modes if mode.startswith("spin")}
    assert any("two CPUs" in note for note in result.json["notes"])


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("nonsense",),
        ("access", "lifecycle"),
        ("access", "--ways", "nonsense"),
        ("lifecycle", "--ways", "pipe"),
        ("access", "--sizes", "0"),
        ("access", "--sizes", "8,"),
        ("access", "--sizes", "2T"),
        ("access", "--time", "0"),
        ("access", "--time", "soon"),
        ("access", "--seed", "-1"),
        ("access", "--cpus", "4096"),
        ("access", "--cpus", "0,0,0"),
        ("access", "--samples"),
        ("access", "--disk", "/dev/shm"),
        ("access", "--tmpfs", "/proc"),
        ("access", "--disk", "/dev/null"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: tuple[str, ...]) -> None:
    result = run("bench", *wrong)
    assert result.out == ""
    assert result.status == 2 or "--tmpfs" in wrong
    assert result.err.startswith("shmkit bench: ")


def test_sizes_for_which_there_is_no_room_are_left_out() -> None:
    script = 'mount -t tmpfs -o size=256k tmpfs /dev/shm && exec "$@"'
    around = ("unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh")
    probe = subprocess.run([*around, "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("mounting in a namespace is not permitted")
    options = ("--quick", "--json", "--ways", "posix,memfd", "--sizes", "8,1M")
    result = run("bench", "access", *options, around=around)
    assert result.status == 1
    assert {row["size"] for row in result.json["rows"]} == {None, 8}
    assert any("/dev/shm" in note and "1M" in note for note in result.json["notes"])


class _Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte),
                ("value", ctypes.c_uint32)]  # fmt: skip


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction))]


def refuse_ptrace() -> None:
    """In a child before exec: from now on, ptrace gives EPERM."""
    number = {"x86_64": 101, "aarch64": 117}[platform.machine()]
    instructions = (_Instruction * 4)(
        _Instruction(0x20, 0, 0, 0),  # load the number
        _Instruction(0x15, 0, 1, number),  # is it?
        _Instruction(0x06, 0, 0, 0x00050001),  # EPERM
        _Instruction(0x06, 0, 0, 0x7FFF0000),  # go on
    )
    libc = ctypes.CDLL(None)
    filters = _Program(4, ctypes.cast(instructions, ctypes.POINTER(_Instruction)))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(filters), 0, 0) == 0


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64"), reason="no filter of system calls is known"
)
def test_system_calls_are_unknown_where_nothing_can_be_traced() -> None:
    done = subprocess.run(
        [support.COMMAND, "bench", "access", "--ways", "posix,pipe", *QUICK],
        capture_output=True,
        preexec_fn=refuse_ptrace,
        timeout=support.DEADLINE,
        check=False,
    )
    rows = by_name(json.loads(done.stdout))
    assert done.returncode == 0
    assert rows["copy/posix/8"]["syscalls"] is None
    assert rows["baseline/getppid"]["syscalls"] is None
    # Two processes count their own.
    assert rows["sleep-copy/pipe/8"]["syscalls"] >= 4


# ---- Stopping, and what is left ---------------------------------------------------------------


def read_until(fd: int, text: bytes) -> bytes:
    """What comes from a terminal until `text` has come."""
    seen = b""
    while text not in seen:
        assert select.select([fd], [], [], support.DEADLINE)[0]
        seen += os.read(fd, 65536)
    return seen


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_keeps_what_was_measured(number: signal.Signals, status: int) -> None:
    master, slave = pty.openpty()
    arguments = ("access", "--json", "--time", "600", "--sizes", "8,16M", "--ways", "posix")
    with started(*arguments, stderr=slave) as process:
        os.close(slave)
        bar = read_until(master, b"payloads of 16M")
        process.send_signal(number)
        output, _ = process.communicate(timeout=support.DEADLINE)
    os.close(master)
    assert b"measuring [" in bar
    assert process.returncode == status
    document = json.loads(output)
    assert document["complete"] is False
    assert "incomplete" in document["verdict"]
    assert {"copy/posix/8", "sleep-copy/posix/8"} <= by_name(document).keys()
    assert "baseline/getppid" not in by_name(document)
    assert all(row["samples"] >= 1 for row in document["rows"])
    assert names_of(process.pid) == segments_of(process.pid) == []


def test_there_is_no_progress_bar_in_a_file() -> None:
    assert run("bench", "lifecycle", "--quick", "--ways", "memfd").err == ""


@pytest.mark.parametrize("what", ["access", "lifecycle"])
def test_nothing_is_left_after_a_run(what: str) -> None:
    mark = f"MARK_{os.getpid()}_{what}"
    with started(what, *QUICK, environment={"BENCH_MARK": mark}) as process:
        process.communicate(timeout=support.DEADLINE)
    assert process.returncode == 0
    assert processes_with(mark) == names_of(process.pid) == segments_of(process.pid) == []


def test_nothing_is_left_after_kill_9() -> None:
    mark = f"MARK_{os.getpid()}_kill"
    arguments = ("access", "--time", "600", "--sizes", "16M", "--ways", "posix,sysv,disk-read,pipe")
    with started(*arguments, environment={"BENCH_MARK": mark}) as process:
        # Names of segments and the other process exist when payloads are measured.
        wait_until(lambda: len(processes_with(mark)) > 2 and len(names_of(process.pid)) > 1)
        process.kill()
        process.wait(support.DEADLINE)
        wait_until(lambda: not processes_with(mark))
    assert names_of(process.pid) == segments_of(process.pid) == []


def test_the_death_of_the_other_process_ends_the_run() -> None:
    mark = f"MARK_{os.getpid()}_peer"

    def session_of(pid: int) -> int | None:
        with suppress(ProcessLookupError):
            return os.getsid(pid)
        return None

    def children() -> Iterator[int]:
        pids = [int(pid) for pid in processes_with(mark)]
        sessions = {session_of(pid) for pid in pids} - {None}
        # The sweeper has a session of its own: until it has, it looks like the others.
        if len(sessions) < 2:
            return
        for pid in pids:
            if pid != process.pid and session_of(pid) == os.getsid(process.pid):
                yield pid

    def ended_by_killing_its_children() -> bool:
        for pid in children():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return process.poll() is not None

    arguments = ("access", "--time", "600", "--sizes", "16M", "--ways", "posix")
    with started(*arguments, environment={"BENCH_MARK": mark}) as process:
        # Those that count system calls are children too, and can be done without.
        wait_until(ended_by_killing_its_children)
        _, errors = process.communicate(timeout=support.DEADLINE)
    assert process.returncode == 1
    assert b"the process on the other side was killed" in errors
    wait_until(lambda: not processes_with(mark))
    assert names_of(process.pid) == []


# ---- Plots ------------------------------------------------------------------------------------

has_gnuplot = pytest.mark.skipif(not shutil.which("gnuplot"), reason="gnuplot is not installed")


@has_gnuplot
@pytest.mark.parametrize("what", ["access", "lifecycle"])
def test_a_plot_is_an_svg_with_a_line_for_each_way(what: str, tmp_path: Path) -> None:
    plot = tmp_path / "with 'quotes' and \"more\".svg"
    result = run("bench", what, "--quick", "--sizes", "4K,64K", "--plot", str(plot))
    assert (result.status, result.err) == (0, "")
    root = ElementTree.parse(plot).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = {"".join(each.itertext()).strip() for each in root.iter()}
    assert {"posix", "in-place", "spin-copy"} <= texts or what == "lifecycle"
    assert {"create", "posix bare reserve", "memfd shmkit reserve"} <= texts or what == "access"


def test_without_gnuplot_nothing_is_measured_and_the_package_named(tmp_path: Path) -> None:
    plot = tmp_path / "plot.svg"
    result = run("bench", "access", "--plot", str(plot), environment={"PATH": str(tmp_path)})
    assert (result.status, result.out) == (1, "")
    assert "gnuplot-nox" in result.err
    assert not plot.exists()


def test_a_plot_is_not_called_what_it_is_not(tmp_path: Path) -> None:
    result = run("bench", "access", "--plot", str(tmp_path / "plot.png"))
    assert (result.status, result.out) == (2, "")
    assert "write FILE.svg" in result.err


@pytest.mark.parametrize("place", ["nowhere/plot.svg", "directory.svg"])
def test_a_place_where_no_plot_can_be_written_is_told_before_measuring(
    tmp_path: Path, place: str
) -> None:
    (tmp_path / "directory.svg").mkdir()
    result = run("bench", "access", "--plot", str(tmp_path / place))
    assert (result.status, result.out) == (1, "")
    assert str(tmp_path) in result.err
