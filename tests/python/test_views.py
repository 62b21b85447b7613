# SPDX-License-Identifier: MIT
"""Views: the memory itself, as long as somebody looks at it."""

from __future__ import annotations

import gc
import struct
from typing import Any

import pytest
import shmkit
import support

TYPES = {
    "i8": ("b", 1, -128),
    "i16": ("h", 2, -(2**15)),
    "i32": ("i", 4, -(2**31)),
    "i64": ("q", 8, -(2**63)),
    "u8": ("B", 1, 2**8 - 1),
    "u16": ("H", 2, 2**16 - 1),
    "u32": ("I", 4, 2**32 - 1),
    "u64": ("Q", 8, 2**64 - 1),
    "f32": ("f", 4, 0.5),
    "f64": ("d", 8, -1e300),
    "bool": ("?", 1, True),
    "char": ("c", 1, b"\xff"),
}


def test_a_segment_is_a_buffer(segment: shmkit.Segment) -> None:
    view = memoryview(segment)
    assert (view.format, view.itemsize, view.nbytes, view.readonly) == ("B", 1, 4096, False)
    assert view.obj is segment
    assert segment.views == 1
    view[0:5] = b"hello"
    assert segment.read(0, 5) == b"hello"
    view.release()
    assert segment.views == 0


@pytest.mark.parametrize("type", TYPES)
def test_every_type_has_its_view(segment: shmkit.Segment, type: Any) -> None:
    format, size, extreme = TYPES[type]
    view = segment.view(type, offset=64, count=8)
    assert (view.format, view.itemsize, view.shape) == (format, size, (8,))
    view[7] = extreme
    assert view[7] == extreme
    assert segment.read(64 + 7 * size, size) == struct.pack(format, extreme)


def test_without_a_count_a_view_takes_what_fits(segment: shmkit.Segment) -> None:
    assert len(segment.view("f64")) == 512
    assert len(segment.view("f64", 4088)) == 1
    assert len(segment.view("f64", 4096)) == 0


def test_a_view_of_nothing_is_possible(segment: shmkit.Segment) -> None:
    for type, (format, _, _) in TYPES.items():
        view = segment.view(type, 0, 0)  # type: ignore[arg-type]
        assert (view.format, len(view), view.tolist()) == (format, 0, [])


def test_a_view_without_a_count_leaves_an_odd_rest(name: str) -> None:
    with shmkit.create(name, 15) as segment:
        assert len(segment.view("u64")) == 1
        segment.unlink()


def test_views_can_be_cut_and_cast(segment: shmkit.Segment) -> None:
    view = segment.view("u32", 0, 4)
    part = view[1:3]
    view.release()
    part[0] = 0x01020304
    assert part.cast("B")[0] in (1, 4)
    assert segment.views == 1
    del part
    assert segment.views == 0


@pytest.mark.parametrize("offset", [1, 2, 4, 7, 4095])
def test_misaligned_views_are_refused(segment: shmkit.Segment, offset: int) -> None:
    with pytest.raises(ValueError, match=segment.address) as raised:
        segment.view("f64", offset)
    assert isinstance(raised.value, shmkit.Error)


@pytest.mark.parametrize(
    "arguments", [(0, 513), (4096, 1), (8, 512), (8192,), (0, 2**61), (0, 2**64 - 2), (2**63,)]
)
def test_views_outside_are_range_errors(
    segment: shmkit.Segment, arguments: tuple[int, ...]
) -> None:
    with pytest.raises(shmkit.RangeError, match=segment.address):
        segment.view("f64", *arguments)


@pytest.mark.parametrize("count", [-1, 2**64 - 1, 2**64, -(10**30)])
def test_counts_that_cannot_be_are_errors(segment: shmkit.Segment, count: int) -> None:
    with pytest.raises(ValueError, match="count must be from 0"):
        segment.view("f64", 0, count)


@pytest.mark.parametrize("type", ["", "f16", "double", "F64", "i8 ", "é"])
def test_an_unknown_type_is_an_error_that_lists_them(segment: shmkit.Segment, type: Any) -> None:
    with pytest.raises(ValueError, match="f32 f64 bool char"):
        segment.view(type)


@pytest.mark.parametrize("type", [None, 3, object(), ["f64"]])
def test_a_type_that_is_no_text_is_a_type_error(segment: shmkit.Segment, type: Any) -> None:
    with pytest.raises(TypeError, match="type must be one of 'i8'"):
        segment.view(type)


def test_views_of_read_only_segments_are_read_only(segment: shmkit.Segment) -> None:
    with shmkit.open(segment.address, readonly=True) as reader:
        view = reader.view("u8")
        assert view.readonly
        with pytest.raises(TypeError):
            view[0] = 1
        with pytest.raises(TypeError, match="read-write"):
            struct.pack_into("B", reader, 0, 1)


def test_close_leaves_the_memory_to_its_views(segment: shmkit.Segment) -> None:
    view, whole = segment.view("f64", 8, 2), memoryview(segment)
    file = support.identity(segment)
    view[1] = 2.5
    segment.close()
    assert segment.closed
    assert (view[1], segment.views) == (2.5, 2)
    whole[0] = 1
    assert support.is_mapped(file)
    view.release()
    assert support.is_mapped(file)
    whole.release()
    assert segment.views == 0
    assert not support.is_mapped(file)


