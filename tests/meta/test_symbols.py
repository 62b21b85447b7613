# SPDX-License-Identifier: MIT
"""What the library shows to the linker is what its headers declare, and it needs libc alone."""

from __future__ import annotations

import re

import pytest
from api import ARCHIVE, BUILD, FUNCTIONS, LIBRARY, output


def defined_symbols(*arguments: object) -> set[str]:
    lines = output("nm", "--defined-only", "--extern-only", "--format=posix", *map(str, arguments))
    return {line.split()[0] for line in lines.splitlines() if " " in line}


def test_library_exports_exactly_the_public_functions() -> None:
    public = {function.name for function in FUNCTIONS}
    defined = defined_symbols("--dynamic", LIBRARY)
    assert sorted(public - defined) == [], "declared and not there"
    assert sorted(defined - public) == [], "there and not declared"


def test_archive_keeps_to_its_name_space() -> None:
    assert [s for s in defined_symbols(ARCHIVE) if not s.startswith("shmkit_")] == []


def test_library_needs_libc_alone() -> None:
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", output("readelf", "--dynamic", LIBRARY))
    # The dynamic loader is glibc's too, and threads were a library of it before 2.34.
    assert [n for n in needed if not re.match(r"(libc|libpthread|ld-linux.*)\.so", n)] == []


@pytest.mark.parametrize(("language", "entry"), [("python", "PyInit_"), ("lua", "luaopen_")])
def test_module_exports_its_entry_point_alone(language: str, entry: str) -> None:
    """Else a libshmkit.so of another version in the same process would answer its calls."""
    modules = list((BUILD / language).rglob("*.so"))
    assert modules
    for module in modules:
        symbols = defined_symbols("--dynamic", module)
        assert [symbol for symbol in symbols if not symbol.startswith(entry)] == []
