# SPDX-License-Identifier: MIT
"""Descriptors over sockets, and seals, between languages."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator

import pytest
from peers import LANGUAGES, Failed, Peer

pairs = [(first, second) for first in LANGUAGES for second in LANGUAGES]
every_pair = pytest.mark.parametrize(("sender", "receiver"), pairs)
SEAL_SHRINK, SEAL_GROW = 2, 4


@pytest.fixture
def sockets() -> Iterator[tuple[int, int]]:
    here, there = socket.socketpair()
    with here, there:
        yield here.fileno(), there.fileno()


@every_pair
def test_the_receiver_grows_what_the_sender_has(
    sender: str, receiver: str, start: Callable[..., Peer], sockets: tuple[int, int]
) -> None:
    first, second = start(sender, sockets[0]), start(receiver, sockets[1])
    first.create(1, "memfd:sent", 4096, capacity=1 << 16)
    first.send(1)
    assert second.receive(1, capacity=1 << 16).kind == "fd"
    second.grow(1, 1 << 16)
    second.write(1, (1 << 16) - 5, b"hello")
    first.refresh(1)
    assert first.read(1, (1 << 16) - 5, 5) == b"hello"
    assert second.creator(1) == first.pid


@every_pair
def test_memory_outlives_its_sender(
    sender: str, receiver: str, start: Callable[..., Peer], sockets: tuple[int, int]
) -> None:
    first, second = start(sender, sockets[0]), start(receiver, sockets[1])
    first.create(1, "memfd:sent", 4096, content=b"hello")
    first.send(1)
    first.kill()
    second.receive(1)
    assert second.read(1, 0, 5) == b"hello"


@every_pair
def test_what_was_sent_for_reading_can_only_be_read(
    sender: str, receiver: str, start: Callable[..., Peer], sockets: tuple[int, int]
) -> None:
    first, second = start(sender, sockets[0]), start(receiver, sockets[1])
    first.create(1, "memfd:sent", 4096, content=b"hello")
    first.send(1, readonly=True)
    with pytest.raises(Failed) as failed:
        second.receive(1)
    assert failed.value.errno == errno.EACCES
    first.send(1, readonly=True)
    assert second.receive(1, readonly=True).readonly
    assert second.read(1, 0, 5) == b"hello"
    with pytest.raises(Failed) as failed:
        second.write(1, 0, b"x")
    assert failed.value.errno == errno.EACCES


@every_pair
def test_seals_bind_everybody(
    sender: str, receiver: str, start: Callable[..., Peer], sockets: tuple[int, int]
) -> None:
    first, second = start(sender, sockets[0]), start(receiver, sockets[1])
    first.create(1, "memfd:sealed", 4096, capacity=8192, seals="shrink,grow")
    first.send(1)
    second.receive(1, capacity=8192)
    path = f"/proc/{first.pid}/fd/{first.fileno(1)}"
    with pytest.raises(PermissionError):
        os.truncate(path, 0)
    for peer in (first, second):
        with pytest.raises(Failed) as failed:
            peer.grow(1, 8192)
        assert failed.value.errno == errno.EPERM
    assert first.seals(1) & (SEAL_SHRINK | SEAL_GROW) == SEAL_SHRINK | SEAL_GROW


@pytest.mark.parametrize("receiver", LANGUAGES)
def test_nobody_at_the_other_end(
    receiver: str, start: Callable[..., Peer], sockets: tuple[int, int]
) -> None:
    peer = start(receiver, sockets[1])
    with socket.socket(fileno=os.dup(sockets[0])) as other:
        other.shutdown(socket.SHUT_RDWR)
    with pytest.raises(Failed) as failed:
        peer.receive(1)
    assert failed.value.errno == errno.ECONNRESET
    peer.create(1, "memfd:unsent", 64)
    with pytest.raises(Failed) as failed:
        peer.send(1)
    assert failed.value.errno == errno.EPIPE


@pytest.mark.parametrize("receiver", LANGUAGES)
def test_bytes_without_a_descriptor_are_not_a_segment(
    receiver: str, start: Callable[..., Peer], sockets: tuple[int, int]
) -> None:
    peer = start(receiver, sockets[1])
    os.write(sockets[0], b"s")
    with pytest.raises(Failed) as failed:
        peer.receive(1)
    assert failed.value.errno == errno.EBADMSG
