# SPDX-License-Identifier: MIT
"""Bad input of every kind: an error that says which segment and is what Python programs catch."""

from __future__ import annotations

import errno
import io
import os
import pickle
import socket
from typing import Any

import pytest
import shmkit
import support

CALLS: dict[str, Any] = {
    "create": lambda address: shmkit.create(address, 1),
    "open": shmkit.open,
    "open_or_create": lambda address: shmkit.open_or_create(address, 1),
    "unlink": shmkit.unlink,
    "stat": shmkit.stat,
    "remove": shmkit.remove,
}

every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)

IMPOSSIBLE = [
    "",
    ".",
    "..",
    "/",
    "/.",
    "/a/b",
    "a/b",
    "posix:",
    "posix:/",
    "posix:/a/b",
    "x" * 256,
    "nonesuch:/frames",
    "sysv:",
    "sysv:frames",
    "sysv:0x",
    "sysv:0xfffffffff",
    "sysv:-1",
    "sysv:99999999999999999999",
    "sysv:id=",
    "sysv:id=x",
    "sysv:id=-1",
    "fd:",
    "fd:x",
    "fd:-1",
    "fd:99999999999",
    "file:",
    "memfd:" + "x" * 250,
]


@every_call
@pytest.mark.parametrize("address", IMPOSSIBLE)
def test_an_address_that_cannot_be_is_a_value_error(call: Any, address: str) -> None:
    with pytest.raises(shmkit.Error) as raised:
        call(address)
    assert isinstance(raised.value, ValueError)
    assert raised.value.errno in (errno.EINVAL, errno.ENAMETOOLONG, errno.EOPNOTSUPP)
    assert raised.value.filename == (address or None)
    assert str(raised.value) == raised.value.strerror != ""


@every_call
@pytest.mark.parametrize("address", ["a\0b", b"a\0b", "\0", "posix:/frames\0"])
def test_a_nul_byte_is_named(call: Any, address: Any) -> None:
    with pytest.raises(shmkit.Error, match="NUL") as raised:
        call(address)
    assert isinstance(raised.value, ValueError)
    assert raised.value.filename == os.fsdecode(address)


@every_call
@pytest.mark.parametrize("address", [None, 5, 1.5, object(), ["frames"], bytearray(b"frames")])
def test_an_address_of_another_type_is_a_type_error(call: Any, address: Any) -> None:
    with pytest.raises(TypeError, match="address must be str, bytes or"):
        call(address)


@every_call
def test_an_address_that_has_no_bytes_is_a_value_error(call: Any) -> None:
    with pytest.raises(shmkit.InvalidError, match="bytes cannot say"):
        call("\ud800")


@every_call
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError, OSError])
def test_a_path_that_fails_says_so(call: Any, error: type[BaseException]) -> None:
    class Broken:
        def __fspath__(self) -> str:
            raise error("broken path")

    with pytest.raises(error, match="broken path"):
        call(Broken())


@every_call
def test_a_path_that_is_no_text_is_a_type_error(call: Any) -> None:
    class Broken:
        def __fspath__(self) -> Any:
            return 5

    with pytest.raises(TypeError, match="address must be str, bytes or"):
        call(Broken())


@pytest.mark.parametrize("size", [0, -1, -(2**63), 2**63, 2**64 - 1, 2**64, 10**30])
@pytest.mark.parametrize("make", [shmkit.create, shmkit.open_or_create])
def test_sizes_that_cannot_be_are_errors(name: str, make: Any, size: int) -> None:
    with pytest.raises((ValueError, shmkit.NoSpaceError, MemoryError), match=name) as raised:
        make(name, size)
    assert isinstance(raised.value, shmkit.Error)


def test_more_than_there_is_room_for_is_an_error_that_names_the_limit(name: str) -> None:
    with pytest.raises(shmkit.Error, match=name) as raised:
        shmkit.create(name, 1 << 45)
    assert raised.value.errno in (errno.ENOSPC, errno.ENOMEM)


@pytest.mark.parametrize("size", [None, "4096", 4096.0, b"1"])
@pytest.mark.parametrize("make", [shmkit.create, shmkit.open_or_create])
def test_sizes_of_other_types_are_type_errors(name: str, make: Any, size: Any) -> None:
    with pytest.raises(TypeError, match="size must be an integer"):
        make(name, size)


