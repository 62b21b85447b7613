# SPDX-License-Identifier: MIT
"""Segment as a Python type: half-made objects, subclasses, cycles, attributes, wrong types."""

from __future__ import annotations

import abc
import copy
import gc
import inspect
import operator
import os
import re
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import shmkit
import support
from shmkit import native


class Forgetful(shmkit.Segment):
    """Does not call super().__init__()."""

    def __init__(self) -> None:
        pass


def half_made() -> list[shmkit.Segment]:
    return [
        shmkit.Segment.__new__(shmkit.Segment),
        native.Segment.__new__(native.Segment),
        Forgetful(),
        Forgetful.__new__(Forgetful),
    ]


def uses_of(segment: Any) -> list[Any]:
    """Every way to use a segment, as functions without arguments."""
    uses: list[Any] = [
        lambda: memoryview(segment),
        lambda: bytearray(segment),
        lambda: bytes(segment),
        lambda: len(segment),
        lambda: list(segment),
        lambda: segment[0],
        lambda: segment[:],
        lambda: segment.__setitem__(0, 1),
        lambda: segment.__setitem__(slice(0, 1), b"x"),
        lambda: segment.__delitem__(0),
        lambda: segment.write(0, b"x"),
        lambda: segment.view("u8"),
        lambda: segment.grow(10),
        lambda: segment.pack(0, "B", 1),
        lambda: segment.unpack(0, "B"),
        lambda: segment.array("u8", 1),
        lambda: segment.send(0),
        lambda: segment.seal("grow"),
        lambda: segment.__enter__(),
        lambda: segment.__reduce_ex__(2),
        lambda: b"".join([segment]),
        lambda: os.write(-1, segment),
    ]
    names = [name for name in dir(segment) if not name.startswith("__") and name != "close"]
    for name in names:
        uses.append(lambda name=name: getattr(segment, name))
        uses.append(lambda name=name: getattr(segment, name)())
    return uses


@pytest.mark.parametrize("number", range(4))
def test_nothing_can_be_done_with_a_half_made_segment(number: int) -> None:
    segment = half_made()[number]
    refused = 0
    for use in uses_of(segment):
        try:
            use()
        except (ValueError, TypeError, AttributeError, OSError, ImportError) as error:
            refused += isinstance(error, shmkit.ClosedError)
    assert refused >= 20
    with pytest.raises(shmkit.ClosedError, match="never opened"):
        segment.size  # noqa: B018
    assert "never opened" in repr(segment)
    assert segment == segment
    assert hash(segment) == hash(segment)


def test_closing_a_half_made_segment_does_nothing() -> None:
    shmkit.Segment.__new__(shmkit.Segment).close()
    Forgetful().close()


def test_half_made_segments_are_not_equal() -> None:
    one, other = shmkit.Segment.__new__(shmkit.Segment), shmkit.Segment.__new__(shmkit.Segment)
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize("arguments", [(), ("frames",), ("frames", 1)])
def test_the_class_itself_makes_no_segments(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="come from create"):
        shmkit.Segment(*arguments)
    with pytest.raises(TypeError, match="come from create"):
        native.Segment(*arguments)


def test_init_does_nothing_to_an_open_segment(segment: shmkit.Segment) -> None:
    with pytest.raises(TypeError):
        segment.__init__()  # type: ignore[misc]
    assert segment.size == 4096


def test_methods_refuse_other_objects() -> None:
    for name, value in {**vars(native.Segment), **vars(shmkit.Segment)}.items():
        if not callable(value) or name in ("__new__", "__init_subclass__", "__subclasshook__"):
            continue
        for other in [None, 5, b"x", object(), memoryview(b"x"), shmkit.Segment]:
            try:
                value(other)
            except Exception:
                continue


