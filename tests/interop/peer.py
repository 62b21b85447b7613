# SPDX-License-Identifier: MIT
"""peer.c in Python: shmkit for the tests between languages. peers.py speaks to it."""

import os
import sys

import shmkit

SEALS = ("seal", "shrink", "grow", "write", "future_write")
MISUSE = (shmkit.InvalidError, shmkit.RangeError, shmkit.ClosedError)

segments = {}


def to_hex(data):
    return data.hex() or "-"


def from_hex(word):
    return b"" if word == "-" else bytes.fromhex(word)


def options_of(words):
    convert = {
        "readonly": bool,
        "any_owner": bool,
        "sparse": bool,
        "capacity": int,
        "mode": int,
        "lifetime": str,
        "seals": lambda names: names.split(","),
        "content": from_hex,
    }
    pairs = (word.split("=", 1) for word in words)
    return {name: convert[name](value) for name, value in pairs}


def create(slot, address, size, *options):
    segments[slot] = shmkit.create(from_hex(address), int(size), **options_of(options))


def open_(slot, address, *options):
    segments[slot] = shmkit.open(from_hex(address), **options_of(options))


def open_or_create(slot, address, size, *options):
    segments[slot] = shmkit.open_or_create(from_hex(address), int(size), **options_of(options))


def receive(slot, socket, *options):
    segments[slot] = shmkit.receive(int(socket), **options_of(options))


def send(slot, socket, *options):
    segments[slot].send(int(socket), **options_of(options))


def unlink_address(address):
    shmkit.unlink(from_hex(address))


def seal(slot, names):
    segments[slot].seal(*names.split(","))


def seals(slot):
    found = segments[slot].seals
    return [sum(1 << bit for bit, name in enumerate(SEALS) if name in found)]


def creator(slot):
    return [segments[slot].creator.pid]


def info(slot):
    segment = segments[slot]
    texts = (
        to_hex(text.encode(errors="surrogateescape")) for text in (segment.address, segment.name)
    )
    flags = (segment.readonly, segment.created, segment.closed)
    sizes = (segment.size, segment.capacity)
    return [*texts, segment.kind, segment.lifetime, *sizes, *map(int, flags)]


def read(slot, offset, size):
    return [to_hex(segments[slot].read(int(offset), int(size)))]


def write(slot, offset, data):
    segments[slot].write(int(offset), from_hex(data))


def pack(slot, offset, format, value):
    segments[slot].pack(int(offset), format, int(value))


def unpack(slot, offset, format):
    return segments[slot].unpack(int(offset), format)


def get(slot, type, offset, count):
    with segments[slot].view(type, int(offset), int(count)) as view:
        if type in ("f32", "f64"):
            return [value.hex() for value in view]
        return [ord(value) if type == "char" else int(value) for value in view]


def set_(slot, type, offset, count, *words):
    convert = {
        "f32": float.fromhex,
        "f64": float.fromhex,
        "bool": lambda word: word != "0",
        "char": lambda word: bytes([int(word)]),
    }.get(type, int)
    with segments[slot].view(type, int(offset), int(count)) as view:
        for index, word in enumerate(words):
            view[index] = convert(word)


def atomic_count(slot, type, offset, rounds):
    segment, place = segments[slot], int(offset)
    for turn in range(int(rounds)):
        if turn % 2:
            segment.add(type, place, 1)
            continue
        seen = segment.load(type, place)
        while (before := segment.compare_exchange(type, place, seen, seen + 1)) != seen:
            seen = before


SEAL_BITS = {name: 1 << bit for bit, name in enumerate(SEALS)}


def say(name, value):
    """One field as a word."""
    if value is None:
        said = "none"
    elif isinstance(value, bool):
        said = str(value).lower()
    elif isinstance(value, str):
        said = to_hex(value.encode(errors="surrogateescape"))
    elif isinstance(value, frozenset):
        said = sum(SEAL_BITS[seal] for seal in value)
    elif isinstance(value, shmkit.Creator):
        said = value.pid
    elif isinstance(value, tuple):
        said = len(value)
    else:
        said = int(value)
    return f"{name}={said}"


def describe(listing, name=""):
    words = [say("complete", listing.complete), say("unreadable", listing.unreadable)]
    for info in listing:
        if name and info.name != name:
            continue
        words += [say(field, value) for field, value in info._asdict().items()]
        parts = {"mapper": info.mappers, "extent": info.extents, "object": info.objects}
        for part, items in parts.items():
            for index, item in enumerate(items or ()):
                fields = item._asdict().items()
                words += [say(f"{part}{index}.{field}", value) for field, value in fields]
        words.append("end")
    return words


