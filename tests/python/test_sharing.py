# SPDX-License-Identifier: MIT
"""What other processes and programs do to a segment: truncate, grow, seal, pass on."""

from __future__ import annotations

import array
import errno
import mmap
import os
import pickle
import signal
import socket
import threading
from collections.abc import Iterator
from multiprocessing import shared_memory

import pytest
import shmkit
import support


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        yield one, other


def test_a_program_without_shmkit_has_the_same_bytes(segment: shmkit.Segment) -> None:
    with open(support.file_of(segment), "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[0:5] = b"plain"
        assert segment.read(0, 5) == b"plain"
        segment[10:15] = b"other"
        assert memory[10:15] == b"other"


def test_a_segment_of_a_plain_program_is_opened(name: str) -> None:
    path = f"/dev/shm/{name}"
    with open(path, "wb") as file:
        file.write(b"by hand")
    with shmkit.open(name) as segment:
        assert segment.read() == b"by hand"
        assert segment.creator is None
        segment.unlink()


def test_the_standard_library_opens_a_segment(segment: shmkit.Segment) -> None:
    code = """
import sys
from multiprocessing import resource_tracker, shared_memory
resource_tracker.register = lambda *arguments: None
memory = shared_memory.SharedMemory(sys.argv[1])
memory.buf[0:3] = b"std"
memory.close()
"""
    support.run_python(code, segment.name)
    assert segment.read(0, 3) == b"std"
    assert shared_memory.SharedMemory


def test_truncation_is_an_error_of_reading_and_writing(segment: shmkit.Segment) -> None:
    os.truncate(support.file_of(segment), 100)
    assert segment.size == 4096
    with pytest.raises(shmkit.TruncatedError, match=segment.address) as raised:
        segment.read()
    assert raised.value.symbol == "SHMKIT_ERR_TRUNCATED"
    for call in [
        lambda: segment.write(2000, b"x"),
        lambda: segment[2000],
        lambda: segment[0:2000],
        lambda: segment.__setitem__(2000, 1),
        lambda: segment.pack(2000, "B", 1),
        lambda: segment.unpack(2000, "B"),
        lambda: bytes(segment),
    ]:
        with pytest.raises(shmkit.TruncatedError, match=segment.address):
            call()
    assert segment.read(0, 100) == bytes(100)
    segment.refresh()
    assert segment.size == 100
    with pytest.raises(shmkit.RangeError):
        segment.read(0, 101)


def test_growth_by_a_plain_program_is_seen_within_the_capacity(segment: shmkit.Segment) -> None:
    os.truncate(support.file_of(segment), 1 << 20)
    segment.refresh()
    assert segment.size == segment.capacity >= 1 << 16
    segment[segment.size - 1] = 1


def test_a_memfd_is_anonymous(name: str) -> None:
    with shmkit.create(f"memfd:{name}", 4096) as segment:
        assert (segment.kind, segment.address) == ("memfd", f"memfd:{name}")
        assert not os.path.exists(f"/dev/shm/{name}")
        with shmkit.open(f"file:/proc/{os.getpid()}/fd/{segment.fileno()}") as other:
            other[0] = 1
        assert segment[0] == 1


def test_a_descriptor_is_opened_and_stays_the_callers(segment: shmkit.Segment) -> None:
    with open(support.file_of(segment), "r+b") as file:
        with shmkit.open(f"fd:{file.fileno()}") as other:
            assert (other.kind, other.name) == ("fd", str(file.fileno()))
            other[0] = 8
        assert segment[0] == 8
        assert file.read(1) == b"\x08"


def test_seals_are_promises(name: str) -> None:
    with shmkit.create(f"memfd:{name}", 4096, seals=("shrink", "grow")) as segment:
        assert segment.seals == {"shrink", "grow"}
        with pytest.raises(PermissionError):
            os.ftruncate(segment.fileno(), 1)
        segment.seal("future_write")
        segment.seal(["seal"])
        assert segment.seals == {"shrink", "grow", "future_write", "seal"}
        with pytest.raises(PermissionError, match=segment.address):
            segment.seal("write")
        segment[0] = 1


def test_write_cannot_be_sealed_while_it_is_mapped_for_writing(name: str) -> None:
    with shmkit.create(f"memfd:{name}", 4096) as segment:
        with pytest.raises(shmkit.Error) as raised:
            segment.seal("write")
        assert raised.value.errno == errno.EBUSY
        with pytest.raises(ValueError, match="everything"):
            segment.seal("everything")


def test_a_memfd_sealed_from_birth_has_its_content(name: str) -> None:
    address = f"memfd:{name}"
    with shmkit.create(address, 5, seals="write", content=b"fixed") as segment:
        assert segment.readonly
        assert segment.read() == b"fixed"
        with pytest.raises(PermissionError):
            segment.write(0, b"x")


def test_a_grown_memfd_stays_where_it_is(name: str) -> None:
    with shmkit.create(f"memfd:{name}", 4096, capacity=1 << 20) as segment:
        view = segment.view("u8")
        segment.grow(1 << 20)
        view[0] = 3
        assert segment[0] == 3


def test_only_memfds_have_seals(segment: shmkit.Segment) -> None:
    for call in [lambda: segment.seals, lambda: segment.seal("shrink")]:
        with pytest.raises(shmkit.UnsupportedError, match=segment.address):
            call()


def test_a_segment_goes_through_a_socket(
    segment: shmkit.Segment, pair: tuple[socket.socket, socket.socket]
) -> None:
    segment.write(0, b"sent")
    segment.send(pair[0])
    with shmkit.receive(pair[1]) as other:
        assert other.kind == "fd"
        assert other.read(0, 4) == b"sent"
        other[0] = 65
    assert segment[0] == 65


def test_descriptors_of_sockets_will_do(
    segment: shmkit.Segment, pair: tuple[socket.socket, socket.socket]
) -> None:
    segment.send(pair[0].fileno(), readonly=True)
    with shmkit.receive(pair[1].fileno(), readonly=True) as other:
        assert other.readonly


def test_what_is_sent_for_reading_cannot_be_opened_for_writing(
    segment: shmkit.Segment, pair: tuple[socket.socket, socket.socket]
) -> None:
    segment.send(pair[0], readonly=True)
    with pytest.raises(PermissionError):
        shmkit.receive(pair[1])


def test_a_descriptor_from_any_program_is_received(
    segment: shmkit.Segment, pair: tuple[socket.socket, socket.socket]
) -> None:
    rights = array.array("i", [segment.fileno()])
    pair[0].sendmsg([b"?"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    with shmkit.receive(pair[1]) as other:
        assert other.size == 4096


def test_something_else_on_the_socket_is_corrupt(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[0].send(b"s")
    with pytest.raises(shmkit.CorruptError):
        shmkit.receive(pair[1])


def test_a_peer_that_is_gone_is_a_connection_error(
    segment: shmkit.Segment, pair: tuple[socket.socket, socket.socket]
) -> None:
    pair[0].close()
    with pytest.raises(ConnectionResetError) as receiving:
        shmkit.receive(pair[1])
    with pytest.raises(BrokenPipeError) as sending:
        segment.send(pair[1])
    for raised in (receiving, sending):
        assert isinstance(raised.value, shmkit.PeerGoneError)
        copy = pickle.loads(pickle.dumps(raised.value))
        assert type(copy) is type(raised.value)
    assert not isinstance(receiving.value, BrokenPipeError)
    assert not isinstance(sending.value, ConnectionResetError)


def test_a_socket_that_does_not_block_is_not_ready(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError, match="cannot receive a segment: ") as raised:
        shmkit.receive(pair[1])
    assert isinstance(raised.value, shmkit.WouldBlockError)


def test_the_timeout_of_a_socket_is_respected(
    segment: shmkit.Segment, pair: tuple[socket.socket, socket.socket]
) -> None:
    pair[1].settimeout(0.01)
    with pytest.raises(TimeoutError, match="cannot receive a segment: ") as raised:
        shmkit.receive(pair[1])
    assert isinstance(raised.value, shmkit.TimedOutError)
    pair[1].settimeout(60)
    sender = threading.Thread(target=segment.send, args=(pair[0],))
    sender.start()
    shmkit.receive(pair[1]).close()
    sender.join()
    pair[0].settimeout(60)
    segment.send(pair[0])


def test_a_socket_of_another_type_is_a_type_error(segment: shmkit.Segment) -> None:
    for other in [None, "3", 1.5, object()]:
        with pytest.raises(TypeError):
            segment.send(other)  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            shmkit.receive(other)  # type: ignore[arg-type]
    for number in [-1, -5]:
        with pytest.raises(ValueError, match="negative"):
            shmkit.receive(number)


def test_waiting_for_a_segment_goes_on_after_signals_and_ends_with_an_exception(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    came = []

    def handler(*_: object) -> None:
        came.append(1)
        if len(came) == 3:
            raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        with pytest.raises(KeyboardInterrupt):
            shmkit.receive(pair[1])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(came) >= 3
