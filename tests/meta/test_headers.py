# SPDX-License-Identifier: MIT
"""Every public header compiles alone, as C11 and C++17, without a warning."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from api import BUILD, HEADERS, INCLUDE, output

GCC = (
    "-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wundef -Wcast-align".split()
)
# Padding, what C++98 had not, and a backslash in a comment are no mistakes.
CLANG = [
    "-Weverything",
    "-Wno-padded",
    "-Wno-c++98-compat",
    "-Wno-c++98-compat-pedantic",
    "-Wno-documentation-unknown-command",
]

COMPILERS = {
    "gcc": ["-x", "c", "-std=c11", "-Wstrict-prototypes", *GCC],
    "g++": ["-x", "c++", "-std=c++17", "-Wold-style-cast", "-Wuseless-cast", *GCC],
    "clang": ["-x", "c", "-std=c11", *CLANG],
    "clang++": ["-x", "c++", "-std=c++17", *CLANG],
}


# gcc is what the project is built with; clang is asked where there is one.
present = [c for c in COMPILERS if c.startswith("g") or shutil.which(c)]
every_compiler = pytest.mark.parametrize("compiler", present)


def compile_source(compiler: str, source: str) -> None:
    command = [compiler, *COMPILERS[compiler], "-Werror", "-fsyntax-only", f"-I{INCLUDE}", "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@every_compiler
@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.name)
def test_header_compiles_alone_and_twice(header: Path, compiler: str) -> None:
    line = f"#include <shmkit/{header.name}>\n"
    # ISO C wants a declaration, which a header of macros has not.
    compile_source(compiler, line + line + "extern int declaration;\n")


@every_compiler
def test_initialiser_of_the_options_compiles(compiler: str) -> None:
    compile_source(
        compiler,
        "#include <shmkit/segment.h>\n"
        "extern const shmkit_segment_options defaults;\n"
        "const shmkit_segment_options defaults = SHMKIT_SEGMENT_OPTIONS_INIT;\n",
    )


def test_umbrella_header_includes_every_other() -> None:
    umbrella = (INCLUDE / "shmkit" / "shmkit.h").read_text()
    missing = [h.name for h in HEADERS if f"#include <shmkit/{h.name}>" not in umbrella]
    assert missing == ["shmkit.h"]


def test_exactly_the_public_headers_are_installed(tmp_path: Path) -> None:
    output("cmake", "--install", BUILD / "core", "--prefix", tmp_path)
    installed = sorted(path.relative_to(tmp_path / "include") for path in tmp_path.rglob("*.h"))
    assert installed == [header.relative_to(INCLUDE) for header in HEADERS]
