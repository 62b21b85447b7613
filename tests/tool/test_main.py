# SPDX-License-Identifier: MIT
"""The command as a whole: help, versions, exit statuses, output that cannot be written."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import support
from support import commands, run


def test_help_lists_the_commands_and_goes_to_standard_output() -> None:
    result = run("--help")
    assert (result.status, result.err) == (0, "")
    assert "ls" in commands()


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help_and_says_its_own_name(command: str) -> None:
    result = run(command, "--help")
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"Usage: shmkit {command} ")
    assert run("help", command).out == result.out
    assert run(command, "-h").out == result.out


def test_who_names_no_command_is_shown_which_there_are() -> None:
    result = run()
    assert (result.status, result.out) == (2, "")
    assert "a command is missing" in result.err
    assert all(f"  {command} " in result.err for command in commands())


@pytest.mark.parametrize("command", ["ls", "gc", "limits", "top"])
def test_an_argument_where_none_belongs_is_named(command: str) -> None:
    result = run(command, "frames")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"shmkit {command}: 'frames' is too much: {command} takes options")


@pytest.mark.parametrize("command", commands())
def test_every_command_refuses_an_option_that_it_does_not_have(command: str) -> None:
    result = run(command, "--no-such-option")
    assert result.status == 2
    assert result.err.startswith(f"shmkit {command}: ")


@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("--nonsense",), ("help", "nonsense")])
def test_wrong_usage_is_status_2_and_one_message(arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("shmkit: ")


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"shmkit \d+\.\d+\.\d+\n", run("--version").out)


@pytest.mark.parametrize("arguments", [["ls"], ["--help"], ["ls", "--help"], ["--version"]])
@pytest.mark.usefixtures("segment")  # So that there is output.
def test_output_that_cannot_be_written_is_a_failure(arguments: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [support.COMMAND, *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=support.DEADLINE,
            check=False,
        )
    assert done.returncode == 1
    assert os.strerror(28) in done.stderr.decode()
