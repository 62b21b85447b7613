# SPDX-License-Identifier: MIT
"""`pip install .` from a clean checkout gives a virtual environment the package."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from command import run

SCRIPT = """
import os, pathlib, sys
import shmkit

package = pathlib.Path(shmkit.__file__).parent
assert package.is_relative_to(sys.prefix), package
assert (package / "py.typed").is_file()
name = f"shmkit-pip-{os.getpid()}"
with shmkit.create(name, 4096) as segment:
    segment[0:5] = b"hello"
    with shmkit.open(name) as same:
        print(bytes(same[0:5]).decode())
    segment.unlink()
"""


def require_pypi(pip: Path, directory: Path) -> None:
    """pip gets the build backend from there."""
    try:
        run(pip, "download", "--quiet", "--no-deps", "--dest", directory, "setuptools")
    except AssertionError:
        if os.environ.get("CI"):
            raise
        pytest.skip("PyPI cannot be reached")


def test_pip_install(checkout: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv)
    require_pypi(venv / "bin" / "pip", tmp_path)
    run(venv / "bin" / "pip", "install", checkout)
    assert run(venv / "bin" / "python", "-I", "-c", SCRIPT) == "hello\n"
