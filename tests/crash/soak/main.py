# SPDX-License-Identifier: MIT
"""The soak: mutexes and events in the hands of workers of all languages that are killed at random.

SHMKIT_SOAK=SECONDS and SHMKIT_SOAK_KILLS=N, which wins, say for how long; SHMKIT_SOAK_SEED=N makes
the same choices again, though not the same run. The last lines that are printed say what happened.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from pathlib import Path

import worker
from mutex import Guarded
from ring import Ring
from soak import LANGUAGES, Failure, Soak

HERE = Path(__file__).resolve().parent
COMMANDS = {
    "c": [str(Path(os.environ["SHMKIT_BUILD"]) / "tests/crash/soak/worker")],
    "python": [sys.executable, str(HERE / "worker.py")],
    "lua": ["lua5.4", str(HERE / "worker.lua")],
}
SUBJECTS = [
    Guarded("mutex", LANGUAGES * 2, exact=False),
    Guarded("mutex-exact", LANGUAGES, exact=True),
    # Interpreters look for signals every half second, and so would wake what nobody else does.
    Guarded("mutex-c", ("c", "c", "c"), exact=False),
    # All six ways for a turn to go from one language to another.
    Ring("ring", ("c", "python", "lua"), own_events=True),
    Ring("ring-shared", ("lua", "python", "c"), own_events=False),
]


def main() -> int:
    environment = os.environ.get
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=environment("SHMKIT_SOAK") or "8")
    parser.add_argument("--kills", type=int, default=environment("SHMKIT_SOAK_KILLS") or None)
    parser.add_argument("--seed", type=int, default=environment("SHMKIT_SOAK_SEED") or None)
    parser.add_argument("--deadline", type=float, default=60)
    options = parser.parse_args()
    seed = random.getrandbits(31) if options.seed is None else options.seed
    # Before anything else, for it may be killed.
    print(f"soak: seed {seed}", flush=True)
    soak = Soak(SUBJECTS, COMMANDS, worker.work, seed, options.deadline)
    try:
        soak.run(options.seconds, options.kills)
    except Failure as failure:
        print(failure)
        print(f"soak: failed with seed {seed} after {soak.killed} had been killed")
        return 1
    for line in soak.report():
        print(f"soak: {line}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
