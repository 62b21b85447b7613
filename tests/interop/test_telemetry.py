# SPDX-License-Identifier: MIT
"""The three processes of telemetry, alone and together, in any order and under kill -9."""

from __future__ import annotations

import math
import signal
import statistics
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import shmkit
from programs import COMMANDS, EXAMPLES, Program, wait_until

sys.path.insert(0, str(EXAMPLES / "telemetry"))
from layout import COLUMNS, STATISTICS, SUMMARY_HEAD, Telemetry

Run = Callable[..., Program]
WITHOUT_NUMPY = """
import runpy, sys
sys.modules["numpy"] = None
sys.argv = sys.argv[1:]
sys.path.insert(0, sys.argv[0].rpartition("/")[0])
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def run(tmp_path: Path, name: str) -> Iterator[Run]:
    """Starts programs on a segment of the test's own, which is gone when all have ended."""
    programs: list[Program] = []

    def start(program: str | list[object], *arguments: object) -> Program:
        command = COMMANDS[program] if isinstance(program, str) else program
        programs.append(Program(command, tmp_path, name, *arguments))
        return programs[-1]

    yield start
    for program in programs:
        program.end()
    assert not Path("/dev/shm", name).exists()


@pytest.fixture
def attach(name: str) -> Iterator[Callable[[], Telemetry]]:
    """Opens the segment as soon as it is there."""
    opened: list[shmkit.Segment] = []

    def open_it() -> Telemetry:
        wait_until(lambda: Path("/dev/shm", name).exists(), "a sampler makes the segment")
        opened.append(shmkit.open(name, readonly=True))
        return Telemetry(opened[-1])

    yield open_it
    for segment in opened:
        segment.close()


def progress(ring: object) -> None:
    before = ring.written  # type: ignore[attr-defined]
    wait_until(lambda: ring.written > before + 1, "a ring grows")  # type: ignore[attr-defined]


def test_all_agree_on_the_layout(run: Run, attach: Callable[[], Telemetry], name: str) -> None:
    sampler = run("sampler")
    telemetry = attach()
    assert telemetry.history.memory.nbytes == 2048 * 12 * 8
    assert telemetry.segment.size == 384 + (2048 * 12 + 64 * 52) * 8
    script = """
        package.path = arg[1] .. "/?.lua;" .. package.path
        local layout = require "layout"
        local telemetry = layout.telemetry(assert(require "shmkit".open(arg[2])))
        print(#telemetry.history.memory * 8, telemetry.history.memory:offset(),
          #telemetry.summary.memory * 8, telemetry.summary.memory:offset(), telemetry.memory_total,
          layout.rate(telemetry) // 1 | 0, layout.index("sent", "maximum"))
    """
    path = EXAMPLES / "telemetry"
    answer = subprocess.run(
        ["lua5.4", "-", path, name], input=script, capture_output=True, check=True, text=True
    )
    expected = [2048 * 12 * 8, 384, 64 * 52 * 8, 384 + 2048 * 12 * 8, telemetry.memory_total, 50]
    assert list(map(int, answer.stdout.split())) == [*expected, SUMMARY_HEAD + 11 * STATISTICS + 3]
    assert sampler.end() == 0


