# SPDX-License-Identifier: MIT
"""Making, opening, growing and ending segments; what they say about themselves."""

from __future__ import annotations

import errno
import inspect
import os
import stat

import pytest
import shmkit
import support


def test_a_new_segment_says_what_it_is(name: str) -> None:
    with shmkit.create(name, 4096, capacity=1 << 16) as segment:
        assert segment.address == f"posix:/{name}"
        assert segment.name == name
        assert segment.kind == "posix"
        assert (segment.size, len(segment)) == (4096, 4096)
        assert segment.capacity >= 1 << 16
        assert segment.created is True
        assert segment.readonly is False
        assert segment.closed is False
        assert segment.views == 0
        assert segment.lifetime == "persistent"
        assert segment.read() == bytes(4096)
        assert repr(segment) == f"<Segment 'posix:/{name}', 4096 bytes>"
        segment.unlink()
    assert segment.closed is True
    assert repr(segment) == f"<Segment 'posix:/{name}', closed>"


@pytest.mark.parametrize("form", ["{}", "/{}", "posix:/{}"])
def test_every_form_of_an_address_opens_the_same_segment(
    segment: shmkit.Segment, form: str
) -> None:
    segment.write(0, b"same")
    with shmkit.open(form.format(segment.name)) as other:
        assert other.read(0, 4) == b"same"
        assert other.created is False
        assert other.address == segment.address


def test_a_segment_is_opened_by_its_own_address(segment: shmkit.Segment) -> None:
    with shmkit.open(segment.address) as other:
        assert other.address == segment.address


def test_str_bytes_and_paths_are_addresses(segment: shmkit.Segment) -> None:
    for address in [segment.name, segment.name.encode(), support.file_of(segment)]:
        with shmkit.open(address) as other:
            assert other.size == 4096


def test_a_path_is_a_file(segment: shmkit.Segment) -> None:
    path = support.file_of(segment)
    with shmkit.open(path) as other:
        assert (other.kind, other.name) == ("file", str(path))


def test_open_or_create_creates_once(name: str) -> None:
    with shmkit.open_or_create(name, 100) as first:
        assert first.created is True
        first.write(0, b"kept")
        with shmkit.open_or_create(name, 50) as second:
            assert second.created is False
            assert second.size == 100
            assert second.read(0, 4) == b"kept"
        first.unlink()


def test_open_or_create_takes_what_create_takes(name: str) -> None:
    both = inspect.signature(shmkit.open_or_create).parameters
    for function in (shmkit.create, shmkit.open):
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name != "readonly":  # What was just created is to be written.
                assert both[parameter.name] == parameter
    with shmkit.open_or_create(f"memfd:{name}", 100, seals=["grow", "shrink"]) as segment:
        assert segment.seals == {"grow", "shrink"}
    with pytest.raises(shmkit.UnsupportedError, match="memfd"):
        shmkit.open_or_create(name, 100, seals=["grow", "shrink"])
    with pytest.raises(shmkit.InvalidError, match="a seal is one of"):
        shmkit.open_or_create(name, 100, seals="everything")


def test_types_have_sizes() -> None:
    for size, names in [(1, "i8 u8 bool char"), (2, "i16 u16"), (4, "i32 u32 f32")]:
        assert {shmkit.type_size(name) for name in names.split()} == {size}  # type: ignore[arg-type]
    assert shmkit.type_size("i64") == shmkit.type_size("u64") == shmkit.type_size("f64") == 8
    with pytest.raises(shmkit.InvalidError, match="f16"):
        shmkit.type_size("f16")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        shmkit.type_size(9)  # type: ignore[arg-type]


def test_errno_values_have_names() -> None:
    assert shmkit.error_name(errno.ENOENT) == "ENOENT"
    assert shmkit.error_name(errno.EPROTO) == "SHMKIT_ERR_INCOMPATIBLE"
    assert shmkit.error_name(12345) == "unknown"
    for impossible in [-1, 2**31]:
        with pytest.raises(ValueError, match="errno"):
            shmkit.error_name(impossible)
    with pytest.raises(TypeError):
        shmkit.error_name("ENOENT")  # type: ignore[arg-type]


def test_a_read_only_segment_sees_what_others_write(segment: shmkit.Segment) -> None:
    with shmkit.open(segment.address, readonly=True) as reader:
        assert reader.readonly is True
        assert "read-only" in repr(reader)
        segment[10] = 7
        assert reader[10] == 7
        assert memoryview(reader).readonly


def test_content_is_there_from_the_beginning(name: str) -> None:
    with shmkit.create(name, 16, content=bytearray(b"ready")) as segment:
        assert segment.read() == b"ready" + bytes(11)
        segment.unlink()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_the_mode_is_applied_exactly(name: str, mode: int) -> None:
    with shmkit.create(name, 1, mode=mode) as segment:
        assert stat.S_IMODE(os.fstat(segment.fileno()).st_mode) == mode
        segment.unlink()


def test_a_sparse_segment_takes_no_room(name: str) -> None:
    with shmkit.create(name, 1 << 30, sparse=True) as segment:
        assert os.fstat(segment.fileno()).st_blocks < 100
        segment.unlink()


def test_a_normal_segment_takes_its_room_at_once(name: str) -> None:
    with shmkit.create(name, 1 << 20, populate=True) as segment:
        assert os.fstat(segment.fileno()).st_blocks * 512 == 1 << 20
        segment.unlink()


