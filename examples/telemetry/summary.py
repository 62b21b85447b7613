#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""summary: rolling statistics over what sampler.c writes, put back beside it.

summary.py [ADDRESS [SECONDS]]    by default: telemetry, windows of 10 seconds

Minimum, mean, maximum and standard deviation of every column, five times a second, computed on the
memory that the sampler writes to: nothing is copied. With NumPy when it is installed.

Ends on SIGHUP, SIGINT or SIGTERM, waits while there is no sampler, and may be killed: the next one
goes on.
"""

import math
import signal
import sys
import time

import shmkit
from layout import COLUMNS, Telemetry

try:
    import numpy
except ImportError:
    numpy = None

INTERVAL = 0.2
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
SILENCE = 1.0  # seconds without a sample after which the sampler is held to be gone


def say(text):
    print(f"summary: {text}", file=sys.stderr, flush=True)


def statistics_with_numpy(history, first, count):
    """Minimum, mean, maximum and deviation of each column in turn."""
    rows = numpy.asarray(history.memory).reshape(history.rows, history.columns)
    parts = [rows[start:end] for start, end in history.slots(first, count)]
    mean = sum(part.sum(axis=0) for part in parts) / count
    variance = sum(numpy.square(part - mean).sum(axis=0) for part in parts) / count
    minimum = numpy.min([part.min(axis=0) for part in parts], axis=0)
    maximum = numpy.max([part.max(axis=0) for part in parts], axis=0)
    return numpy.stack([minimum, mean, maximum, numpy.sqrt(variance)], axis=1).ravel()


def statistics_without(history, first, count):
    """The same, one column after the other."""
    for column in range(history.columns):
        parts = [
            history.memory[
                start * history.columns + column : end * history.columns : history.columns
            ]
            for start, end in history.slots(first, count)
        ]
        mean = math.fsum(math.fsum(part) for part in parts) / count
        squares = math.fsum((value - mean) ** 2 for part in parts for value in part)
        yield min(map(min, parts))
        yield mean
        yield max(map(max, parts))
        yield math.sqrt(squares / count)


def summarise(telemetry, seconds):
    """Append one row of statistics; False when the rows were overwritten meanwhile."""
    history = telemetry.history
    end = history.written
    # Half of the ring at most, so that the sampler does not catch up while we compute.
    count = min(end, max(1, round(seconds * telemetry.rate)), history.rows // 2)
    first = end - count
    statistics = statistics_with_numpy if numpy else statistics_without
    values = list(statistics(history, first, count))
    newest = history.row(end - 1)[0]
    if not history.whole(first):
        return False
    telemetry.summary.append([newest, first, count, 0, *values])
    return True


def run(telemetry, seconds):
    """Summarise what is new until a signal ends it; returns how many windows there were."""
    windows, seen, since, silent = 0, 0, time.monotonic(), False
    try:
        while True:
            written = telemetry.history.written
            if written != seen:
                seen, since, silent = written, time.monotonic(), False
                windows += summarise(telemetry, seconds)
            elif not silent and time.monotonic() - since > SILENCE:
                silent = True
                say("the sampler is gone; waiting for another")
            time.sleep(INTERVAL)
    except KeyboardInterrupt:
        return windows


def wait_for_segment(address):
    """Open the segment as soon as a sampler has made it."""
    waiting = False
    while True:
        try:
            return shmkit.open(address)
        except FileNotFoundError:
            if not waiting:
                say(f"waiting for a sampler to create {address}")
            waiting = True
            time.sleep(INTERVAL)


def end(*_):
    """Handle the first signal; none can disturb the end."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(address="telemetry", seconds="10"):
    for number in SIGNALS:
        signal.signal(number, end)
    try:
        with wait_for_segment(address) as segment:
            telemetry = Telemetry(segment)
            if not telemetry.summary.become_writer():
                sys.exit(f"summary: {segment.address} has a summary already")
            windows = run(telemetry, float(seconds))
    except KeyboardInterrupt:
        windows = 0
    except (shmkit.Error, ValueError) as error:
        sys.exit(f"summary: {error}")
    way = f"NumPy {numpy.__version__}" if numpy else "plain Python"
    say(f"{windows} windows of {len(COLUMNS)} columns with {way}")


if __name__ == "__main__":
    if len(sys.argv) > 3 or any(argument.startswith("-") for argument in sys.argv[1:]):
        sys.exit(__doc__)
    main(*sys.argv[1:])
