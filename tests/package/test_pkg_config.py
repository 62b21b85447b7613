# SPDX-License-Identifier: MIT
"""A project that uses pkg-config finds the installation."""

from __future__ import annotations

from pathlib import Path

from command import CONSUMER, HELLO, run


def pkg_config(prefix: Path, *options: str) -> list[str]:
    (file,) = prefix.rglob("shmkit.pc")
    return run("pkg-config", *options, "shmkit", PKG_CONFIG_PATH=str(file.parent)).split()


def test_program_with_the_shared_library(prefix: Path, tmp_path: Path) -> None:
    (library,) = prefix.rglob("libshmkit.so")
    program = tmp_path / "program"
    run("gcc", CONSUMER / "consumer.c", "-o", program, *pkg_config(prefix, "--cflags", "--libs"))
    assert run(program, LD_LIBRARY_PATH=str(library.parent)) == HELLO


def test_program_linked_statically(prefix: Path, tmp_path: Path) -> None:
    program = tmp_path / "program"
    run(
        "gcc",
        "-static",
        CONSUMER / "consumer.c",
        "-o",
        program,
        *pkg_config(prefix, "--static", "--cflags", "--libs"),
    )
    assert run(program) == HELLO
