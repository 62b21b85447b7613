# SPDX-License-Identifier: MIT
"""Exceptions: each is an Error, which is an OSError, and what Python programs catch already.

`errno` and `strerror` say what is wrong, `filename` which address it is about (None when no address
is involved), `symbol` names it as in C. Wrong types raise TypeError, as everywhere in Python.
"""

from __future__ import annotations

import errno
import io
import os

from . import native


def error_name(number: int) -> str:
    """What <shmkit/error.h> or <errno.h> calls an errno: "SHMKIT_ERR_RANGE", "ENOENT"."""
    return native.error_name(number)


class Error(OSError):
    """Something failed that has to do with shared memory.

    What has no class of its own is this one, by errno: ELOOP for a symbolic link in place of a
    segment, ESTALE when other code closed a segment's descriptor and it could not be found again,
    EMFILE and others.
    """

    def __str__(self) -> str:
        # The message names the address already; OSError would repeat it.
        return self.strerror or super().__str__()

    @property
    def symbol(self) -> str:
        """What <shmkit/error.h> or <errno.h> calls it: "SHMKIT_ERR_RANGE", "ENOENT"."""
        return error_name(self.errno or 0)


class ClosedError(Error, ValueError):
    """The segment is closed or was never opened, or a descriptor is not open."""


class RangeError(Error, IndexError, ValueError):
    """An offset, a length or a count reaches outside the segment."""


class InvalidError(Error, ValueError):
    """An address, a size or an option that cannot be."""


class TruncatedError(Error):
    """The memory is shorter than it was, or never had a size: another process's doing."""


class UnsupportedError(Error, io.UnsupportedOperation):
    """This kind of segment, file system or kernel cannot do it."""


class IncompatibleError(Error):
    """What exists under the address is not what was asked for: too small, or no segment at all."""


class CorruptError(Error):
    """What another process wrote or sent makes no sense."""


class NotFoundError(Error, FileNotFoundError):
    """There is no segment under that address."""


class ExistsError(Error, FileExistsError):
    """There is a segment under that address already."""


class DeniedError(Error, PermissionError):
    """Not allowed: permissions, a foreign owner, a seal, or writing to a read-only segment."""


class NoSpaceError(Error):
    """No room on the file system, or a limit on sizes; the message names the limit."""


class NoMemoryError(Error, MemoryError):
    """No memory, address space, or room in the memory cgroup; the message names the limit."""


class BusyError(Error):
    """It is in use, or nobody can tell that it is not; the message says by whom."""


class DeadlockError(Error, RuntimeError):
    """This thread holds the mutex already, and would wait for itself."""


class NotHeldError(Error, RuntimeError):
    """This thread does not hold the mutex that it releases."""


class WouldBlockError(Error, BlockingIOError):
    """A socket that does not block is not ready."""


class TimedOutError(Error, TimeoutError):
    """A socket was not ready in time."""


class SignalError(Error, InterruptedError):
    """A signal came. Calls go on after a signal by themselves, so this is rare."""


class PeerGoneError(Error, ConnectionError):
    """The other end of a socket is gone. Also a BrokenPipeError or a ConnectionResetError."""


class PeerPipeError(PeerGoneError, BrokenPipeError):
    """The PeerGoneError that is a BrokenPipeError: EPIPE."""


class PeerResetError(PeerGoneError, ConnectionResetError):
    """The PeerGoneError that is a ConnectionResetError: ECONNRESET."""


_BY_ERRNO: dict[int, type[Error]] = {
    errno.EBADF: ClosedError,
    errno.ERANGE: RangeError,
    errno.EINVAL: InvalidError,
    errno.ENAMETOOLONG: InvalidError,
    errno.ENODATA: TruncatedError,
    errno.EOPNOTSUPP: UnsupportedError,
    errno.EPROTO: IncompatibleError,
    errno.EBADMSG: CorruptError,
    errno.ENOENT: NotFoundError,
    errno.EEXIST: ExistsError,
    errno.EACCES: DeniedError,
    errno.EPERM: DeniedError,
    errno.ENOSPC: NoSpaceError,
    errno.EDQUOT: NoSpaceError,
    errno.EFBIG: NoSpaceError,
    errno.ENOMEM: NoMemoryError,
    errno.EBUSY: BusyError,
    errno.EDEADLK: DeadlockError,
    errno.EAGAIN: WouldBlockError,
    errno.ETIMEDOUT: TimedOutError,
    errno.EINTR: SignalError,
    errno.EPIPE: PeerPipeError,
    errno.ECONNRESET: PeerResetError,
}


def make_error(number: int, message: str, filename: str | bytes | None) -> Error:
    """The exception for an errno value. C calls this for everything that it raises."""
    kind = _BY_ERRNO.get(number, Error)
    return kind(number, message, None if filename is None else os.fsdecode(filename))


def make_not_held(number: int, message: str, filename: str | bytes | None) -> Error:
    """The same for a mutex that this thread does not hold: EPERM, as what is not permitted."""
    return NotHeldError(number, message, None if filename is None else os.fsdecode(filename))
