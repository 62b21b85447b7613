# SPDX-License-Identifier: MIT
"""Fixtures, and what must hold after every test: nothing is left behind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("support")
import support  # noqa: E402


@pytest.fixture
def name() -> str:
    """A name that nobody else uses, gone after the test, or the test fails."""
    return support.unique_name()


@pytest.fixture
def segment(name: str) -> Iterator[Path]:
    """The file of a POSIX segment of two pages, of which the first one is filled."""
    path = support.SHM / name
    with open(path, "xb") as file:
        os.fchmod(file.fileno(), 0o640)
        file.write(bytes(range(256)) * 16)
        file.truncate(8192)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    prefix = os.fsencode(support.PREFIX)
    yield
    left = [name for name in os.listdir(b"/dev/shm") if name.startswith(prefix)]
    for each in left:
        os.unlink(b"/dev/shm/" + each)
    assert not left
