# SPDX-License-Identifier: MIT
"""Access by copy: read, write, indices, slices, pack and unpack."""

from __future__ import annotations

import array
import struct
import sys
from typing import Any

import pytest
import shmkit


def test_what_is_written_is_read(segment: shmkit.Segment) -> None:
    segment.write(100, b"hello")
    assert segment.read(100, 5) == b"hello"
    assert segment.read(offset=100, size=5) == b"hello"
    assert segment.read(size=3) == bytes(3)
    assert segment.read(4094) == bytes(2)
    assert segment.read(4096) == b""
    assert segment.read() == bytes(segment) == bytes(memoryview(segment))


@pytest.mark.parametrize(
    "data",
    [
        b"12345678",
        bytearray(b"12345678"),
        memoryview(b"12345678"),
        memoryview(b"12345678").cast("q"),
        array.array("d", [1.5]),
    ],
)
def test_any_contiguous_buffer_is_written(segment: shmkit.Segment, data: Any) -> None:
    segment.write(8, data)
    assert segment.read(8, 8) == bytes(data)
    segment[16:24] = data
    assert segment[16:24] == bytes(data)


def test_a_segment_is_written_into_a_segment(segment: shmkit.Segment) -> None:
    segment.write(0, b"move")
    segment.write(100, memoryview(segment)[0:4])
    assert segment.read(100, 4) == b"move"


def test_large_copies_are_whole(name: str) -> None:
    data = bytes(range(256)) * 4096
    with shmkit.create(name, len(data)) as segment:
        segment.write(0, data)
        assert segment.read() == data
        segment.unlink()


def test_indices_count_from_both_ends(segment: shmkit.Segment) -> None:
    segment[0], segment[-1] = 1, 255
    assert (segment[0], segment[4095], segment[-4096]) == (1, 255, 1)
    assert segment[True] == 0


def test_a_segment_is_a_sequence_of_bytes(segment: shmkit.Segment) -> None:
    segment[0:3] = b"abc"
    assert list(segment)[:4] == [97, 98, 99, 0]
    assert 98 in segment


@pytest.mark.parametrize(
    "key",
    [
        slice(None),
        slice(0, 5),
        slice(5, 0),
        slice(-6, None),
        slice(None, None, 2),
        slice(None, None, -1),
        slice(4000, -4090, -7),
        slice(10, 10**30),
        slice(5000, 6000),
    ],
)
def test_slices_are_those_of_a_bytearray(segment: shmkit.Segment, key: slice) -> None:
    model = bytearray(bytes(range(256)) * 16)
    segment[:] = model
    assert segment[key] == model[key]
    new = bytes(len(model[key]))
    segment[key] = new
    model[key] = new
    assert segment[:] == model


def test_a_slice_never_changes_its_length(segment: shmkit.Segment) -> None:
    for data in [b"", b"1234", b"123456"]:
        with pytest.raises(ValueError, match="to a slice of 5") as raised:
            segment[0:5] = data
        assert raised.value.filename == segment.address  # type: ignore[attr-defined]
    assert segment[0:6] == bytes(6)


@pytest.mark.parametrize("index", [4096, -4097, 2**31, -(2**63), 2**64, -(2**64), 10**30])
def test_an_index_outside_is_an_index_error(segment: shmkit.Segment, index: int) -> None:
    with pytest.raises(IndexError, match=segment.address):
        segment[index]
    with pytest.raises(IndexError, match=segment.address):
        segment[index] = 1


@pytest.mark.parametrize("byte", [-1, 256, 10**30])
def test_a_byte_is_from_0_to_255(segment: shmkit.Segment, byte: int) -> None:
    with pytest.raises(ValueError, match="range"):
        segment[0] = byte


@pytest.mark.parametrize("key", ["0", 0.0, None, (0, 1)])
def test_other_keys_are_type_errors(segment: shmkit.Segment, key: Any) -> None:
    with pytest.raises(TypeError, match="indices must be integers or slices"):
        segment[key]
    with pytest.raises(TypeError, match="indices must be integers or slices"):
        segment[key] = 1


@pytest.mark.parametrize("value", ["text", 1.0, None, [1, 2]])
def test_other_values_are_type_errors(segment: shmkit.Segment, value: Any) -> None:
    with pytest.raises(TypeError):
        segment[0] = value
    with pytest.raises(TypeError):
        segment[0:2] = value
    with pytest.raises(TypeError):
        segment.write(0, value)


