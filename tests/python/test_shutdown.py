# SPDX-License-Identifier: MIT
"""The end of the interpreter, with segments in every state: no crash, no noise, no leftover."""

from __future__ import annotations

import os

import pytest
import support

ENDS = {
    "a live segment": "kept = segment",
    "a live view": "kept = memoryview(segment); del segment",
    "a live typed view": "kept = segment.view('f64')",
    "a closed segment with a view": "kept = segment.view('u8')[1:]; segment.close()",
    "views in a cycle": "segment.own = [segment.view('u8'), memoryview(segment)]; del segment",
    "a view in builtins": "import builtins; builtins.kept = segment.view('u8'); segment.close()",
    "a view in a module": "shmkit.kept = memoryview(segment)",
    "sys.exit": "view = memoryview(segment); sys.exit(0)",
    "a finalizer that uses it": """
class Late:
    def __init__(self, segment): self.segment = segment
    def __del__(self):
        self.segment.write(0, b"late")
        try: self.segment.read(9999)
        except IndexError: pass
        self.segment.close()
late = Late(segment)
del segment""",
    "an exit handler": """
import atexit
atexit.register(lambda: (segment.write(0, b"x"), segment.close()))""",
    "a daemon thread that uses it": """
import threading
started = threading.Event()
def forever():
    while True:
        segment.write(0, b"x"); started.set()
threading.Thread(target=forever, daemon=True).start()
started.wait()""",
    "a daemon thread that waits": """
import socket, threading
one, other = (end.detach() for end in socket.socketpair())
threading.Thread(target=shmkit.receive, args=(one,), daemon=True).start()""",
    "a half-made object": "kept = shmkit.Segment.__new__(shmkit.Segment)",
    "a subclass's instance": """
class Mine(shmkit.Segment): pass
segment.__class__ = Mine
segment.me = segment""",
}

PROLOGUE = """
import shmkit, sys
segment = shmkit.create(sys.argv[1], 4096, lifetime="creator")
"""


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_interpreter_ends_quietly_with(name: str, end: str) -> None:
    support.run_python(PROLOGUE + end, name)
    assert not os.path.exists(f"/dev/shm/{name}")


@support.needs_numpy
def test_the_interpreter_ends_quietly_with_a_live_array(name: str) -> None:
    end = "array = segment.array('f64', 10); segment.close(); sys.array = array"
    support.run_python(PROLOGUE + end, name)


def test_an_exception_leaves_only_its_traceback(name: str) -> None:
    code = f"""
import io, sys, traceback
sys.excepthook = lambda *error: print("hook", error[0].__name__)
{PROLOGUE}
with segment:
    segment.read(5000)
"""
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", code, name], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (1, b"hook RangeError\n", b"")
    assert not os.path.exists(f"/dev/shm/{name}")


def test_os_exit_leaves_the_name_and_nothing_else(name: str) -> None:
    support.run_python(PROLOGUE + "import os; os._exit(0)", name)
    os.unlink(f"/dev/shm/{name}")


def test_development_mode_has_nothing_to_say(name: str) -> None:
    support.run_python(
        PROLOGUE + "segment.view('u8')[0] = 1; segment.close()", name, PYTHONDEVMODE="1"
    )


def test_a_subinterpreter_is_refused_and_disturbs_nobody(name: str) -> None:
    support.run_python(
        """
import shmkit, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
try:
    other = interpreters.create("legacy")
except TypeError:
    other = interpreters.create(isolated=False)
code = '''
try:
    import shmkit
except ImportError as error:
    assert "main interpreter" in str(error), error
else:
    raise AssertionError("imported")
'''
problem = interpreters.run_string(other, code)
assert problem is None, problem
interpreters.destroy(other)
with shmkit.create(sys.argv[1], 16, lifetime="creator") as segment:
    assert type(segment) is shmkit.Segment
try:
    shmkit.open(sys.argv[1])
except shmkit.NotFoundError:
    pass
""",
        name,
    )
