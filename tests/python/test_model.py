# SPDX-License-Identifier: MIT
"""Random sequences of operations, with a bytearray as the model of what must come out."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import shmkit
import support

try:
    import hypothesis
    from hypothesis import strategies as st
except Exception:
    pytest.skip(support.NO_HYPOTHESIS, allow_module_level=True)

hypothesis.settings.register_profile(
    "shmkit", database=None, deadline=None, max_examples=200, derandomize=True
)
hypothesis.settings.load_profile("shmkit")

SIZE = 64
TYPES = {"i8": "b", "u16": "H", "i32": "i", "u64": "Q", "f64": "d", "bool": "?", "char": "c"}

offsets = st.integers(-2 * SIZE, 2 * SIZE) | st.integers(-(2**65), 2**65)
lengths = st.none() | st.integers(-2, 2 * SIZE) | st.integers(0, 2**65)
slices = st.slices(SIZE) | st.builds(
    slice, offsets, offsets, st.none() | st.integers(-3, 3).filter(bool)
)


@contextlib.contextmanager
def both(content: bytes) -> Iterator[tuple[shmkit.Segment, bytearray]]:
    address = f"memfd:{support.unique_name()}"
    with shmkit.create(address, SIZE, content=content) as segment:
        model = bytearray(SIZE)
        model[: len(content)] = content
        yield segment, model
        assert segment.views == 0
        assert segment.read() == model


contents = st.binary(min_size=1, max_size=SIZE)


@hypothesis.given(content=contents, offset=offsets, size=lengths)
def test_reading_is_slicing_or_an_error(content: bytes, offset: int, size: int | None) -> None:
    with both(content) as (segment, model):
        end = SIZE if size is None else offset + size
        if 0 <= offset <= end <= SIZE:
            assert segment.read(offset, size) == model[offset:end]
        else:
            with pytest.raises(ValueError, match=segment.address):
                segment.read(offset, size)


@hypothesis.given(content=contents, offset=offsets, data=st.binary(max_size=2 * SIZE))
def test_writing_is_slice_assignment_or_an_error(content: bytes, offset: int, data: bytes) -> None:
    with both(content) as (segment, model):
        if offset >= 0 and offset + len(data) <= SIZE:
            segment.write(offset, data)
            model[offset : offset + len(data)] = data
        else:
            with pytest.raises(shmkit.RangeError):
                segment.write(offset, data)


@hypothesis.given(content=contents, key=slices, data=st.binary(max_size=SIZE))
def test_slices_are_those_of_a_bytearray(content: bytes, key: slice, data: bytes) -> None:
    with both(content) as (segment, model):
        assert segment[key] == model[key]
        data = data[: len(model[key])]
        if len(data) == len(model[key]):
            segment[key] = data
            model[key] = data
        else:
            with pytest.raises(ValueError, match="slice"):
                segment[key] = data


@hypothesis.given(content=contents, index=offsets, byte=st.integers(0, 255))
def test_indices_are_those_of_a_bytearray(content: bytes, index: int, byte: int) -> None:
    with both(content) as (segment, model):
        if -SIZE <= index < SIZE:
            assert segment[index] == model[index]
            segment[index] = model[index] = byte
        else:
            with pytest.raises(IndexError):
                segment[index] = byte


@hypothesis.given(
    content=contents, type=st.sampled_from(list(TYPES)), offset=offsets, count=lengths
)
def test_views_are_cast_memoryviews_or_an_error(
    content: bytes, type: Any, offset: int, count: int | None
) -> None:
    size = struct.calcsize(TYPES[type])
    with both(content) as (segment, model):
        fits = (SIZE - offset) // size if count is None else count
        if offset >= 0 and fits >= 0 and offset + fits * size <= SIZE and offset % size == 0:
            with segment.view(type, offset, count) as view:
                expected = memoryview(bytes(model[offset : offset + fits * size]))
                assert bytes(view) == expected
                assert (len(view), view.itemsize, view.format) == (fits, size, TYPES[type])
        else:
            with pytest.raises(shmkit.Error):
                segment.view(type, offset, count)


@hypothesis.given(content=contents, offset=offsets, value=st.integers(-(2**63), 2**63 - 1))
def test_packing_is_struct_packing_or_an_error(content: bytes, offset: int, value: int) -> None:
    with both(content) as (segment, model):
        if 0 <= offset <= SIZE - 8:
            segment.pack(offset, ">q", value)
            struct.pack_into(">q", model, offset, value)
            assert segment.unpack(offset, ">q") == (value,)
        else:
            with pytest.raises(shmkit.RangeError):
                segment.pack(offset, ">q", value)


names = st.binary(min_size=1, max_size=60).filter(lambda name: not set(name) & {0, ord("/")})


@hypothesis.given(tail=names)
def test_every_name_round_trips(tail: bytes) -> None:
    name = support.unique_name().encode() + tail
    with shmkit.create(name, 1) as segment, shmkit.open(segment.address) as other:
        assert other.address == segment.address
        assert segment.name.encode(errors="surrogateescape") == name
        shmkit.unlink(name)
