# SPDX-License-Identifier: MIT
"""The installed command, its manual and its completion."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from command import HELLO, SOURCE, run


def commands(prefix: Path) -> list[str]:
    text = run(prefix / "bin" / "shmkit", "--help").partition("Commands:\n")[2]
    return re.findall(r"^  (\w+) ", text, re.M)


def test_the_command_runs_wherever_it_is_and_needs_no_library_of_ours(prefix: Path) -> None:
    command = prefix / "bin" / "shmkit"
    assert run(command, "--version").split()[1] == HELLO.split()[0]
    assert '"segments":' in run(command, "ls", "--json")
    assert "libshmkit" not in run("readelf", "--dynamic", command)


def test_every_command_has_its_page(prefix: Path) -> None:
    pages = {page.name for page in (prefix / "share" / "man" / "man1").iterdir()}
    assert pages == {"shmkit.1", *(f"shmkit-{command}.1" for command in commands(prefix))}


def test_completion_is_where_shells_look_for_it(prefix: Path) -> None:
    share = prefix / "share"
    script = share / "bash-completion" / "completions" / "shmkit"
    assert "_shmkit shmkit" in run("bash", "-c", f"source {script} && complete -p shmkit")
    functions = share / "zsh" / "site-functions" / "_shmkit"
    assert functions.read_text().startswith("#compdef shmkit\n")
    assert (share / "fish" / "vendor_completions.d" / "shmkit.fish").is_file()


def test_what_is_missing_to_build_it_is_named_and_it_can_be_left_out(tmp_path: Path) -> None:
    parts = ("PYTHON", "LUA", "EXAMPLES", "TESTS", "BENCH")
    configure = ["cmake", "-S", SOURCE, "-B", tmp_path, *(f"-DSHMKIT_{part}=OFF" for part in parts)]
    nothing = {**os.environ, "PKG_CONFIG_LIBDIR": str(tmp_path), "PKG_CONFIG_PATH": ""}
    done = subprocess.run(configure, env=nothing, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    said = " ".join(done.stderr.split())
    assert "libsmartcols-dev, libjson-c-dev and libncurses-dev" in said
    assert "-DSHMKIT_TOOL=OFF" in said
    assert (
        subprocess.run([*configure, "-DSHMKIT_TOOL=OFF"], env=nothing, check=False).returncode == 0
    )