@pytest.mark.parametrize(
    "options",
    [
        {"capacity": -1},
        {"capacity": 2**64},
        {"mode": -1},
        {"mode": 0},
        {"mode": 0o10000},
        {"mode": 2**32},
        {"lifetime": "forever"},
        {"seals": "everything"},
        {"seals": ["shrink", "x"]},
        {"content": b"more than fits"},
    ],
    ids=str,
)
def test_options_that_cannot_be_are_value_errors(name: str, options: dict[str, Any]) -> None:
    address = f"memfd:{name}" if "seals" in options else name
    with pytest.raises(shmkit.Error) as raised:
        shmkit.create(address, 4, **options)
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    "options",
    [
        {"capacity": "1"},
        {"capacity": 1.5},
        {"mode": "600"},
        {"lifetime": ["last"]},
        {"seals": 3},
        {"content": "text"},
        {"content": 5},
        {"nonesuch": 1},
    ],
    ids=str,
)
def test_options_of_other_types_are_type_errors(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(TypeError) as raised:
        shmkit.create(name, 4, **options)
    if "seals" in options:
        assert str(raised.value) == "seals must be names such as 'shrink', not int"


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("posix:/{}", {"seals": "shrink"}),
        ("posix:/{}", {"huge_pages": True}),
        ("sysv:private", {"capacity": 1 << 20}),
        ("sysv:private", {"lifetime": "last"}),
        ("memfd:{}", {"lifetime": "last"}),
    ],
    ids=str,
)
def test_options_that_a_kind_does_not_have_are_unsupported(
    name: str, address: str, options: dict[str, Any]
) -> None:
    with pytest.raises(io.UnsupportedOperation) as raised:
        shmkit.create(address.format(name), 4096, **options)
    assert isinstance(raised.value, shmkit.UnsupportedError)


@pytest.mark.parametrize("address", ["sysv:private", "memfd:frames", "file:/dev/shm/{}", "fd:0"])
def test_only_posix_segments_have_an_owner_to_accept(name: str, address: str) -> None:
    with pytest.raises(io.UnsupportedOperation) as raised:
        shmkit.open(address.format(name), any_owner=True)
    assert isinstance(raised.value, shmkit.UnsupportedError)


def test_a_size_beyond_the_systems_limit_is_no_room() -> None:
    # The limit is the machine's: what C reports for one is made into an exception here.
    error = shmkit.errors.make_error(errno.EFBIG, "too large", "sysv:1")
    assert isinstance(error, shmkit.NoSpaceError)


def test_what_does_not_exist_is_not_found(name: str) -> None:
    for address in [name, f"file:/dev/shm/{name}", f"sysv:{support.unique_key()}"]:
        for call in [shmkit.open, shmkit.unlink]:
            with pytest.raises(FileNotFoundError) as raised:
                call(address)
            assert isinstance(raised.value, shmkit.Error)
            assert raised.value.errno == errno.ENOENT
            assert raised.value.symbol == "ENOENT"
            assert raised.value.filename


def test_what_exists_is_not_created(segment: shmkit.Segment) -> None:
    with pytest.raises(FileExistsError, match=segment.name) as raised:
        shmkit.create(segment.name, 4096)
    assert isinstance(raised.value, shmkit.Error)
    assert segment.read() == bytes(4096)


def test_what_is_smaller_than_asked_is_incompatible(segment: shmkit.Segment) -> None:
    with pytest.raises(shmkit.IncompatibleError, match=segment.name) as raised:
        shmkit.open_or_create(segment.name, 8192)
    assert raised.value.symbol == "SHMKIT_ERR_INCOMPATIBLE"


def test_a_file_without_a_size_is_truncated(name: str) -> None:
    with open(f"/dev/shm/{name}", "wb"):
        pass
    with pytest.raises(shmkit.TruncatedError, match=name):
        shmkit.open(name)
    with shmkit.open(name, capacity=4096) as segment:
        assert segment.size == 0
    shmkit.unlink(name)


def test_a_symbolic_link_in_place_of_a_segment_is_not_followed(
    segment: shmkit.Segment, name: str
) -> None:
    link = f"/dev/shm/{support.unique_name()}"
    os.symlink(support.file_of(segment), link)
    for call in [shmkit.open, shmkit.unlink]:
        with pytest.raises(shmkit.Error) as raised:
            call(os.path.basename(link))
        assert raised.value.errno == errno.ELOOP
    os.unlink(link)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["directory", "fifo"])
def test_something_else_in_place_of_a_segment_is_refused(name: str, make: Any) -> None:
    path = f"/dev/shm/{name}"
    make(path)
    try:
        for call in [shmkit.open, shmkit.unlink]:
            with pytest.raises(shmkit.IncompatibleError, match=name) as raised:
                call(name)
            assert not isinstance(raised.value, ValueError)
        with pytest.raises(shmkit.Error):
            shmkit.create(name, 1)
    finally:
        (os.rmdir if os.path.isdir(path) else os.unlink)(path)


@support.needs_root
def test_another_users_segment_is_only_opened_when_asked(segment: shmkit.Segment) -> None:
    # Root's and one's own are accepted: look with the eyes of a third user.
    os.chmod(support.file_of(segment), 0o666)
    os.chown(support.file_of(segment), 65533, -1)
    code = """
import os, sys, shmkit
os.setuid(65534)
try:
    shmkit.open(sys.argv[1])
except PermissionError as error:
    assert isinstance(error, shmkit.Error)
    with shmkit.open(sys.argv[1], any_owner=True) as segment:
        print(segment.size, error.filename)
"""
    assert segment.name in support.run_python(code, segment.name)


