# SPDX-License-Identifier: MIT
"""layout.h for Python: where things are in the segment of telemetry, and how rings are used."""

import fcntl
import os
import struct

MAGIC = b"shmtele\0"
VERSION = 1
HEADER = struct.Struct("8sIIQQIId16x")  # magic ... rate
HEADER_SIZE = 384
HISTORY, SUMMARY, NAMES = 64, 128, 192  # offsets in the header
RING = struct.Struct("QQII40x")
NAME_SIZE = 16
COLUMNS = "time cpu user system runnable switches forks memory cached swap received sent".split()
SUMMARY_HEAD = 4  # time of the newest sample, number of the first, how many, 0
STATISTICS = 4  # minimum, mean, maximum, standard deviation
SUMMARY_COLUMNS = SUMMARY_HEAD + len(COLUMNS) * STATISTICS


class Ring:
    """Rows of f64 that one process writes and any process reads, without copies."""

    def __init__(self, segment, at, columns):
        _, offset, self.rows, self.columns = segment.unpack(at, RING.format)
        if self.columns != columns:
            raise ValueError(f"{segment.address} has rows of {self.columns}, not {columns}")
        self.memory = segment.view("f64", offset, self.rows * columns)
        self._written = segment.view("u64", at, 1)
        self._at = at
        self._segment = segment

    @property
    def written(self):
        """Rows since the beginning: row number written - 1 is the newest."""
        return self._written[0]

    def whole(self, first):
        """Whether the rows from number `first` on are not being overwritten yet.

        To be asked after they were used: layout.h says why that is enough.
        """
        return first > self.written - self.rows

    def row(self, number):
        """The values of a row, in place."""
        start = number % self.rows * self.columns
        return self.memory[start : start + self.columns]

    def slots(self, first, count):
        """Where these rows lie: ranges of slots, two if they go around the end of the ring."""
        start = first % self.rows
        end = start + count
        if end <= self.rows:
            return [(start, end)]
        return [(start, self.rows), (0, end - self.rows)]

    def become_writer(self):
        """Lock the ring until the segment is closed or the process ends; False if somebody has."""
        # struct flock; the lock belongs to the open file, as in sampler.c.
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, self._at, RING.size, 0)
        try:
            fcntl.fcntl(self._segment.fileno(), fcntl.F_OFD_SETLK, lock)
        except BlockingIOError:
            return False
        return True

    def append(self, values):
        """Write the next row. For its one writer."""
        number = self.written
        row = self.row(number)
        for index, value in enumerate(values):
            row[index] = value
        self._written[0] = number + 1


class Telemetry:
    """The segment: two rings and what is known about the machine."""

    def __init__(self, segment):
        header = segment.unpack(0, HEADER.format)
        magic, version, size, self.memory_total, self.boot_time, self.cpus, statistics, _ = header
        names = segment.unpack(NAMES, f"{NAME_SIZE}s" * len(COLUMNS))
        if (
            (magic, version, size) != (MAGIC, VERSION, HEADER_SIZE)
            or statistics != STATISTICS
            or [name.rstrip(b"\0").decode() for name in names] != COLUMNS
        ):
            raise ValueError(f"{segment.address} is not telemetry of version {VERSION}")
        self.segment = segment
        self.history = Ring(segment, HISTORY, len(COLUMNS))
        self.summary = Ring(segment, SUMMARY, SUMMARY_COLUMNS)

    @property
    def rate(self):
        """Samples per second."""
        return self.segment.unpack(0, HEADER.format)[-1]