def test_a_segment_grows_in_place(segment: shmkit.Segment) -> None:
    view = memoryview(segment)
    segment.grow(10000)
    assert segment.size >= 10000
    assert segment.read(4096, 100) == bytes(100)
    segment[9999] = 1
    view[0] = 3
    assert segment[0] == 3
    segment.grow(1)
    assert segment.size >= 10000


def test_growth_of_others_is_seen_after_refresh(segment: shmkit.Segment) -> None:
    with shmkit.open(segment.address, capacity=1 << 16) as other:
        segment.grow(8192)
        segment[8000] = 9
        assert other.size == 4096
        other.refresh()
        assert other.size == 8192
        assert other[8000] == 9


def test_the_creator_is_written_down(segment: shmkit.Segment) -> None:
    creator = segment.creator
    if creator is None:
        pytest.skip("this kernel's tmpfs takes no user attributes")
    assert creator.pid == os.getpid()
    assert creator.boot
    assert creator.program


def test_unlink_removes_the_name_and_leaves_the_memory(segment: shmkit.Segment) -> None:
    shmkit.unlink(segment.address)
    segment[0] = 5
    assert segment[0] == 5
    with pytest.raises(FileNotFoundError):
        shmkit.open(segment.address)
    with pytest.raises(FileNotFoundError):
        shmkit.unlink(segment.address)
    segment.unlink()


def test_unlink_leaves_a_new_segment_of_the_same_name_alone(name: str) -> None:
    with shmkit.create(name, 1) as old:
        shmkit.unlink(name)
        with shmkit.create(name, 1) as new:
            old.unlink()
            shmkit.open(name).close()
            new.unlink()


def test_close_can_be_called_again(segment: shmkit.Segment) -> None:
    segment.close()
    segment.close()
    segment.close(strict=True)
    assert (segment.size, segment.capacity, segment.closed) == (0, 0, True)


def test_a_closed_segment_still_knows_its_name_and_removes_it(segment: shmkit.Segment) -> None:
    segment.close()
    assert segment.address == f"posix:/{segment.name}"
    segment.unlink()
    with pytest.raises(FileNotFoundError):
        shmkit.open(segment.address)


def test_an_exception_in_the_block_closes_the_segment(name: str) -> None:
    segment = shmkit.create(name, 1)
    segment.unlink()
    with pytest.raises(RuntimeError), segment:
        raise RuntimeError
    assert segment.closed


def test_a_segment_that_is_forgotten_is_unmapped(name: str) -> None:
    segment = shmkit.create(name, 4096)
    file = support.identity(segment)
    assert support.is_mapped(file)
    del segment
    assert not support.is_mapped(file)
    shmkit.unlink(name)


def test_a_persistent_segment_outlives_its_process(name: str) -> None:
    support.run_python("import shmkit, sys; shmkit.create(sys.argv[1], 8, content=b'bye')", name)
    with shmkit.open(name) as segment:
        assert segment.read(0, 3) == b"bye"
        segment.unlink()


def test_the_descriptor_is_the_segments(segment: shmkit.Segment) -> None:
    assert os.fstat(segment.fileno()).st_ino == support.file_of(segment).stat().st_ino
    assert not os.get_inheritable(segment.fileno())


def test_system_v_by_key_and_by_identifier() -> None:
    key = support.unique_key()
    with shmkit.create(f"sysv:{key:#x}", 4096) as segment:
        assert segment.kind == "sysv"
        segment.write(0, b"old")
        with shmkit.open(f"sysv:{key}") as other:
            assert other.read(0, 3) == b"old"
        segment.unlink()
    with shmkit.create("sysv:private", 4096) as segment:
        assert segment.address.startswith("sysv:id=")
        with shmkit.open(segment.address, readonly=True) as other:
            assert other.readonly
        segment.unlink()


def test_a_file_is_mapped_where_it_is(tmp_path: object) -> None:
    path = os.path.join(str(tmp_path), "file with spaces")
    with shmkit.create(f"file:{path}", 100, content=b"on disk") as segment:
        assert (segment.kind, segment.name) == ("file", path)
        with open(path, "rb") as file:
            assert file.read(7) == b"on disk"
        segment.unlink()
    assert not os.path.exists(path)


NAMES = [
    "with spaces",
    "new\nline",
    "tab\tand \x01",
    "ünï©ödé",
    "%s%n",
    "a:b",
    "'\"",
]


@pytest.mark.parametrize("odd", NAMES)
def test_any_name_the_kernel_takes_round_trips(name: str, odd: str) -> None:
    full = f"posix:/{name}{odd}"
    with shmkit.create(full, 1) as segment:
        assert segment.address == full
        shmkit.open(segment.address).close()
        assert os.path.exists(f"/dev/shm/{name}{odd}")
        segment.unlink()


def test_names_that_are_not_utf_8_round_trip(name: str) -> None:
    full = name.encode() + b"\xff\xfe\x80"
    with shmkit.create(full, 1) as segment:
        assert os.fsencode(segment.name) == full
        shmkit.open(segment.address).close()
        shmkit.open(full).close()
        with pytest.raises(FileExistsError) as raised:
            shmkit.create(full, 1)
        assert os.fsencode(raised.value.filename).endswith(full)
        assert repr(segment)
        segment.unlink()


def test_the_longest_name_is_possible(name: str) -> None:
    full = name + "x" * (255 - len(name))
    with shmkit.create(full, 1) as segment:
        segment.unlink()
