# SPDX-License-Identifier: MIT
"""What several test files need."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shmkit

# Every name that these tests make begins so, in this process and in those that it starts.
PREFIX = f"shmkit-python-{os.getpid()}-"
_numbers = itertools.count()

# Reasons to skip; tests/skips knows them.
NO_NUMPY = "NumPy is not installed for this interpreter"
NO_HYPOTHESIS = "Hypothesis does not run on this interpreter"
NO_BUFFER_METHOD = "classes have __buffer__ since Python 3.12"
NO_MYPY = "mypy is not installed for this interpreter"
NO_MOUNTS = "mounting in a namespace is not permitted"
NOT_ROOT = "only root can make another user's segment"

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]

needs_numpy = pytest.mark.skipif(numpy is None, reason=NO_NUMPY)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason=NOT_ROOT)


def unique_name() -> str:
    return f"{PREFIX}{next(_numbers)}"


def unique_key() -> int:
    """A System V key that other tests do not use: beside the counter, the process is in it."""
    return 0x40000000 | (os.getpid() & 0x3FFFFF) << 8 | next(_numbers) & 0xFF


# The propagation of / cannot be changed in a chroot; that of /dev/shm is what matters.
_NAMESPACE = ["unshare", "--mount", "--ipc", "--propagation=unchanged"]
if os.geteuid() != 0:
    _NAMESPACE.append("--map-root-user")
_MOUNT = 'mount --make-private /dev/shm && mount -t tmpfs -o size={} tmpfs /dev/shm && exec "$@"'


def run_in_own_place(code: str, size: str) -> str:
    """What a new interpreter prints in mount and IPC namespaces of its own, with a /dev/shm of that
    size. It must not make a noise or fail."""
    sandbox = [*_NAMESPACE, "sh", "-c", _MOUNT.format(size), "sh"]
    if subprocess.run([*sandbox, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(NO_MOUNTS)
    done = subprocess.run(
        [*sandbox, sys.executable, "-X", "faulthandler", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@contextlib.contextmanager
def another_process(code: str, *arguments: str | int) -> Iterator[int]:
    """A new interpreter that has run the code and then stays. Its PID."""
    text = f"import sys\n{code}\nprint('ready', flush=True)\nsys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.communicate()
    assert process.returncode == 0


@contextlib.contextmanager
def killed_process(code: str, *arguments: str | int) -> Iterator[int]:
    """A new interpreter that has run the code and stays through the body; then it is killed. Its
    PID."""
    text = f"import sys\n{code}\nprint('ready', flush=True)\nsys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", text, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
    finally:
        process.kill()
        process.communicate()


def process_state(pid: int) -> str:
    """As /proc says it: "T" when it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def is_waited_for(mutex: shmkit.Mutex) -> bool:
    """Somebody sleeps on it: it is in the word."""
    return bool(mutex.segment.load("u32", mutex.offset) >> 31)


def in_thread(work: Any) -> Any:
    """The result of a function in another thread; what it raises is raised here."""
    results: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def wait_until(done: Callable[[], object]) -> None:
    """Return when it is true. Whoever waits for ever is ended by the test's deadline."""
    while not done():
        time.sleep(0.001)


def interrupt_when(done: Callable[[], object]) -> None:
    """Ctrl-C for the main thread as soon as that is true, and once it waits."""

    def interrupt() -> None:
        wait_until(done)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.main_thread().ident
    assert main is not None
    threading.Thread(target=interrupt).start()


def run_python(code: str, *arguments: str | int, **environment: str) -> str:
    """What a new interpreter prints. It must not make a noise or fail."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "error", "-c", code, *map(str, arguments)],
        capture_output=True,
        env={**os.environ, **environment},
        cwd="/",
        check=False,
    )
    assert (done.returncode, done.stderr.decode(errors="replace")) == (0, "")
    return done.stdout.decode()


@contextlib.contextmanager
def forked(work: object) -> Iterator[int]:
    """Run a function in a forked child; its result is the exit status, which must be 0 or None."""
    assert callable(work)
    child = os.fork()
    if child == 0:
        status = 99
        try:
            status = work() or 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    yield child
    _, state = os.waitpid(child, 0)
    assert os.WIFEXITED(state), f"killed by signal {os.WTERMSIG(state)}"
    assert os.WEXITSTATUS(state) == 0


def file_of(segment: shmkit.Segment) -> Path:
    """The file behind a POSIX segment."""
    return Path("/dev/shm") / segment.name


def shared_mappings() -> list[str]:
    """The lines of /proc/self/maps that are shared memory."""
    lines = Path("/proc/self/maps").read_text(errors="surrogateescape").splitlines()
    return [line for line in lines if line.split()[1].endswith("s")]


def identity(segment: shmkit.Segment) -> int:
    """The inode of the file behind a segment."""
    return os.fstat(segment.fileno()).st_ino


def is_mapped(inode: int) -> bool:
    """Whether this process maps that file. Not by name: the file had none when it was mapped."""
    return any(line.split()[4] == str(inode) for line in shared_mappings())


def module(name: str, reason: str) -> None:
    pytest.importorskip(name, reason=reason)


def run_script(path: str, *arguments: str) -> str:
    """As run_python, for a file: multiprocessing starts children with it."""
    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", path, *arguments],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode(errors="replace")) == (0, "")
    return done.stdout.decode()
