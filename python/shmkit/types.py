# SPDX-License-Identifier: MIT
"""Types of elements, and types of arguments for annotations."""

import collections.abc
import os
from typing import Literal, Union

from . import native

Address = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Kind = Literal["posix", "sysv", "memfd", "fd", "file"]
Lifetime = Literal["persistent", "creator", "last"]
TypeName = Literal[
    "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "bool", "char"
]
AtomicName = Literal["i32", "u32", "i64", "u64"]

# Of listings.
InfoKind = Literal["posix", "sysv", "memfd", "semaphore", "anonymous", "hugetlb", "file"]
Kinds = Union[InfoKind, Literal["all"], collections.abc.Iterable[Union[InfoKind, Literal["all"]]]]
State = Literal["unknown", "dest", "unlinked", "used", "leaked", "locked", "idle"]
CreatorState = Literal["alive", "exited"]
Holding = Literal["held", "not held"]
ObjectKind = Literal["mutex", "event"]
ObjectState = Literal["unknown", "unlocked", "locked", "owner died", "not set", "set"]
Removal = Literal["removed", "kept", "failed"]

# Of limits.
Unit = Literal["bytes", "inodes", "segments", "files", "mappings"]
Scope = Literal["machine", "file system", "ipc namespace", "control group", "process"]


def type_size(type: TypeName) -> int:
    """Bytes of one element, which is also what its offset must be a multiple of."""
    return native.type_size(type)
