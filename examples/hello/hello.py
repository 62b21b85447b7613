#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hello: one program leaves a greeting in shared memory, others find it there.

hello.py write NAME TEXT    create the segment
hello.py read NAME          show what is in it, and sign
hello.py remove NAME        show who signed, and remove it

hello.c and hello.lua do the same: mix them. plain.c does it without shmkit.
"""

import struct
import sys

import shmkit

# struct hello of hello.h: a number, a text, the reader's language; both end with a NUL.
HELLO = struct.Struct("d48s8s")
READER = 56


def text_of(field):
    """The text in a field of characters."""
    return field.partition(b"\0")[0].decode(errors="replace")


def write(name, text):
    content = HELLO.pack(3.14159, text.encode()[:47], b"")
    # Given as content, it is there before the name is: nobody can find an unfinished segment. The
    # memory and its name stay after this process, until somebody removes them.
    with shmkit.create(name, HELLO.size, content=content) as segment:
        number, field, _ = segment.unpack(0, HELLO.format)
        print(f'Python wrote "{text_of(field)}" and {number:g} to {segment.address}')


def read(name):
    with shmkit.open(name) as segment:
        number, field, _ = segment.unpack(0, HELLO.format)
        print(f'Python read "{text_of(field)}" and {number:g}')
        segment.write(READER, b"Python\0")


def remove(name):
    with shmkit.open(name) as segment:
        reader = text_of(segment[READER : HELLO.size])
        print(f"Python removed it, last read by {reader}")
        segment.unlink()


def main(arguments):
    commands = {("write", 3): write, ("read", 2): read, ("remove", 2): remove}
    command = commands.get((arguments[0] if arguments else "", len(arguments)))
    if command is None:
        sys.exit(__doc__)
    try:
        command(*arguments[1:])
    except shmkit.Error as error:
        sys.exit(f"hello.py: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