def kinds_of(word):
    return None if word == "-" else word.split(",")


def list_(name, kinds, *flags):
    options = dict.fromkeys(flags, True)
    wanted = os.fsdecode(from_hex(name))
    return describe(shmkit.list(kinds=kinds_of(kinds), **options), wanted)


def gc(pattern, kinds, older_than, *flags):
    options = dict.fromkeys(flags, True)
    options["older_than"] = int(older_than)
    return describe(shmkit.gc(pattern=from_hex(pattern), kinds=kinds_of(kinds), **options))


KINDS = ("posix", "sysv", "memfd", "semaphore", "anonymous", "hugetlb", "file")


def limits():
    taken, words = shmkit.limits(), []
    for kind in KINDS:
        for choice in ("tightest", "scarcest"):
            limit = getattr(taken, choice).get(kind)
            words.append(say(f"{kind}.{choice}", limit and limit.name))
    for limit in taken:
        fields = limit._asdict()
        fields["kinds"] = sum(1 << KINDS.index(kind) + 1 for kind in limit.kinds)
        words += [say(field, value) for field, value in fields.items()]
        words.append("end")
    return words


mutexes, events = {}, {}


def seconds(nanoseconds):
    return None if nanoseconds == "-1" else int(nanoseconds) / 1e9


def mutex_lock(slot, timeout):
    mutex = mutexes[slot]
    if not mutex.acquire(timeout=seconds(timeout)):
        return ["timeout"]
    return ["owner_died" if mutex.owner_died else "done"]


def mutex_count(slot, rounds):
    count = mutexes[slot].segment.view("u64", 64, 1)
    for _ in range(int(rounds)):
        with mutexes[slot] as state:
            assert not state.owner_died
            before = count[0]
            count[0] = before + 1


def event_wait(slot, timeout):
    return ["done" if events[slot].wait(timeout=seconds(timeout)) else "timeout"]


def event_wait_since(slot, since, timeout):
    return ["done" if events[slot].wait(int(since), timeout=seconds(timeout)) else "timeout"]


COMMANDS = {
    "mutex_open": lambda slot, name: mutexes.__setitem__(slot, shmkit.Mutex(from_hex(name))),
    "mutex_lock": mutex_lock,
    "mutex_unlock": lambda slot: mutexes[slot].release(),
    "mutex_locked": lambda slot: [int(mutexes[slot].locked())],
    "mutex_count": mutex_count,
    "mutex_close": lambda slot: mutexes.pop(slot).close(),
    "event_open": lambda slot, name: events.__setitem__(slot, shmkit.Event(from_hex(name))),
    "event_set": lambda slot: events[slot].set(),
    "event_clear": lambda slot: events[slot].clear(),
    "event_is_set": lambda slot: [int(events[slot].is_set())],
    "event_sequence": lambda slot: [events[slot].sequence],
    "event_wait": event_wait,
    "event_wait_since": event_wait_since,
    "event_close": lambda slot: events.pop(slot).close(),
    "limits": limits,
    "list": list_,
    "stat": lambda address, *exact: describe(shmkit.stat(from_hex(address), exact=bool(exact))),
    "remove": lambda address, *force: describe(shmkit.remove(from_hex(address), force=bool(force))),
    "gc": gc,
    "create": create,
    "open": open_,
    "open_or_create": open_or_create,
    "receive": receive,
    "send": send,
    "unlink_address": unlink_address,
    "unlink": lambda slot: segments[slot].unlink(),
    "close": lambda slot: segments[slot].close(),
    "refresh": lambda slot: segments[slot].refresh(),
    "grow": lambda slot, size: segments[slot].grow(int(size)),
    "seal": seal,
    "seals": seals,
    "fileno": lambda slot: [segments[slot].fileno()],
    "creator": creator,
    "info": info,
    "read": read,
    "write": write,
    "pack": pack,
    "unpack": unpack,
    "get": get,
    "set": set_,
    "atomic_count": atomic_count,
}


def main():
    for line in sys.stdin:
        name, *words = line.split()
        try:
            print("ok", *(COMMANDS[name](*words) or ()))
        except shmkit.Error as error:
            message = error.strerror.encode(errors="surrogateescape")
            print("error", error.errno, int(isinstance(error, MISUSE)), to_hex(message))
        print(".", flush=True)


main()