@support.needs_root
def test_permission_denied_is_a_permission_error(segment: shmkit.Segment) -> None:
    code = """
import os, sys, shmkit
os.setuid(65534)
for call in shmkit.open, shmkit.unlink:
    try:
        call(sys.argv[1])
    except PermissionError as error:
        assert isinstance(error, shmkit.Error)
        print(error.filename)
"""
    assert support.run_python(code, segment.name).count(segment.name) == 2


def test_a_closed_descriptor_is_an_error() -> None:
    descriptor = os.open("/dev/null", os.O_RDONLY)
    os.close(descriptor)
    with pytest.raises(shmkit.Error, match=f"fd:{descriptor}") as raised:
        shmkit.open(f"fd:{descriptor}")
    assert raised.value.errno == errno.EBADF


def test_a_descriptor_of_something_else_is_an_error() -> None:
    with socket.socket(socket.AF_UNIX) as other, open("/dev/zero", "r+b") as device:
        for descriptor in [other.fileno(), device.fileno()]:
            with pytest.raises(shmkit.IncompatibleError):
                shmkit.open(f"fd:{descriptor}")


def test_a_descriptor_for_reading_is_not_opened_for_writing(segment: shmkit.Segment) -> None:
    with open(support.file_of(segment), "rb") as file:
        with pytest.raises(PermissionError):
            shmkit.open(f"fd:{file.fileno()}")
        shmkit.open(f"fd:{file.fileno()}", readonly=True).close()


def test_use_after_close_names_the_segment(segment: shmkit.Segment) -> None:
    segment.close()
    calls: list[Any] = [
        segment.read,
        segment.refresh,
        segment.fileno,
        segment.__enter__,
        segment.__bytes__,
        lambda: segment[0],
        lambda: segment[0:1],
        lambda: segment.__setitem__(0, 1),
        lambda: segment.__setitem__(slice(0, 2), b"xy"),
        lambda: segment.write(0, b"x"),
        lambda: segment.pack(0, "B", 1),
        lambda: segment.unpack(0, "B"),
        lambda: segment.view("u8"),
        lambda: segment.grow(8192),
        lambda: segment.send(0),
        lambda: segment.seal("shrink"),
        lambda: segment.seals,
        lambda: segment.creator,
        lambda: memoryview(segment),
        lambda: pickle.dumps(segment),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=segment.address) as raised:
            call()
        assert isinstance(raised.value, shmkit.ClosedError), call
        assert raised.value.filename == segment.address
        assert raised.value.symbol == "SHMKIT_ERR_CLOSED"


def test_growing_beyond_the_capacity_is_a_range_error(segment: shmkit.Segment) -> None:
    with pytest.raises(shmkit.RangeError, match=segment.address):
        segment.grow(segment.capacity + 1)
    for size in [-1, 2**64]:
        with pytest.raises(ValueError, match=segment.address):
            segment.grow(size)
    with pytest.raises(TypeError):
        segment.grow("8192")  # type: ignore[arg-type]
    assert segment.size == 4096


def test_system_v_segments_say_what_they_cannot() -> None:
    with shmkit.create("sysv:private", 4096) as segment:
        for call in [segment.fileno, lambda: segment.grow(8192), lambda: segment.seal("grow")]:
            with pytest.raises(io.UnsupportedOperation, match="sysv:id="):
                call()
        segment.unlink()


@pytest.mark.parametrize("address", ["memfd:frames", "fd:0"])
def test_what_has_no_name_cannot_be_unlinked(address: str) -> None:
    with pytest.raises(io.UnsupportedOperation):
        shmkit.unlink(address)


def test_control_characters_do_not_reach_the_message() -> None:
    with pytest.raises(FileNotFoundError) as raised:
        shmkit.open("no\nsuch\x1bname")
    assert str(raised.value).isprintable()
    assert raised.value.filename == "posix:/no\nsuch\x1bname"


def test_errors_can_be_pickled(name: str) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        shmkit.open(name)
    copy = pickle.loads(pickle.dumps(raised.value))
    assert type(copy) is shmkit.NotFoundError
    assert (copy.errno, copy.filename, str(copy)) == (2, raised.value.filename, str(raised.value))


def test_every_error_is_one_of_shmkit_and_of_the_system() -> None:
    classes = [value for value in vars(shmkit).values() if isinstance(value, type)]
    errors = [value for value in classes if issubclass(value, BaseException)]
    assert len(errors) == 22
    for error in errors:
        assert issubclass(error, shmkit.Error)
        assert issubclass(error, OSError)
        assert error.__module__ == "shmkit"
        assert error(5, "message", "address").filename == "address"