def test_the_sampler_reads_as_much_as_hundreds_of_cpus_have_to_say(
    run: Run, attach: Callable[[], Telemetry], tmp_path: Path
) -> None:
    stat = tmp_path / "stat"
    cpus = "".join(f"cpu{number} 1 2 3 4 5 6 7 8 9 10\n" for number in range(900))
    interrupts = " 0" * 100_000
    stat.write_text(f"cpu  1 2 3 4 5 6 7 8 9 10\n{cpus}intr 0{interrupts}\nbtime 1234567890\n")
    mount = 'mount --bind "$0" /proc/stat && exec "$@"'
    sandbox = ["unshare", "--mount", "sh", "-c", mount, stat]
    if subprocess.run([*sandbox, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting in a namespace is not permitted")
    run([*sandbox, *COMMANDS["sampler"]])
    telemetry = attach()
    assert (telemetry.cpus, telemetry.boot_time) == (900, 1234567890)


@pytest.mark.parametrize("program", ["sampler", "summary", "dashboard"])
def test_something_else_under_the_name_is_refused(program: str, tmp_path: Path, name: str) -> None:
    with shmkit.create(name, 1 << 20, lifetime="creator", content=b"shmtele\0\2"):
        refused = Program(COMMANDS[program], tmp_path, name)
        assert refused.wait() == 1
        assert name in refused.output


@pytest.mark.parametrize("program", ["sampler", "summary"])
def test_a_ring_has_one_writer(program: str, run: Run, attach: Callable[[], Telemetry]) -> None:
    run("sampler")
    ring = attach().history
    progress(ring)
    if program == "summary":
        run("summary")
        ring = attach().summary
        progress(ring)
    second = run(program)
    assert second.wait() == 1
    assert f"has a {program} already" in second.output
    progress(ring)


def test_each_may_be_killed_and_started_again(
    run: Run, attach: Callable[[], Telemetry], name: str
) -> None:
    # Started in the wrong order, too: the others wait for the sampler.
    dashboard, summary = run("dashboard"), run("summary")
    dashboard.says("waiting for a sampler")
    summary.says("waiting for a sampler")
    sampler = run("sampler")
    telemetry = attach()
    progress(telemetry.summary)
    dashboard.says("cpu ")

    samples = telemetry.history.written
    sampler.end(signal.SIGKILL)
    dashboard.says("the sampler is gone")
    summary.says("the sampler is gone")
    sampler = run("sampler")
    progress(telemetry.history)
    progress(telemetry.summary)
    assert telemetry.history.written > samples

    windows = telemetry.summary.written
    summary.end(signal.SIGKILL)
    progress(telemetry.history)
    summary = run("summary")
    progress(telemetry.summary)
    assert telemetry.summary.written > windows

    dashboard.end(signal.SIGKILL)
    dashboard = run("dashboard")
    dashboard.says("cpu ")
    assert [program.end() for program in (sampler, summary, dashboard)] == [0, 0, 0]
    assert "frames shown" in dashboard.output


@pytest.mark.parametrize("program", ["sampler", "summary", "dashboard"])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(
    program: str, number: int, run: Run, attach: Callable[[], Telemetry]
) -> None:
    run("sampler")
    progress(attach().history)
    other = run(program) if program != "sampler" else None
    if program == "summary":
        progress(attach().summary)
    if program == "dashboard":
        assert other is not None
        other.says("cpu ")
    if other is not None:
        assert other.end(number) == 0
        assert f"{program}: " in other.output
        assert "Traceback" not in other.output


def expected_row(rows: list[list[float]]) -> list[float]:
    row: list[float] = []
    for values in zip(*rows):
        mean = statistics.mean(values)
        row += [min(values), mean, max(values), statistics.pstdev(values, mean)]
    return row


@pytest.mark.parametrize("numpy", [True, False], ids=["with NumPy", "without NumPy"])
def test_statistics_are_those_of_the_history(
    numpy: bool, run: Run, attach: Callable[[], Telemetry]
) -> None:
    if numpy:
        pytest.importorskip("numpy")
    run("sampler")
    interpreter, script = COMMANDS["summary"]
    summary = run("summary" if numpy else [interpreter, "-c", WITHOUT_NUMPY, script])
    telemetry = attach()
    for _ in range(3):
        progress(telemetry.summary)
        number = telemetry.summary.written - 1
        found = list(telemetry.summary.row(number))
        first, count = int(found[1]), int(found[2])
        history = telemetry.history
        rows = [list(history.row(number)) for number in range(first, first + count)]
        assert telemetry.summary.whole(number)
        assert history.whole(first)
        assert found[0] == rows[-1][0]
        for value, expected in zip(found[SUMMARY_HEAD:], expected_row(rows)):
            assert math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9 * max(map(max, rows)))
    assert summary.end() == 0
    assert ("NumPy" in summary.output) == numpy


def test_rows_that_are_called_whole_are_whole(run: Run, attach: Callable[[], Telemetry]) -> None:
    run("sampler", 1000)
    history = attach().history
    wait_until(lambda: history.written > history.rows, "the ring is full")
    cpu, user, system = map(COLUMNS.index, ("cpu", "user", "system"))
    caught, times = 0, {}
    # The oldest rows, each just before it is overwritten, until that has happened under our eyes.
    while caught < 20:
        number = history.written - history.rows + 1
        row = list(history.row(number))
        if not history.whole(number):
            caught += 1
            continue
        assert math.isclose(row[cpu], row[user] + row[system], abs_tol=1e-9)
        assert times.setdefault(number, row[0]) == row[0]
        assert row[0] > times.get(number - 1, 0)


def test_samples_are_what_proc_says(run: Run, attach: Callable[[], Telemetry]) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=lambda: [None for _ in iter(stop.is_set, True)])
    worker.start()
    try:
        run("sampler")
        telemetry = attach()
        wait_until(lambda: telemetry.history.written > 100, "there are 100 samples")
    finally:
        stop.set()
        worker.join()
    row = dict(zip(COLUMNS, telemetry.history.row(99)))
    # A thread was busy all the time: at least its CPU was.
    assert row["cpu"] > 50 / telemetry.cpus
    assert math.isclose(row["cpu"], row["user"] + row["system"], abs_tol=1e-9)
    assert 0 < row["memory"] < telemetry.memory_total
    assert row["runnable"] >= 1
    meminfo = Path("/proc/meminfo").read_text().split()
    assert telemetry.memory_total == int(meminfo[meminfo.index("MemTotal:") + 1]) * 1024
