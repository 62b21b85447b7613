# SPDX-License-Identifier: MIT
"""Every public function reaches Python and Lua, or `unwrapped` says why it does not."""

from __future__ import annotations

import re

import pytest
from api import BUILD, FUNCTIONS, SOURCE

LANGUAGES = ["python", "lua"]
COMMENT_OR_STRING = re.compile(r"""/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*\"""", re.DOTALL)


def called(language: str) -> set[str]:
    """The names that are called in what SWIG generated and in the C code beside its interfaces."""
    wrappers = list(BUILD.rglob(f"*{language.upper()}_wrap.c"))
    assert wrappers, "SWIG generated nothing"
    bindings = SOURCE / "bindings"
    by_hand = [*bindings.glob("*.c"), *(bindings / language).glob("*.c")]
    return {
        name
        for path in [*wrappers, *by_hand]
        for name in re.findall(r"\b(shmkit_\w+)\s*\(", COMMENT_OR_STRING.sub(" ", path.read_text()))
    }


def unwrapped() -> list[tuple[str, str]]:
    """(language, function) of each line "LANGUAGE FUNCTION REASON"; every line has a reason."""
    lines = (SOURCE / "tests" / "meta" / "unwrapped").read_text().splitlines()
    entries = [line.split(maxsplit=2) for line in lines if line and not line.startswith("#")]
    assert all(len(entry) == 3 for entry in entries)
    return [(language, function) for language, function, _ in entries]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_public_function_is_wrapped_or_excused(language: str) -> None:
    excused = {function for where, function in unwrapped() if where == language}
    public = {function.name for function in FUNCTIONS}
    missing = public - called(language)
    assert sorted(missing - excused) == [], "neither wrapped nor in tests/meta/unwrapped"
    assert sorted(excused - missing) == [], "in tests/meta/unwrapped without need"
