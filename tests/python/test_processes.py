# SPDX-License-Identifier: MIT
"""fork, multiprocessing in every way it starts processes, and pickling."""

from __future__ import annotations

import io
import os
import pickle

import pytest
import shmkit
import support


def test_a_forked_child_has_the_same_memory(segment: shmkit.Segment) -> None:
    view = segment.view("u8")

    def child() -> None:
        segment.write(0, b"child")
        view[5] = 33
        segment.close()

    with support.forked(child):
        pass
    assert segment.read(0, 6) == b"child!"


def test_a_forked_child_may_forget_the_segment(segment: shmkit.Segment) -> None:
    code = """
import os, shmkit, sys
segment = shmkit.open(sys.argv[1])
view = memoryview(segment)
if os.fork() == 0:
    del segment, view
    sys.exit()
os.wait()
view[0] = 9
"""
    support.run_python(code, segment.name)
    assert segment[0] == 9


def test_a_pickled_segment_opens_the_same_address(segment: shmkit.Segment) -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pickle.loads(pickle.dumps(segment, protocol)) as copy:
            copy[0] = protocol
            assert segment[0] == protocol
            assert (copy.address, copy.capacity) == (segment.address, segment.capacity)
            assert not copy.created


def test_a_pickled_read_only_segment_stays_read_only(segment: shmkit.Segment) -> None:
    with shmkit.open(segment.address, readonly=True) as reader:
        copy = pickle.loads(pickle.dumps(reader))
        assert copy.readonly


@support.needs_root
def test_a_pickled_segment_of_another_user_is_accepted_again(segment: shmkit.Segment) -> None:
    os.chmod(support.file_of(segment), 0o666)
    os.chown(support.file_of(segment), 65533, -1)
    with shmkit.open(segment.address, any_owner=True) as other:
        pickle.loads(pickle.dumps(other)).close()


def test_a_pickled_segment_with_an_odd_name_finds_its_file(name: str) -> None:
    with shmkit.create(name.encode() + b" \xff\n", 1) as segment:
        pickle.loads(pickle.dumps(segment)).close()
        segment.unlink()


def test_a_pickled_system_v_segment_opens_its_identifier() -> None:
    with shmkit.create("sysv:private", 4096) as segment:
        with pickle.loads(pickle.dumps(segment)) as copy:
            copy[0] = 1
        assert segment[0] == 1
        segment.unlink()


def test_a_pickle_of_what_is_gone_is_not_found(segment: shmkit.Segment) -> None:
    pickled = pickle.dumps(segment)
    segment.unlink()
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickled)


def test_what_has_no_name_cannot_be_pickled(name: str) -> None:
    segment = shmkit.create(f"memfd:{name}", 1)
    with pytest.raises(io.UnsupportedOperation, match=f"memfd:{name}.*send"):
        pickle.dumps(segment)


WORK = """
import multiprocessing, shmkit, sys

def work(segment, number):
    assert not segment.created or sys.argv[2] == "fork"
    segment.view("u32")[number] = number + 1
    segment.close()

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[2])
    readonly = False
    with shmkit.create(sys.argv[1], 4096) as segment:
        children = [context.Process(target=work, args=(segment, n)) for n in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        print(segment.unpack(0, "3I"), [child.exitcode for child in children])
        if segment.kind != "memfd":
            with context.Pool(2) as pool:
                pool.starmap(work, [(segment, n) for n in range(3, 6)])
            print(segment.unpack(12, "3I"))
            segment.unlink()
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("kind", ["posix:/", "memfd:"])
def test_every_way_to_start_a_process_passes_segments_on(
    name: str, tmp_path: object, method: str, kind: str
) -> None:
    script = os.path.join(str(tmp_path), "work.py")
    with open(script, "w") as file:
        file.write(WORK)
    printed = support.run_script(script, kind + name, method)
    assert printed.startswith("(1, 2, 3) [0, 0, 0]\n")
    if kind == "posix:/":
        assert printed.endswith("(4, 5, 6)\n")