def test_properties_refuse_other_objects_and_cannot_be_set(segment: shmkit.Segment) -> None:
    names = "address name kind lifetime size capacity readonly created closed views"
    for name in names.split():
        descriptor = inspect.getattr_static(shmkit.Segment, name)
        with pytest.raises(TypeError):
            descriptor.__get__(5)
        with pytest.raises(AttributeError):
            setattr(segment, name, 1)
        with pytest.raises(AttributeError):
            delattr(segment, name)


def test_what_swig_leaves_open_is_not_there(segment: shmkit.Segment) -> None:
    for name in ["own", "disown", "acquire", "append", "next", "this", "thisown", "__int__"]:
        assert not hasattr(segment, name)
    with pytest.raises(TypeError):
        operator.index(segment)  # type: ignore[arg-type]
    for base in shmkit.Segment.__mro__[1:-1]:
        with pytest.raises(TypeError):
            base()
    assert type(native.Segment) is type


def test_functions_return_the_public_class(segment: shmkit.Segment) -> None:
    assert type(segment) is shmkit.Segment


@pytest.mark.parametrize("result", [5, None, "self"])
def test_a_new_that_makes_no_segment_is_a_type_error(
    segment: shmkit.Segment, monkeypatch: pytest.MonkeyPatch, result: Any
) -> None:
    made = segment if result == "self" else result
    monkeypatch.setattr(shmkit.Segment, "__new__", lambda cls: made)
    with pytest.raises(TypeError, match="made no new segment"):
        shmkit.open(segment.address)
    assert segment.size == 4096


@pytest.mark.skipif(sys.version_info < (3, 12), reason=support.NO_BUFFER_METHOD)
def test_a_subclass_may_export_another_buffer(segment: shmkit.Segment) -> None:
    class Other(shmkit.Segment):
        def __buffer__(self, flags: int) -> memoryview:
            return memoryview(b"other")

        def __release_buffer__(self, view: memoryview) -> None:
            pass

    class Same(shmkit.Segment):
        def __buffer__(self, flags: int) -> memoryview:
            return super().__buffer__(flags)

        def __release_buffer__(self, view: memoryview) -> None:
            super().__release_buffer__(view)  # type: ignore[misc]

    for made in [Other.__new__(Other), segment]:
        made.__class__ = Other
        for _ in range(3):
            with memoryview(made) as view:
                assert view == b"other"
    assert segment.views == 0
    segment.__class__ = Same
    for _ in range(3):
        with memoryview(segment) as view:
            assert (len(view), segment.views) == (4096, 1)
        bytes(memoryview(segment))
    assert segment.views == 0
    with pytest.raises(ValueError, match="never opened"):
        memoryview(Same.__new__(Same))


def test_registering_needs_a_segment_class() -> None:
    for other in [int, 5, None, object()]:
        with pytest.raises(TypeError):
            native.python_register(other, None)  # type: ignore[arg-type]


def test_comparison_is_identity(segment: shmkit.Segment) -> None:
    with shmkit.open(segment.address) as other:
        assert segment == segment
        assert segment != other
        assert {segment: 1}.get(other) is None
        with pytest.raises(TypeError):
            segment < other  # type: ignore[operator]  # noqa: B015


def test_a_segment_can_carry_attributes_and_weak_references(segment: shmkit.Segment) -> None:
    segment.note = "mine"  # type: ignore[attr-defined]
    assert vars(segment) == {"note": "mine"}
    assert weakref.ref(segment)() is segment


def test_a_class_can_be_derived_together_with_others(segment: shmkit.Segment) -> None:
    class Sized(abc.ABC):
        @abc.abstractmethod
        def double(self) -> int: ...

    class Both(shmkit.Segment, Sized):
        def double(self) -> int:
            return 2 * self.size

    Both.extra = 1  # type: ignore[attr-defined]
    segment.__class__ = Both
    assert isinstance(segment, Both)
    assert segment.double() == 8192


