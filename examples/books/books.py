#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""books: several programs keep the same books, and one of them is killed while it writes.

books.py work NAME TIMES    move money from one account to the other so many times
books.py crash NAME         be killed in the middle of a transfer
books.py wait NAME          wait until somebody has done his work

books.c and books.lua do the same: mix them, and run several at once.
"""

import os
import signal
import sys

import shmkit

# struct books of books.h.
SIZE, MUTEX, EVENT, ACCOUNTS, REPAIRS = 152, 0, 64, 128, 144


class Books:
    """The segment, and what there is in it. Whoever comes first creates it."""

    def __init__(self, name):
        segment = shmkit.open_or_create(name, SIZE)
        self.mutex = segment.mutex(MUTEX)
        self.event = segment.event(EVENT)
        self.accounts = segment.view("i64", ACCOUNTS, 2)
        self.repairs = segment.view("u64", REPAIRS, 1)

    def __enter__(self):
        """Lock, and put right what somebody who was killed has left half-done: that is the first
        thing to do for who is told, because nobody will be told again."""
        self.mutex.acquire()
        if self.mutex.owner_died:
            self.accounts[1] = -self.accounts[0]
            self.repairs[0] += 1
            print("Python put right what somebody who was killed had left")

    def __exit__(self, *_):
        self.mutex.release()


def work(books, times):
    for i in range(int(times)):
        with books:
            books.accounts[0] += i % 7
            books.accounts[1] -= i % 7
    print("Python did its work")
    books.event.set()


def crash(books):
    with books:
        books.accounts[0] += 1000
        os.kill(os.getpid(), signal.SIGKILL)


def wait(books):
    books.event.wait()
    with books:
        balanced = sum(books.accounts) == 0
        books_are = "balanced books" if balanced else "WRONG BOOKS"
        print(f"Python sees {books_are}, {books.repairs[0]} repaired")


def main(arguments):
    commands = {("work", 3): work, ("crash", 2): crash, ("wait", 2): wait}
    command = commands.get((arguments[0] if arguments else "", len(arguments)))
    if command is None:
        sys.exit(__doc__)
    try:
        command(Books(arguments[1]), *arguments[2:])
    except shmkit.Error as error:
        sys.exit(f"books.py: {error}")


main(sys.argv[1:])
