# SPDX-License-Identifier: MIT
"""shmkit limits."""

from __future__ import annotations

import os
import resource
from typing import Any

import pytest
from support import Result, run, run_in_own_place

USUAL = "LIMIT SIZE USED FREE USE% FOR SOURCE".split()
SMALL = "mount -t tmpfs -o size=64m,nr_inodes=20 none /dev/shm"


def limit(result: Result, name: str) -> dict[str, Any]:
    (found,) = [each for each in result.json["limits"] if each["name"] == name]
    return found  # type: ignore[no-any-return]


def sentences(result: Result) -> str:
    """What follows the table, as one line."""
    return " ".join(result.out.partition("\n\n")[2].split())


def test_the_table_has_every_limit_with_size_used_and_free() -> None:
    result = run("limits")
    assert (result.status, result.err) == (0, "")
    table = result.out.partition("\n\n")[0].splitlines()
    assert table[0].split() == USUAL
    assert len(table) == len(run("limits", "--json").json["limits"]) + 1


def test_figures_are_those_of_the_system() -> None:
    status = os.statvfs("/dev/shm")
    result = run("limits", "--json")
    assert limit(result, "shm-bytes")["limit"] == status.f_blocks * status.f_frsize
    assert limit(result, "shm-bytes")["unit"] == "bytes"
    assert limit(result, "rlimit-nofile")["limit"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    with open("/proc/sys/vm/max_map_count") as file:
        assert limit(result, "max-map-count")["limit"] == int(file.read())


def test_a_containers_64_mib_are_said_to_bite_posix_segments_first() -> None:
    result = run_in_own_place(f"{SMALL}; head -c 1m /dev/zero >/dev/shm/x", "limits")
    assert result.status == 0
    text = sentences(result)
    assert "A new POSIX segment can have 63M at most: the limit on the size of /dev/shm" in text
    assert "64M, 1M of it used" in text
    assert "a container's usual 64 MiB" in text
    assert "--shm-size" in text
    assert "18 more POSIX segments" in text


def test_a_full_dev_shm_is_said_to_be() -> None:
    result = run_in_own_place(f"{SMALL}; head -c 64m /dev/zero >/dev/shm/x", "limits")
    assert "No POSIX segment can be made: nothing is left of the size of /dev/shm" in sentences(
        result
    )
    assert "100%" in result.rows[1]


def test_a_read_only_dev_shm_is_said_to_be() -> None:
    result = run_in_own_place(f"{SMALL}; mount -o remount,ro /dev/shm", "limits")
    assert "No POSIX segment can be made" in sentences(result)
    assert "mounted read-only" in sentences(result)


def test_each_kind_has_the_limit_that_it_meets_first() -> None:
    result = run_in_own_place(f"{SMALL}; ulimit -f 2048", "limits", "--json")
    first = result.json["first"]
    file_size = limit(result, "rlimit-fsize")
    assert file_size["limit"] in (2048 * 512, 2048 * 1024)
    assert first["memfd"]["tightest"] == {"name": "rlimit-fsize", "free": file_size["limit"]}
    assert first["posix"]["tightest"]["name"] == "rlimit-fsize"
    assert first["posix"]["scarcest"] == {"name": "shm-inodes", "free": 19}
    assert first["sysv"]["tightest"]["name"] != "rlimit-fsize"
    text = sentences(run_in_own_place(f"{SMALL}; ulimit -f 2048", "limits"))
    assert "A new POSIX or memfd segment can have" in text


def test_no_limit_is_told_apart_from_unknown() -> None:
    unlimited = "ulimit -v unlimited; mount -t tmpfs -o size=0,nr_inodes=0 none /dev/shm"
    result = run_in_own_place(unlimited, "limits", "--json")
    bytes_ = limit(result, "shm-bytes")
    assert (bytes_["unlimited"], bytes_["limit"], bytes_["free"]) == (True, None, None)
    hidden = run_in_own_place("mount -t tmpfs none /proc", "limits", "--json")
    memory = limit(hidden, "memory")
    assert (memory["unlimited"], memory["limit"], memory["free"]) == (False, None, None)
    row = next(
        each
        for each in run_in_own_place(unlimited, "limits").out.splitlines()
        if "/dev/shm" in each
    )
    assert row.split()[3:7] == ["unlimited", "-", "unlimited", "-"]


def test_everything_is_json_with_the_names_of_the_members() -> None:
    document = run("limits", "--json").json
    assert document["version"] == 1
    for each in document["limits"]:
        assert set(each) == {
            *("name", "title", "unit", "scope", "kinds", "each", "on_request", "unlimited"),
            *("limit", "used", "free", "source", "effect", "remedy", "note"),
        }
    assert set(document["first"]) == {"posix", "sysv", "memfd", "semaphore", "anonymous"}


def test_only_what_holds_for_a_kind_is_shown_when_asked() -> None:
    result = run("limits", "--kind", "sysv", "--json")
    names = [each["name"] for each in result.json["limits"]]
    assert {"shmmax", "shmall", "shmmni", "memory"} <= set(names)
    assert "shm-bytes" not in names
    assert list(result.json["first"]) == ["sysv"]
    assert "POSIX" not in sentences(run("limits", "--kind", "sysv"))


def test_columns_are_chosen_and_added_and_raw_is_the_table_alone() -> None:
    result = run("limits", "--raw", "--noheadings", "-o", "name,size", "-o", "+scope", "--bytes")
    lines = [line.split(" ") for line in result.out.splitlines()]
    assert all(len(line) == 3 for line in lines)
    found = {line[0]: line for line in lines}
    assert found["memory"][1] == str(limit(run("limits", "--json"), "memory")["limit"])
    assert found["shmmni"][2] == r"ipc\x20namespace"
    assert run("limits", "-o", "nonsense").status == 2


@pytest.mark.parametrize("width", [40, 72, 100])
def test_sentences_keep_to_the_width_of_the_terminal(width: int) -> None:
    result = run("limits", "-o", "name", environment={"COLUMNS": str(width)})
    lines = result.out.partition("\n\n")[2].splitlines()
    assert max(map(len, lines)) <= width
    assert max(map(len, lines)) > width - 20
