# SPDX-License-Identifier: MIT
"""Statements beside each other.

Everything is measured in the same run, in turns of random order, and a ratio is the median over the
rounds of one side's time by the other's: what disturbs the machine for a while disturbs both.
"""

from __future__ import annotations

import platform
import random
import statistics
import timeit
from collections.abc import Mapping, Sequence
from typing import Any

ROUNDS = 51

# Of each subject by its title: a statement, and the number of calls in a round.
Subjects = Mapping[str, tuple[str, int]]
# One subject by another; "at most" or "at least" the limit that was agreed, if one was.
Ratios = Sequence[tuple[str, str, str, float]]


def measure(subjects: Subjects, names: Mapping[str, Any]) -> dict[str, list[float]]:
    """Nanoseconds of a call, of each subject and round. `names` are what the statements use."""
    timers = {
        title: timeit.Timer(code, globals=dict(names)) for title, (code, _) in subjects.items()
    }
    times: dict[str, list[float]] = {title: [] for title in subjects}
    titles = list(subjects)
    for turn in range(ROUNDS + 1):
        random.shuffle(titles)
        for title in titles:
            calls = subjects[title][1]
            seconds = timers[title].timeit(calls)
            if turn > 0:  # The first one warms up.
                times[title].append(seconds / calls * 1e9)
    return times


def compare(subjects: Subjects, ratios: Ratios, names: Mapping[str, Any]) -> None:
    """Measure them and print what they cost, and their ratios."""
    times = measure(subjects, names)
    print(f"\nPython {platform.python_version()}, {ROUNDS} rounds, medians, loop included")
    for title, list_of_times in times.items():
        print(f"  {title:<34} {statistics.median(list_of_times):9.1f} ns")
    for one, other, bound, limit in ratios:
        ratio = statistics.median(a / b for a, b in zip(times[one], times[other]))
        good = ratio >= limit if bound == "at least" else ratio <= limit
        verdict = "yes" if good else "NO"
        print(f"  {one + ' / ' + other:<58} {ratio:6.2f}  ({bound} {limit:.2f}: {verdict})")
