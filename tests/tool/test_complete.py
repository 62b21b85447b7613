# SPDX-License-Identifier: MIT
"""Completion: what the hidden command answers, and what bash, zsh and fish make of it."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import support
from support import commands, options, run

SCRIPTS = Path(__file__).parents[2] / "tool" / "completion"

ODD = [
    b"plain",
    b"with space",
    b"new\nline",
    b"quote'd",
    b'double"d',
    b"dollar$HOME",
    b"back\\slash",
    b"colon:ed",
    b"at@is=b,c",
    b"a;b&c|d<e>f",
    b"glob*?[x]{y,z}",
    b"bang!!h",
    b"~tilde#`hash`",
    b"end (deleted)",
    b"ends in '",
    b'ends in "',
    b"ends in !",
    "ünï".encode(),
    b"\xff\xfe",
    b"\x1b[31m\x01\x7f",
]


def words(*typed: str | bytes) -> dict[str, str]:
    """What can take the place of the last of these words, and what that is."""
    result = run("complete", "words", *typed)
    assert (result.status, result.err) == (0, "")
    answers = result.out.split("\0")
    assert answers.pop() == ""
    return dict(zip(answers[::2], answers[1::2], strict=True))


@contextmanager
def segments(*names: bytes) -> Iterator[list[str]]:
    """POSIX segments with these endings: their names."""
    start = os.fsencode(support.unique_name())
    paths = [b"/dev/shm/" + start + name for name in names]
    try:
        for path in paths:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        yield [os.fsdecode(start + name) for name in names]
    finally:
        for path in paths:
            os.unlink(path)


# ---- The command ---------------------------------------------------------------------------------


def test_the_commands_come_first() -> None:
    assert words("").keys() == {*commands(), "help"}
    assert set(words("help", "")) == set(commands())
    assert "ls" in words("l")
    assert "--version" in words("--v")
    assert words("ls")["ls"] in run("--help").out


def test_it_is_not_in_the_list_itself() -> None:
    assert "complete" not in commands()


@pytest.mark.parametrize("command", commands())
def test_every_option_that_help_shows_is_completed(command: str) -> None:
    assert {"--help", "-?"} < options(command)
    assert set(words(command, "-")) == options(command)


def test_values_are_those_of_the_option() -> None:
    assert set(words("ls", "--kind", "")) == {
        "posix",
        "sysv",
        "memfd",
        "semaphore",
        "anonymous",
        "hugetlb",
        "file",
    }
    assert set(words("ls", "--kind=posix,s")) == {"--kind=posix,sysv", "--kind=posix,semaphore"}
    assert set(words("ls", "-bks")) == {"-bksysv", "-bksemaphore"}
    assert set(words("ls", "--sort=-IN")) == {"--sort=-INODE"}
    assert set(words("ls", "-o", "+size,in")) == {"+size,inode"}
    assert words("ls", "--pid", "") == {}


def test_what_follows_two_dashes_is_no_option() -> None:
    assert not [word for word in words("ls", "--", "--") if word.startswith("--k")]


def test_wrong_usage_is_refused() -> None:
    for wrong in ((), ("words",), ("bash", "x"), ("csh", "x", "y")):
        assert run("complete", *wrong).status == 2


def test_a_command_that_there_is_not_has_no_completion() -> None:
    assert words("nonsense", "") == {}
    assert words("complete", "") == {}


# ---- Shells --------------------------------------------------------------------------------------


class Shell:
    """An interactive shell on a terminal, in which `show WORD...` tells us the words."""

    def __init__(self, home: Path, setup: str, *command: str) -> None:
        self.name = command[0]
        self.reader, writer = os.pipe()
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            pass_fds=[writer],
            env={
                "PATH": f"{support.COMMAND.parent}:{os.environ['PATH']}",
                "HOME": str(home),
                "LC_ALL": "C.UTF-8",
                "TERM": "dumb",
            },
        )
        os.close(slave)
        os.close(writer)
        self.screen = b""
        self.write(setup.replace("FD", str(writer)) + "\nshow ready\n")
        assert self.told() == ["ready"], self.screen

    def write(self, text: str) -> None:
        os.write(self.master, os.fsencode(text))

    def told(self) -> list[str]:
        """The words of the next `show`."""
        text, end = b"", time.monotonic() + support.DEADLINE
        while not text.endswith(b"\0END\0"):
            ready = select.select([self.master, self.reader], [], [], end - time.monotonic())[0]
            assert ready, self.screen.decode(errors="replace")
            if self.master in ready:
                self.screen += os.read(self.master, 65536)
            if self.reader in ready:
                text += os.read(self.reader, 65536)
        return os.fsdecode(text).split("\0")[:-2]

    def complete(self, typed: str, then: str = "") -> list[str]:
        """The words of a line after Tab, and something typed after that."""
        # The keys: to the start of the line, where "show" is put before it.
        self.write(f"{typed}\t{then}\x01show \r")
        return self.told()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.reader)


SHOW = "show() { printf '%s\\0' \"$@\" END >&FD; }"


def bash(home: Path) -> Shell:
    return Shell(home, f"{SHOW}\n. {SCRIPTS}/shmkit.bash", "bash", "--norc", "--noprofile", "-i")


def zsh(home: Path) -> Shell:
    setup = f"fpath=({SCRIPTS} $fpath); autoload -Uz compinit && compinit -D -u; bindkey -e"
    # Control-A goes to the start of the line only, of which the buffer may have several.
    setup += "; start() { CURSOR=0 }; zle -N start; bindkey '^A' start"
    return Shell(home, f"{SHOW}\n{setup}", "zsh", "-f", "-i")


def fish(home: Path) -> Shell:
    show = "function show; printf '%s\\0' $argv END >&FD; end"
    return Shell(home, f"{show}\nsource {SCRIPTS}/shmkit.fish", "fish", "--no-config", "-i")


@pytest.fixture(scope="module", params=[bash, zsh, fish], ids=lambda start: start.__name__)
def shell(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shell]:
    start: Callable[[Path], Shell] = request.param
    if shutil.which(start.__name__) is None:
        pytest.skip(f"{start.__name__} is not installed")
    shell = start(tmp_path_factory.mktemp("home"))
    yield shell
    shell.close()


def test_shells_complete_commands_options_and_values(shell: Shell) -> None:
    assert shell.complete("shmkit lim") == ["shmkit", "limits"]
    assert shell.complete("shmkit ls --noh") == ["shmkit", "ls", "--noheadings"]
    assert shell.complete("shmkit ls --kind sy") == ["shmkit", "ls", "--kind", "sysv"]
    assert shell.complete("shmkit ls --kind=posix,sy") == ["shmkit", "ls", "--kind=posix,sysv"]
    assert shell.complete("shmkit ls -o +size,prog") == ["shmkit", "ls", "-o", "+size,programs"]


@pytest.mark.parametrize("odd", ODD)
def test_shells_complete_addresses_whatever_the_name(shell: Shell, odd: bytes) -> None:
    with segments(odd) as (name,):
        start = name[: len(support.PREFIX) + 1]
        quotes = ["", "'", '"']
        if shell.name == "zsh" and odd == b"\xff\xfe":
            # In quotes, it does not write such bytes right: nothing is better than another name.
            quotes = [""]
            assert shell.complete(f"shmkit stat 'posix:/{start}", "'")[2] == f"posix:/{start}"
        for quote in quotes:
            told = shell.complete(f"shmkit stat {quote}posix:/{start}")
            assert told == ["shmkit", "stat", f"posix:/{name}"]
        if b":" not in odd:
            assert shell.complete(f"shmkit stat {start}") == ["shmkit", "stat", name]


def test_shells_complete_system_v_keys(shell: Shell) -> None:
    key = 0x5E000000 | os.getpid()
    with support.system_v(4096, key):
        typed = f"shmkit stat sysv:{key:#x}"[:-1]
        assert shell.complete(typed)[2].startswith(f"sysv:{key:#x}"[:-1])
        assert f"sysv:{key:#x}" in words("stat", "sysv:")


def test_shells_complete_files_after_their_kind(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "in here").mkdir()
    (tmp_path / "in here" / "a $file").touch()
    typed = f"shmkit stat file:{tmp_path}/in"
    address = f"file:{tmp_path}/in here/a $file"
    # The first Tab goes as far as the directory, and leaves no blank behind it.
    assert shell.complete(typed, "\t") == ["shmkit", "stat", address]
    assert shell.complete("shmkit stat fil", f"{tmp_path}/in\t\t")[2] == address


def test_bash_goes_on_where_names_differ_within_an_escape(tmp_path: Path) -> None:
    shell = bash(tmp_path)
    try:
        with segments(b"\n1", b"\t2", b" 3", b"'4") as names:
            start = names[0][:-2]
            for key, name in zip(("\\n", "\\t"), names, strict=False):
                typed = f"shmkit stat posix:/{start}$'"
                assert shell.complete(typed, f"{key}\t")[2] == f"posix:/{name}"
            for key, name in zip((" ", "'"), names[2:], strict=True):
                typed = f"shmkit stat posix:/{start}\\{key}"
                assert shell.complete(typed)[2] == f"posix:/{name}"
    finally:
        shell.close()


def test_bash_does_not_depend_on_where_words_break(tmp_path: Path) -> None:
    shell = bash(tmp_path)
    try:
        with segments(b" a:b@c=d") as (name,):
            for breaks in ("' \t\n'", "' \t\n:=@-/'"):
                shell.write(f"COMP_WORDBREAKS=$'{breaks[1:-1]}'\n".replace("\t", "\\t"))
                for typed in ("", "\\ a\\:b@"):
                    told = shell.complete(f"shmkit rm posix:/{name[:-8]}{typed}")
                    assert told[2] == f"posix:/{name}"
    finally:
        shell.close()


def test_shells_complete_files_where_a_file_goes(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "content of it"
    file.touch()
    start = f"{tmp_path}/cont"
    assert shell.complete(f"shmkit write frames {start}")[3] == str(file)
    assert shell.complete(f"shmkit create frames --content {start}")[4] == str(file)
    assert shell.complete(f"shmkit create frames --content={start}")[3] == f"--content={file}"
