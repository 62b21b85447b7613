# SPDX-License-Identifier: MIT
"""`luarocks make` from a clean checkout gives a tree the module."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import run

SCRIPT = """
local shm = require "shmkit"
local name = "shmkit-luarocks-" .. assert(io.open("/proc/self/stat")):read("a"):match("%d+")
local segment <close> = assert(shm.create(name, 4096))
segment:write(0, "hello")
local same <close> = assert(shm.open(name))
print(same:read(0, 5))
assert(segment:unlink())
"""


def test_luarocks_make(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    (rockspec,) = checkout.rglob("*.rockspec")
    tree = tmp_path / "tree"
    run("luarocks", "--lua-version=5.4", "--tree", tree, "make", rockspec)
    share, lib = tree / "share/lua/5.4", tree / "lib/lua/5.4"
    assert (
        run(
            "lua5.4",
            "-e",
            SCRIPT,
            LUA_PATH_5_4=f"{share}/?.lua;{share}/?/init.lua",
            LUA_CPATH_5_4=f"{lib}/?.so",
        )
        == "hello\n"
    )
