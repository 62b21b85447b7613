# SPDX-License-Identifier: MIT
"""Waiting for sockets as their timeout says."""

from __future__ import annotations

import collections.abc
import errno
import select
import time
import typing

from .errors import TimedOutError, WouldBlockError

if typing.TYPE_CHECKING:
    import _typeshed as _t

_T = typing.TypeVar("_T")


def _when_ready(
    socket: _t.FileDescriptorLike,
    event: int,
    what: str,
    call: collections.abc.Callable[[], _T],
) -> _T:
    """The call's result, waiting for the socket where C would not. `what` it does, for the message.

    A socket object with a timeout has a descriptor that does not block; waiting is Python's part.
    """
    get_timeout = getattr(socket, "gettimeout", None)
    timeout: float | None = get_timeout() if get_timeout else None
    if not timeout:
        try:
            return call()
        except BlockingIOError as error:
            raise WouldBlockError(errno.EAGAIN, f"cannot {what}: {error}") from None
    deadline = time.monotonic() + timeout
    ready = select.poll()
    ready.register(socket, event)
    while True:
        try:
            return call()
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0 or not ready.poll(left * 1000):
                message = f"cannot {what}: the socket was not ready in {timeout} s"
                raise TimedOutError(errno.ETIMEDOUT, message) from None


def when_readable(
    socket: _t.FileDescriptorLike, what: str, call: collections.abc.Callable[[], _T]
) -> _T:
    return _when_ready(socket, select.POLLIN, what, call)


def when_writable(
    socket: _t.FileDescriptorLike, what: str, call: collections.abc.Callable[[], _T]
) -> _T:
    return _when_ready(socket, select.POLLOUT, what, call)
