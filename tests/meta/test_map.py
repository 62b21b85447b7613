# SPDX-License-Identifier: MIT
"""ARCHITECTURE.md's map names every source file."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "ARCHITECTURE.md").read_text()
MAP = re.search(r"^## The map\n\n(.*?)\n\n", TEXT, re.MULTILINE | re.DOTALL)[1]  # type: ignore[index]
WORDS = re.findall(r"\w[\w*]*", MAP)

DIRECTORIES = ["core/include/shmkit", "core/src", "core/src/linux", "tool", "tool/bench"]
# A file for each command needs no words.
COMMANDS = set(re.findall(r"command_(\w+);", (ROOT / "tool/command.h").read_text()))

MODULES = sorted({path.stem for each in DIRECTORIES for path in (ROOT / each).glob("*.[ch]")})


@pytest.mark.parametrize("module", MODULES)
def test_source_file_is_on_the_map(module: str) -> None:
    assert module in COMMANDS or any(fnmatch(module, word) for word in WORDS)


def test_the_map_has_no_files_that_are_gone() -> None:
    for name in re.findall(r"\b\w+\.[chi]\b", MAP):
        assert list(ROOT.glob(f"core/**/{name}")) or list(ROOT.glob(f"[tb]*/**/{name}")), name
