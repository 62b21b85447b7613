# SPDX-License-Identifier: MIT
"""The manual says what the commands say of themselves, no more and no less."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from support import commands, options, run

PAGES = Path(__file__).parents[2] / "docs" / "man"
COMMON = {"-?", "--help", "--usage", "-V", "--version"}


def page(command: str) -> str:
    return (PAGES / f"shmkit-{command}.1").read_text()


def documented(text: str) -> set[str]:
    """The options that a page has an item for: ".It Fl k , Fl -kind Ns = Ns Ar KIND"."""
    items = re.findall(r"^\.It (Fl .*)$", text, re.MULTILINE)
    names = [name for item in items for name in re.findall(r"Fl (\S+)", item)]
    return {"-" + name.removeprefix("\\&") for name in names}


def test_every_command_has_its_page_and_every_page_its_command() -> None:
    pages = {path.name for path in PAGES.iterdir()}
    assert pages == {"shmkit.1", *(f"shmkit-{command}.1" for command in commands())}
    overview = (PAGES / "shmkit.1").read_text()
    listed = re.findall(r"^\.It Cm (\w+)$", overview, re.MULTILINE)
    # What the states mean follows.
    assert listed[: len(commands())] == commands()


@pytest.mark.parametrize("command", commands())
def test_a_page_has_the_options_that_help_has(command: str) -> None:
    assert documented(page(command)) == options(command) - COMMON


def test_the_overview_has_the_options_of_all() -> None:
    assert documented((PAGES / "shmkit.1").read_text()) == COMMON


@pytest.mark.parametrize("command", commands())
def test_a_page_has_the_columns_that_help_has(command: str) -> None:
    listed = run(command, "--help").out.partition("Columns:\n")[2]
    columns = set(re.findall(r"^  ([A-Z%]+) ", listed, re.MULTILINE))
    text = page(command) + (page("ls") if command == "top" else "")
    items = re.findall(r"^\.It ([A-Z%]+(?: , [A-Z%]+)*)$", text, re.MULTILINE)
    assert {column for item in items for column in item.split(" , ")} == columns


@pytest.mark.parametrize("path", sorted(PAGES.iterdir()), ids=lambda path: path.stem)
def test_a_page_is_well_formed(path: Path) -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(
        # Which pages exist elsewhere is this machine's matter.
        ["mandoc", "-T", "lint", "-W", "warning", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout + done.stderr == ""