def test_views_outlive_the_object(name: str) -> None:
    segment = shmkit.create(name, 4096)
    segment.unlink()
    file = support.identity(segment)
    view = segment.view("u8")
    del segment
    view[0] = 1
    assert view[0] == 1
    del view
    assert not support.is_mapped(file)


def test_strict_close_refuses_while_there_are_views(segment: shmkit.Segment) -> None:
    view = segment.view("u8")
    with pytest.raises(BufferError, match=f"{segment.address}.*1 views"):
        segment.close(strict=True)
    assert not segment.closed
    view.release()
    segment.close(strict=True)
    assert segment.closed


def test_a_closed_segment_gives_no_new_views(segment: shmkit.Segment) -> None:
    view = segment.view("u8")
    exporter = view.obj
    segment.close()
    for call in [lambda: memoryview(segment), lambda: segment.view("u8")]:
        with pytest.raises(ValueError, match=segment.address):
            call()
    # Not through the object behind the view either.
    with pytest.raises(ValueError, match=segment.address):
        memoryview(exporter)
    assert view[0] == 0


def test_the_exporter_behind_a_view_gives_the_same_elements(segment: shmkit.Segment) -> None:
    view = segment.view("u16", 2, 3)
    again = memoryview(view.obj)
    again[2] = 77
    assert (view[2], again.format, again.shape) == (77, "H", (3,))
    with pytest.raises(TypeError, match="cannot create"):
        type(view.obj)()


def test_a_segment_is_written_to_a_file(segment: shmkit.Segment, tmp_path: Any) -> None:
    segment.write(0, b"out")
    with open(tmp_path / "out", "w+b") as file:
        assert file.write(segment) == 4096
        file.seek(0)
        segment.write(0, bytes(3))
        assert file.readinto(segment) == 4096  # type: ignore[arg-type]
    assert segment.read(0, 3) == b"out"


@support.needs_numpy
def test_an_array_is_the_memory_itself(segment: shmkit.Segment) -> None:
    import numpy

    array = segment.array("f64", (2, 3, 4), offset=64)
    assert (array.shape, array.dtype) == ((2, 3, 4), numpy.float64)
    array[1, 2, 3] = 9.5
    assert segment.view("f64", 64)[23] == 9.5
    assert segment.views == 1
    del array
    gc.collect()
    assert segment.views == 0


@support.needs_numpy
@pytest.mark.parametrize("type", TYPES)
def test_arrays_have_the_type_of_their_elements(segment: shmkit.Segment, type: Any) -> None:
    import numpy

    assert segment.array(type, 4).dtype == numpy.dtype(TYPES[type][0])


@support.needs_numpy
def test_numpy_takes_a_segment_as_it_is(segment: shmkit.Segment) -> None:
    import numpy

    array = numpy.asarray(segment)
    assert (array.dtype, array.shape) == (numpy.uint8, (4096,))
    array[:] = 3
    assert segment[4095] == 3
    assert numpy.frombuffer(segment, "u4", 1)[0] == 0x03030303


@support.needs_numpy
def test_closing_while_an_array_lives_leaves_it_alone(segment: shmkit.Segment) -> None:
    array = segment.array("u8", 4096)
    segment.close()
    array[:] = 200
    assert int(array.sum()) == 200 * 4096
    assert segment.views == 1


@support.needs_numpy
def test_arrays_of_read_only_segments_are_read_only(segment: shmkit.Segment) -> None:
    array = shmkit.open(segment.address, readonly=True).array("u8", 10)
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


@support.needs_numpy
def test_arrays_of_every_shape(segment: shmkit.Segment) -> None:
    assert segment.array("u8", ()).shape == ()
    assert segment.array("u8", 0).shape == (0,)
    assert segment.array("u8", (3, 0, 2)).shape == (3, 0, 2)
    assert segment.array("u8", [2, 2]).shape == (2, 2)
    with pytest.raises(ValueError, match=segment.address):
        segment.array("u8", (-1, 4))
    with pytest.raises(shmkit.RangeError):
        segment.array("u8", (64, 65))
    with pytest.raises(shmkit.Error):
        segment.array("u8", (2**40, 2**40))
    with pytest.raises(TypeError):
        segment.array("u8", 1.5)  # type: ignore[arg-type]


def test_without_numpy_arrays_say_what_is_missing(name: str) -> None:
    code = """
import sys
sys.modules["numpy"] = None
import shmkit
with shmkit.create(sys.argv[1], 10) as segment:
    segment.unlink()
    try:
        segment.array("u8", 10)
    except ImportError as error:
        print(error)
"""
    assert "needs NumPy" in support.run_python(code, name)


def test_importing_does_not_import_numpy() -> None:
    code = "import shmkit, sys; print('numpy' in sys.modules, 'multiprocessing' in sys.modules)"
    assert support.run_python(code) == "False False\n"
