# SPDX-License-Identifier: MIT
"""Running what a user would, and what his program says."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parents[2]
BUILD = Path(os.environ["SHMKIT_BUILD"])
CONSUMER = Path(__file__).parent / "consumer"

_version = re.search(r"^ *VERSION ([\d.]+)$", (SOURCE / "CMakeLists.txt").read_text(), re.M)
assert _version
HELLO = f"{_version[1]} hello\n"


def run(*command: str | Path, **environment: str) -> str:
    """Run a command; its standard output. What a failing one says is in the test's report."""
    print("$", *command)
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    print(done.stdout, done.stderr, sep="")
    assert done.returncode == 0, f"{command[0]} failed"
    return done.stdout
