# SPDX-License-Identifier: MIT
"""An installation to use, and a clean checkout to install from."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from command import BUILD, SOURCE, run


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the library and the command are installed: moved there, as a package's files are."""
    before = tmp_path_factory.mktemp("prefix") / "before"
    for part in ("core", "tool"):
        if (BUILD / part).is_dir():
            run("cmake", "--install", BUILD / part, "--prefix", before)
    return before.rename(before.with_name("after"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The sources as git would check them out with what is being worked on, and nothing else."""
    destination = tmp_path / "checkout"
    listing = subprocess.run(
        # The checkout may belong to another user than root, who runs the tests in a container.
        ["git", "-c", f"safe.directory={SOURCE}", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=SOURCE,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, os.fsdecode(listing).split("\0")):
        source, target = SOURCE / name, destination / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return destination
