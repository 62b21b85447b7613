# SPDX-License-Identifier: MIT
"""worker.py ARENA SLOT SERIAL SEED ROLE WORD...: a worker of the soak in Python; see worker.h.

Most workers in Python are forked from the harness, which is quicker; a few are interpreters of
their own, and begin here.
"""

from __future__ import annotations

import os
import sys
import traceback

import mutex
import ring
import shmkit
from arena import Arena, Violation, Worker

ROLES = {"mutex": mutex.work, "ring": ring.work}


def work(address: str, slot: str, serial: str, seed: str, role: str, *words: str) -> int:
    """Do what the role is until the end; the exit status."""
    arena = Arena(shmkit.open(address))
    try:
        ROLES[role](Worker(arena, int(slot), int(serial), int(seed)), *words)
    except Violation as violation:
        arena.report(str(violation))
        return 1
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        arena.report(f"Python {serial}: {type(error).__name__}: {error} (line {where.lineno})")
        return 1
    return 0


if __name__ == "__main__":
    status = work(*sys.argv[1:])
    if status != 0:
        os._exit(status)
