# SPDX-License-Identifier: MIT
"""Types of arguments, for annotations."""

import os
from typing import Literal, Union

Address = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Kind = Literal["posix", "sysv", "memfd", "fd", "file"]
Lifetime = Literal["persistent", "creator", "last"]
TypeName = Literal[
    "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64", "bool", "char"
]