def test_a_cycle_through_attributes_is_collected(name: str) -> None:
    segment = shmkit.create(name, 4096)
    segment.unlink()
    file = support.identity(segment)
    assert support.is_mapped(file)
    segment.itself = segment  # type: ignore[attr-defined]
    gone = weakref.ref(segment)
    del segment
    gc.collect()
    assert gone() is None
    assert not support.is_mapped(file)


def test_a_cycle_through_views_is_collected(name: str) -> None:
    segment = shmkit.create(name, 4096)
    segment.unlink()
    file = support.identity(segment)
    segment.view_of_itself = segment.view("f64")  # type: ignore[attr-defined]
    segment.memory = memoryview(segment)[5:]  # type: ignore[attr-defined]
    gone = weakref.ref(segment)
    segment.close()
    assert support.is_mapped(file)
    del segment
    gc.collect()
    assert gone() is None
    assert not support.is_mapped(file)


def test_a_cycle_through_a_subclass_is_collected() -> None:
    class Local(shmkit.Segment):
        __slots__ = ("other",)

    half = Local.__new__(Local)
    half.other = half
    gone = weakref.ref(half)
    del half
    gc.collect()
    assert gone() is None
    local = weakref.ref(Local)
    del Local
    gc.collect()
    assert local() is None


def test_segments_do_not_leak_references(name: str) -> None:
    before = sys.getrefcount(shmkit.Segment), sys.getrefcount(None)
    for _ in range(100):
        segment = shmkit.create(name, 4096)
        segment.unlink()
        segment.view("u8")
        with pytest.raises(IndexError):
            segment.read(5000)
        segment.close()
    del segment
    after = sys.getrefcount(shmkit.Segment), sys.getrefcount(None)
    assert abs(after[0] - before[0]) < 20
    assert abs(after[1] - before[1]) < 50


def test_a_copy_is_another_segment_of_the_same_memory(segment: shmkit.Segment) -> None:
    with copy.copy(segment) as other:
        assert other is not segment
        other[0] = 3
        assert segment[0] == 3
        assert other.capacity == segment.capacity


def test_a_weak_reference_callback_runs(name: str) -> None:
    segment = shmkit.create(name, 1)
    segment.unlink()
    called: list[Any] = []
    reference = weakref.ref(segment, called.append)
    del segment
    assert called == [reference]


def test_signatures_and_documentation_are_there() -> None:
    assert str(inspect.signature(shmkit.Segment.read)) == "(self, /, offset=0, size=None)"
    for name, value in vars(shmkit.Segment).items():
        assert name.startswith("_") or value.__doc__, name
    for name, value in vars(native.Segment).items():
        assert name.startswith("_") or value.__doc__, name
        if inspect.isroutine(value) and not name.startswith("_"):
            assert inspect.signature(value)
    for name in shmkit.__all__:
        value = getattr(shmkit, name)
        assert not (inspect.isclass(value) or inspect.isfunction(value)) or value.__doc__
    assert "unlink" not in (vars(native.Segment)["__dict__"].__doc__ or "")
    assert "clock ticks" in (shmkit.Creator.__doc__ or "")


def test_the_help_of_the_package_lists_everything() -> None:
    words = set(re.findall(r"\w+", shmkit.__doc__ or ""))
    types = {"Address", "Kind", "Kinds", "InfoKind", "Lifetime", "State", "TypeName"}
    types |= {
        "AtomicName",
        "CreatorState",
        "Holding",
        "ObjectKind",
        "ObjectState",
        "Removal",
        "Scope",
        "Unit",
    }  # for annotations
    assert {name for name in shmkit.__all__ if not name.startswith("_")} - types <= words
    assert {name for name in dir(shmkit.Segment) if not name.startswith("_")} <= words


def test_the_module_in_c_has_what_the_package_uses() -> None:
    package = Path(shmkit.__file__).parent
    text = "".join(path.read_text() for path in package.glob("*.py"))
    names = {name for name in vars(native) if not name.startswith("_")} - {"Segment"}
    used = set(re.findall(r"native\.(\w+)", text)) | {"version"}  # imported by name
    assert names - used == set()
