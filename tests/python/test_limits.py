# SPDX-License-Identifier: MIT
"""Limits: what the system says they are, and which is met first."""

from __future__ import annotations

import copy
import os
import pickle
import typing
from pathlib import Path
from typing import Any

import pytest
import shmkit
import support

KINDS = typing.get_args(shmkit.InfoKind)


def find(limits: shmkit.Limits, name: str) -> shmkit.Limit:
    (limit,) = [limit for limit in limits if limit.name == name]
    return limit


def test_every_limit_says_what_it_is() -> None:
    limits = shmkit.limits()
    assert {"shm-bytes", "shm-inodes", "shmmax", "shmall", "shmmni", "memory"} <= {
        limit.name for limit in limits
    }
    for limit in limits:
        assert limit.title
        assert limit.source
        assert limit.effect
        assert limit.remedy
        assert limit.unit in typing.get_args(shmkit.Unit)
        assert limit.scope in typing.get_args(shmkit.Scope)
        assert set(limit.kinds) <= set(KINDS)
        assert limit.kinds
        for amount in (limit.limit, limit.used, limit.free):
            assert amount is None or type(amount) is int
        for flag in (limit.each, limit.on_request, limit.unlimited):
            assert type(flag) is bool


def test_figures_are_the_systems() -> None:
    limits = shmkit.limits()
    system = os.statvfs("/dev/shm")
    room = find(limits, "shm-bytes")
    if not room.unlimited:
        assert room.limit == system.f_blocks * system.f_frsize
    assert (room.unit, room.scope) == ("bytes", "file system")
    assert "posix" in room.kinds
    assert "sysv" not in room.kinds
    segments = find(limits, "shmmni")
    assert segments.limit == int(Path("/proc/sys/kernel/shmmni").read_text())
    assert (segments.unit, segments.kinds) == ("segments", ("sysv",))
    assert find(limits, "shmmax").each is True
    assert find(limits, "rlimit-memlock").on_request is True


def test_no_limit_is_told_apart_from_an_unknown_one() -> None:
    code = """
import resource, shmkit
def look():
    limits = {limit.name: limit for limit in shmkit.limits()}
    files, size = limits["rlimit-nofile"], limits["rlimit-fsize"]
    print(files.limit, files.unlimited, size.limit, size.unlimited, size.free)
resource.setrlimit(resource.RLIMIT_NOFILE, (77, 77))
for most in 1 << 40, 1 << 36:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    look()
"""
    assert support.run_python(code).splitlines() == [
        f"77 False {1 << 40} False {1 << 40}",
        f"77 False {1 << 36} False {1 << 36}",
    ]
    unlimited = [limit for limit in shmkit.limits() if limit.unlimited]
    assert [limit.limit for limit in unlimited] == [None] * len(unlimited)


def test_the_tightest_says_how_large_a_segment_can_be() -> None:
    code = """
import shmkit
tightest = shmkit.limits().tightest["posix"]
print(tightest.name, tightest.limit)
try:
    shmkit.create("large", tightest.free + 4096)
except shmkit.NoSpaceError:
    shmkit.create("large", tightest.free - 65536)
print(shmkit.limits().tightest["posix"].used >= tightest.free - 65536)
print(shmkit.limits().scarcest["posix"].unit != "bytes")
"""
    assert support.run_in_own_place(code, "1m").splitlines() == [
        f"shm-bytes {1 << 20}",
        "True",
        "True",
    ]


def test_the_first_of_each_kind_is_among_them() -> None:
    limits = shmkit.limits()
    for kind, limit in [*limits.tightest.items(), *limits.scarcest.items()]:
        assert limit in limits
        assert kind in limit.kinds
        assert limit.free is not None
        assert not limit.on_request
    assert {limit.unit for limit in limits.tightest.values()} == {"bytes"}
    assert "bytes" not in {limit.unit for limit in limits.scarcest.values()}
    assert set(limits.tightest) <= set(KINDS) - {"hugetlb", "file"}


def test_limits_are_a_tuple_that_can_be_pickled_and_not_changed() -> None:
    limits: Any = shmkit.limits()
    assert isinstance(limits, tuple)
    for same in (pickle.loads(pickle.dumps(limits)), copy.copy(limits), copy.deepcopy(limits)):
        assert type(same) is shmkit.Limits
        assert (same, same.tightest, same.scarcest) == (limits, limits.tightest, limits.scarcest)
    with pytest.raises(AttributeError):
        limits.tightest = {}
    with pytest.raises(AttributeError):
        limits[0].limit = 1
    assert repr(limits[0]).startswith(f"Limit(name={limits[0].name!r}, title=")
