# SPDX-License-Identifier: MIT
"""The public API as its headers declare it, and where the build is."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[2]
BUILD = Path(os.environ["SHMKIT_BUILD"])
INCLUDE = SOURCE / "core" / "include"
HEADERS = sorted(INCLUDE.glob("shmkit/*.h"))
LIBRARY = BUILD / "core" / "libshmkit.so"
ARCHIVE = BUILD / "core" / "libshmkit.a"

# A declaration with the documentation comment right before it, if there is one.
_DECLARATION = re.compile(
    r"(?:/\*\*(?P<comment>(?:(?!\*/).)*)\*/\s*)?^SHMKIT_API (?P<declaration>[^;]*);",
    re.DOTALL | re.MULTILINE,
)
_SIGNATURE = re.compile(r"(?P<type>.*?)(?P<name>\w+)\((?P<parameters>.*)\)", re.DOTALL)


@dataclass(frozen=True)
class Function:
    name: str
    type: str
    parameters: tuple[str, ...]
    comment: str

    def __str__(self) -> str:
        return self.name


def _functions(header: Path) -> list[Function]:
    functions = []
    for found in _DECLARATION.finditer(header.read_text()):
        signature = _SIGNATURE.fullmatch(found["declaration"])
        assert signature, found["declaration"]
        functions.append(
            Function(
                name=signature["name"],
                type=signature["type"].strip(),
                parameters=tuple(
                    re.findall(
                        r"(\w+)(?:\[\])?\s*(?:,|$)", signature["parameters"].replace("void", "")
                    )
                ),
                comment=re.sub(r"^ *\* ?", "", found["comment"] or "", flags=re.MULTILINE),
            )
        )
    return functions


FUNCTIONS = [function for header in HEADERS for function in _functions(header)]


def output(*command: str | Path) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