def test_a_buffer_with_gaps_is_refused(segment: shmkit.Segment) -> None:
    with pytest.raises(BufferError):
        segment.write(0, memoryview(b"12345678")[::2])


def test_bytes_cannot_be_deleted(segment: shmkit.Segment) -> None:
    with pytest.raises(TypeError, match="deleted"):
        del segment[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "arguments", [(4097,), (0, 4097), (4096, 1), (2**63,), (2**64 - 1, 2), (1, 2**64 - 1)]
)
def test_reading_outside_is_a_range_error(
    segment: shmkit.Segment, arguments: tuple[int, ...]
) -> None:
    with pytest.raises(shmkit.RangeError, match=segment.address) as raised:
        segment.read(*arguments)
    assert isinstance(raised.value, IndexError)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize("offset", [4096, 4090, 2**64 - 1])
def test_writing_outside_is_a_range_error_and_writes_nothing(
    segment: shmkit.Segment, offset: int
) -> None:
    with pytest.raises(shmkit.RangeError, match=segment.address):
        segment.write(offset, b"1234567")
    assert segment.read() == bytes(4096)
    assert segment.size == 4096


@pytest.mark.parametrize("offset", [-1, -(2**63), 2**64, 10**30])
def test_offsets_that_cannot_be_are_range_errors(segment: shmkit.Segment, offset: int) -> None:
    calls = [
        lambda: segment.read(offset),
        lambda: segment.write(offset, b"x"),
        lambda: segment.view("u8", offset),
        lambda: segment.pack(offset, "B", 1),
        lambda: segment.unpack(offset, "B"),
    ]
    for call in calls:
        with pytest.raises(shmkit.RangeError, match=f"{segment.address}: offset") as raised:
            call()
        assert raised.value.filename == segment.address


@pytest.mark.parametrize("offset", ["0", 0.0, None, b"0"])
def test_offsets_of_other_types_are_type_errors(segment: shmkit.Segment, offset: Any) -> None:
    for call in [segment.read, lambda o: segment.write(o, b""), lambda o: segment.view("u8", o)]:
        with pytest.raises(TypeError, match="offset must be an integer"):
            call(offset)


def test_values_are_packed_in_place(segment: shmkit.Segment) -> None:
    segment.pack(16, "<i4xd", 7, 1.5)
    assert segment.unpack(16, "<i4xd") == (7, 1.5)
    assert segment.read(16, 16) == struct.pack("<i4xd", 7, 1.5)
    segment.pack(4092, "<I", 1)
    segment.pack(0, "")
    assert segment.views == 0


def test_packing_outside_is_a_range_error(segment: shmkit.Segment) -> None:
    for offset in [4093, 4096, 2**40]:
        with pytest.raises(shmkit.RangeError, match=segment.address):
            segment.pack(offset, "<I", 1)
        with pytest.raises(shmkit.RangeError, match=segment.address):
            segment.unpack(offset, "<I")
    # Not for want of memory.
    with pytest.raises(shmkit.RangeError, match=segment.address):
        segment.pack(0, f"{sys.maxsize}x")
    with pytest.raises(shmkit.RangeError, match=segment.address):
        segment.unpack(0, f"{sys.maxsize}x")


def test_values_that_do_not_fit_their_format_are_struct_errors(segment: shmkit.Segment) -> None:
    for arguments in [("<I",), ("<I", 1, 2), ("<I", -1), ("no", 1)]:
        with pytest.raises(struct.error):
            segment.pack(0, *arguments)
    assert segment.views == 0


def test_a_read_only_segment_cannot_be_written(segment: shmkit.Segment) -> None:
    with shmkit.open(segment.address, readonly=True, capacity=1 << 16) as reader:
        calls = [
            lambda: reader.write(0, b"x"),
            lambda: reader.write(0, b""),
            lambda: reader.__setitem__(0, 1),
            lambda: reader.__setitem__(slice(0, 1), b"x"),
            lambda: reader.pack(0, "B", 1),
            lambda: reader.grow(8192),
        ]
        for call in calls:
            with pytest.raises(PermissionError, match=segment.address) as raised:
                call()
            assert isinstance(raised.value, shmkit.Error)
        assert reader.views == 0
