# SPDX-License-Identifier: MIT
"""Shared memory on Unix: the same bytes in C, Python and Lua.

    import shmkit

    with shmkit.create("frames", 1 << 20) as segment:
        segment[0:5] = b"hello"
        segment.view("f64", offset=64, count=8)[0] = 1.5

An address is text. `frames` and `posix:/frames` are POSIX shared memory, `sysv:0x5eed` and
`sysv:id=42` System V segments, `memfd:frames` creates an anonymous one, `fd:7` opens a descriptor,
`file:/dev/hugepages/frames` any file that can be mapped. str and bytes name the same segment as
os.fsencode has it, so every name round-trips; an os.PathLike is a file.

Sizes and offsets are in bytes, offsets count from 0. Any thread may call anything at any time.
Errors are shmkit.Error and, at the same time, what Python programs catch already: see
shmkit.errors.
"""

from .errors import (
    ClosedError,
    CorruptError,
    DeniedError,
    Error,
    ExistsError,
    IncompatibleError,
    InvalidError,
    NoMemoryError,
    NoSpaceError,
    NotFoundError,
    PeerGoneError,
    RangeError,
    SignalError,
    TimedOutError,
    TruncatedError,
    UnsupportedError,
    WouldBlockError,
    error_name,
)
from .factories import create, open, open_or_create, receive, unlink
from .native import version as _version
from .segment import Creator, Segment
from .types import Address, Kind, Lifetime, TypeName, type_size

__version__ = _version()

__all__ = [
    "Address",
    "ClosedError",
    "CorruptError",
    "Creator",
    "DeniedError",
    "Error",
    "ExistsError",
    "IncompatibleError",
    "InvalidError",
    "Kind",
    "Lifetime",
    "NoMemoryError",
    "NoSpaceError",
    "NotFoundError",
    "PeerGoneError",
    "RangeError",
    "Segment",
    "SignalError",
    "TimedOutError",
    "TruncatedError",
    "TypeName",
    "UnsupportedError",
    "WouldBlockError",
    "__version__",
    "create",
    "error_name",
    "open",
    "open_or_create",
    "receive",
    "type_size",
    "unlink",
]

# Where users import them from, for tracebacks, help() and pickles.
for _name in __all__:
    if isinstance(globals()[_name], type):
        globals()[_name].__module__ = __name__
del _name
