# SPDX-License-Identifier: MIT
"""A project that uses CMake finds the installation, or takes the sources in."""

from __future__ import annotations

from pathlib import Path

from command import CONSUMER, HELLO, SOURCE, run


def build(directory: Path, *options: str) -> None:
    run("cmake", "-S", CONSUMER, "-B", directory, "-G", "Ninja", *options)
    run("cmake", "--build", directory)


def check(directory: Path) -> None:
    for program in ("shared", "static", "cxx"):
        assert run(directory / program) == HELLO
    assert "libshmkit.so.0" in run("readelf", "--dynamic", directory / "shared")
    assert "libshmkit" not in run("readelf", "--dynamic", directory / "static")


def test_find_package(prefix: Path, tmp_path: Path) -> None:
    build(tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")
    check(tmp_path)


def test_add_subdirectory_builds_the_library_and_nothing_else(tmp_path: Path) -> None:
    build(tmp_path, f"-DSHMKIT_SOURCE={SOURCE}")
    check(tmp_path)
    assert sorted(path.name for path in (tmp_path / "shmkit").iterdir() if path.is_dir()) == [
        "CMakeFiles",
        "core",
    ]
