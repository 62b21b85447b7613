# SPDX-License-Identifier: MIT
"""Every place in the library where a process may die, and what it leaves.

`./run exec python3 tests/crash/matrix.py` prints the table that is in ARCHITECTURE.md.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from victims import CONTENT, SIZE, Failed, Peer, Scene, Victim


@dataclass(frozen=True)
class Place:
    """`name`: in the source. `doing`: what the victim does. `leaves`: in words, for the table.
    `begin`: by the survivor beforehand. `act`: by the victim, who dies in it. `look`: by the
    survivor. `stop`: a place where the victim stops before that, to be told to go on."""

    name: str
    doing: str
    leaves: str
    act: Callable[[Scene, Victim], object]
    look: Callable[[Scene, Peer], object]
    begin: Callable[[Scene, Peer], object] | None = None
    stop: str = ""


# ---- What survivors find ----


def is_absent(scene: Scene, survivor: Peer) -> None:
    """It does not exist, and can be made."""
    with pytest.raises(Failed) as failed:
        survivor.open(7, scene.name)
    assert failed.value.errno == errno.ENOENT
    assert survivor.create(7, scene.name, SIZE, lifetime="last").created
    survivor.close(7)
    assert not scene.path.exists()


def is_whole(scene: Scene, survivor: Peer) -> None:
    """It has its size and content, and can be removed."""
    assert survivor.open(7, scene.name).size == SIZE
    assert survivor.read(7, 0, len(CONTENT)) == CONTENT
    survivor.unlink(7)
    assert not scene.path.exists()
    survivor.close(7)


def is_as_before(scene: Scene, survivor: Peer) -> None:
    """Who has it open goes on; it goes with him."""
    assert survivor.read(0, 0, len(CONTENT)) == CONTENT
    survivor.open(7, scene.name)
    survivor.close(0)
    assert scene.path.exists()
    survivor.close(7)
    assert not scene.path.exists()


def is_nameless(scene: Scene, survivor: Peer) -> None:
    """The name is gone; who has it open keeps the memory."""
    assert not scene.path.exists()
    assert survivor.read(0, 0, len(CONTENT)) == CONTENT
    survivor.close(0)


def is_there(scene: Scene, survivor: Peer) -> None:
    """The name is there, and can be removed."""
    assert survivor.read(0, 0, len(CONTENT)) == CONTENT
    survivor.unlink(0)
    assert not scene.path.exists()
    survivor.close(0)


def has_size(size: int) -> Callable[[Scene, Peer], None]:
    def look(scene: Scene, survivor: Peer) -> None:
        survivor.refresh(0)
        assert survivor.info(0).size == size
        survivor.grow(0, 3 * SIZE)
        assert survivor.read(0, SIZE, 2 * SIZE) == bytes(2 * SIZE)
        assert survivor.read(0, 0, len(CONTENT)) == CONTENT
        survivor.unlink(0)
        survivor.close(0)

    return look


# ---- What victims do ----


def create(scene: Scene, victim: Peer) -> None:
    victim.create(0, scene.name, SIZE, content=CONTENT)


def create_last(scene: Scene, victim: Peer) -> None:
    victim.create(0, scene.name, SIZE, content=CONTENT, lifetime="last")


def attach(scene: Scene, victim: Peer) -> None:
    victim.open(0, scene.name)


def detach(scene: Scene, victim: Peer) -> None:
    create_last(scene, victim)
    victim.close(0)


def unlink(scene: Scene, victim: Peer) -> None:
    victim.unlink_address(scene.name)


def grow(scene: Scene, victim: Peer) -> None:
    victim.open(0, scene.name, capacity=4 * SIZE)
    victim.grow(0, 2 * SIZE)


def has_room_to_grow(scene: Scene, survivor: Peer) -> None:
    survivor.create(0, scene.name, SIZE, content=CONTENT, capacity=4 * SIZE)


# ---- Mutexes ----

SECOND = 10**9


def both_know_it(scene: Scene, survivor: Peer) -> None:
    survivor.mutex_open(0, scene.name)


def survivor_holds_it(scene: Scene, survivor: Peer) -> None:
    survivor.mutex_open(0, scene.name)
    survivor.mutex_lock(0)


def a_third_one_died_with_it(scene: Scene, survivor: Peer) -> None:
    survivor.mutex_open(0, scene.name)
    third = Peer("c")
    third.mutex_open(0, scene.name)
    third.mutex_lock(0)
    third.kill()
    third.end()


def lock(scene: Scene, victim: Peer) -> None:
    victim.mutex_open(0, scene.name)
    victim.mutex_lock(0)


def unlock(scene: Scene, victim: Peer) -> None:
    """While the survivor sleeps on it."""
    lock(scene, victim)
    scene.survivor.ask("mutex_lock", 0, 60 * SECOND)
    scene.wait_for_flag(1 << 31)
    victim.mutex_unlock(0)


def lock_when_free(scene: Scene, victim: Peer) -> None:
    """What the survivor holds until the victim sleeps on it."""
    victim.mutex_open(0, scene.name)
    victim.ask("mutex_lock", 0, -1)
    scene.wait_for_flag(1 << 31)
    scene.survivor.mutex_unlock(0)
    victim.answer()


def lock_while_spinning(scene: Scene, victim: Victim) -> None:
    """What the survivor holds until the victim is about to spin."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one CPU is too few to race on")
    victim.mutex_open(0, scene.name)
    victim.ask("mutex_lock", 0, -1)
    victim.wait_until_stopped()
    scene.survivor.mutex_unlock(0)
    victim.go_on()
    victim.answer()


def is_woken(scene: Scene, victim: Peer) -> None:
    """The first of two who sleep while a third one holds it."""
    third = Peer("c")
    third.mutex_open(0, scene.name)
    third.mutex_lock(0)
    victim.mutex_open(0, scene.name)
    victim.ask("mutex_lock", 0, -1)
    scene.wait_for_flag(1 << 31)
    scene.survivor.ask("mutex_lock", 0, 60 * SECOND)
    third.mutex_unlock(0)
    assert third.end() == 0
    victim.answer()


def lock_and_unlock(scene: Scene, victim: Peer) -> None:
    lock(scene, victim)
    victim.mutex_unlock(0)


def give_up(scene: Scene, victim: Peer) -> None:
    lock(scene, victim)
    victim.mutex_close(0)


def end_thread(scene: Scene, victim: Peer) -> None:
    victim.mutex_open(0, scene.name)
    victim.mutex_lock_in_thread(0)


def make_mutex(scene: Scene, victim: Peer) -> None:
    victim.mutex_open(0, scene.name)


def is_a_mutex(scene: Scene, survivor: Peer) -> None:
    """Which nobody has used yet."""
    with pytest.raises(Failed) as failed:
        survivor.event_open(0, scene.name)
    assert failed.value.errno == errno.EPROTO
    survivor.mutex_open(0, scene.name)
    is_free(scene, survivor)


def is_room(scene: Scene, survivor: Peer) -> None:
    """For a mutex or an event, since nobody has said which."""
    survivor.event_open(0, scene.name)
    can_be_set(scene, survivor)


def works(scene: Scene, survivor: Peer) -> None:
    survivor.mutex_unlock(0)
    assert survivor.mutex_lock(0, 0) == "done"
    survivor.mutex_unlock(0)
    survivor.mutex_close(0)
    survivor.unlink_address(scene.name)


def is_free(scene: Scene, survivor: Peer) -> None:
    assert survivor.mutex_lock(0, 60 * SECOND) == "done"
    works(scene, survivor)


def was_held(scene: Scene, survivor: Peer) -> None:
    assert survivor.mutex_lock(0, 60 * SECOND) == "owner_died"
    works(scene, survivor)


def is_got(scene: Scene, survivor: Peer) -> None:
    assert survivor.answer() == ["done"]
    works(scene, survivor)


# ---- Events ----


def both_know_the_event(scene: Scene, survivor: Peer) -> None:
    survivor.event_open(0, scene.name)


def survivor_sleeps(scene: Scene, survivor: Peer) -> None:
    survivor.event_open(0, scene.name)
    survivor.ask("event_wait", 0, 60 * SECOND)
    scene.wait_for_flag(1)


def set_it(scene: Scene, victim: Peer) -> None:
    victim.event_open(0, scene.name)
    victim.event_set(0)


def wait(scene: Scene, victim: Peer) -> None:
    victim.event_open(0, scene.name)
    victim.event_wait(0)


def clear_it(scene: Scene, victim: Peer) -> None:
    victim.event_open(0, scene.name)
    victim.event_clear(0)


def wait_for_any(scene: Scene, victim: Peer) -> None:
    """Of twice the same."""
    victim.event_open(0, scene.name)
    victim.event_wait_any(0, 0)


def watch(scene: Scene, victim: Peer) -> None:
    """Behind a descriptor, by a thread that dies while another one sleeps."""
    victim.event_open(0, scene.name)
    victim.event_fileno(0)
    victim.event_wait(0)


def watch_and_set(scene: Scene, victim: Peer) -> None:
    victim.event_open(0, scene.name)
    victim.event_fileno(0)
    victim.event_set(0)
    victim.event_wait_since(0, 1)


def is_set(scene: Scene, survivor: Peer) -> None:
    both_know_the_event(scene, survivor)
    survivor.event_set(0)


def was_cleared(scene: Scene, survivor: Peer) -> None:
    assert not survivor.event_is_set(0)
    assert survivor.event_sequence(0) == 1
    can_be_set(scene, survivor)


def was_set(scene: Scene, survivor: Peer) -> None:
    assert survivor.event_sequence(0) == 1
    survivor.event_clear(0)
    can_be_set(scene, survivor)


def open_last_event(scene: Scene, victim: Peer) -> None:
    victim.event_open(0, scene.name)


def the_event_is_last(scene: Scene, survivor: Peer) -> None:
    survivor.create(0, scene.name, SIZE, lifetime="last")
    survivor.event_open(0, scene.name)


def goes_with_the_event(scene: Scene, survivor: Peer) -> None:
    survivor.close(0)
    survivor.event_set(0)
    assert survivor.event_wait(0) == "done"
    assert scene.path.exists()
    survivor.event_close(0)
    assert not scene.path.exists()


def close_last_event(scene: Scene, victim: Peer) -> None:
    victim.event_open(0, scene.name)
    scene.survivor.event_close(0)
    scene.survivor.close(0)
    victim.event_close(0)


def wakes(scene: Scene, survivor: Peer) -> None:
    assert survivor.answer() == ["done"]
    assert survivor.event_sequence(0) == 1
    survivor.event_close(0)
    survivor.unlink_address(scene.name)


def can_be_set(scene: Scene, survivor: Peer) -> None:
    assert survivor.event_wait(0, 0) == "timeout"
    survivor.event_set(0)
    assert survivor.event_wait(0) == "done"
    survivor.event_close(0)
    survivor.unlink_address(scene.name)


PLACES = [
    Place("create.begun", "create", "nothing", create, is_absent),
    Place("create.reserved", "create", "nothing", create, is_absent),
    Place("create.filled", "create", "nothing", create, is_absent),
    Place("create.prepared", "create", "nothing", create, is_absent),
    Place("create.published", "create", "the complete segment", create, is_whole),
    Place(
        "create.published",
        "create, last",
        "a name that does not exist for the next one",
        create_last,
        is_absent,
    ),
    Place("attach.begun", "open", "nothing", attach, is_as_before, create_last),
    Place("attach.locked", "open", "nothing", attach, is_as_before, create_last),
    Place("attach.done", "open", "nothing", attach, is_as_before, create_last),
    Place(
        "attach.locked",
        "open, as an event",
        "nothing",
        open_last_event,
        goes_with_the_event,
        the_event_is_last,
    ),
    Place(
        "detach.left",
        "close, the last one",
        "a name that does not exist for the next one",
        detach,
        is_absent,
    ),
    Place(
        "detach.asked",
        "close, the last one",
        "a name that does not exist for the next one",
        detach,
        is_absent,
    ),
    Place(
        "detach.left",
        "close of an event, the last one",
        "a name that does not exist for the next one",
        close_last_event,
        is_absent,
        the_event_is_last,
    ),
    Place("unlink.locked", "unlink", "the name", unlink, is_there, create),
    Place(
        "unlink.done", "unlink", "no name; who has it keeps the memory", unlink, is_nameless, create
    ),
    Place("grow.locked", "grow", "the old size", grow, has_size(SIZE), has_room_to_grow),
    Place(
        "grow.reserved",
        "grow",
        "the old size; room behind the end until it goes",
        grow,
        has_size(SIZE),
        has_room_to_grow,
    ),
    Place("grow.extended", "grow", "the new size", grow, has_size(2 * SIZE), has_room_to_grow),
    Place("create.published", "make a mutex", "room for any object", make_mutex, is_room),
    Place("place.marked", "make a mutex", "a mutex that nobody holds", make_mutex, is_a_mutex),
    Place("identity.opened", "lock", "nothing", lock, is_free, both_know_it),
    Place("identity.pinned", "lock", "nothing", lock, is_free, both_know_it),
    Place("identity.taken", "lock", "nothing", lock, is_free, both_know_it),
    Place(
        "mutex.locked",
        "lock",
        "the mutex to the next one, who is told",
        lock,
        was_held,
        both_know_it,
    ),
    Place("mutex.contended", "lock, waiting", "nothing", lock, works, survivor_holds_it),
    Place(
        "mutex.flagged",
        "lock, waiting",
        "a needless wake-up",
        lock,
        works,
        survivor_holds_it,
    ),
    Place("mutex.woken", "lock, waiting", "a needless wake-up", lock, works, survivor_holds_it),
    Place(
        "mutex.woken",
        "lock, woken",
        "another sleeper, who looks within 50 ms",
        is_woken,
        is_got,
        both_know_it,
    ),
    Place(
        "mutex.taken",
        "lock, having slept",
        "the mutex to the next one, who is told",
        lock_when_free,
        was_held,
        survivor_holds_it,
    ),
    Place(
        "mutex.spun",
        "lock, having spun",
        "the mutex to the next one, who is told",
        lock_while_spinning,
        was_held,
        survivor_holds_it,
        stop="mutex.contended",
    ),
    Place(
        "mutex.asked",
        "lock, after a death",
        "it to the next one, who is told",
        lock,
        was_held,
        a_third_one_died_with_it,
    ),
    Place(
        "mutex.inherited",
        "lock, after a death",
        "it to the next one, who is told",
        lock,
        was_held,
        a_third_one_died_with_it,
    ),
    Place("mutex.freed", "unlock, nobody waits", "nothing", lock_and_unlock, is_free, both_know_it),
    Place(
        "mutex.unlocked",
        "unlock",
        "a sleeper, who looks within 50 ms",
        unlock,
        is_got,
        both_know_it,
    ),
    Place("mutex.waked", "unlock", "nothing", unlock, is_got, both_know_it),
    Place(
        "identity.ending",
        "close, holding it",
        "the mutex to the next one, who is told",
        give_up,
        was_held,
        both_know_it,
    ),
    Place(
        "identity.returned",
        "close, holding it",
        "the mutex to the next one, who is told",
        give_up,
        was_held,
        both_know_it,
    ),
    Place(
        "identity.ending",
        "end of a thread, holding it",
        "the mutex to the next one, who is told",
        end_thread,
        was_held,
        both_know_it,
    ),
    Place(
        "identity.returned",
        "end of a thread, holding it",
        "the mutex to the next one, who is told",
        end_thread,
        was_held,
        both_know_it,
    ),
    Place("event.set", "set", "sleepers, who look within 50 ms", set_it, wakes, survivor_sleeps),
    Place("event.waked", "set", "nothing", set_it, wakes, survivor_sleeps),
    Place("event.flagged", "wait", "a needless wake-up", wait, can_be_set, both_know_the_event),
    Place("event.woken", "wait", "nothing", wait, can_be_set, both_know_the_event),
    Place("event.cleared", "clear", "nothing", clear_it, was_cleared, is_set),
    Place(
        "wait_any.flagged",
        "wait for any",
        "needless wake-ups",
        wait_for_any,
        can_be_set,
        both_know_the_event,
    ),
    Place(
        "wait_any.woken", "wait for any", "nothing", wait_for_any, can_be_set, both_know_the_event
    ),
    Place("watch.added", "watch", "nothing", watch, can_be_set, both_know_the_event),
    Place("watch.flagged", "watch", "needless wake-ups", watch, can_be_set, both_know_the_event),
    Place("watch.rung", "watch, set", "nothing", watch_and_set, was_set, both_know_the_event),
]


def table() -> str:
    """The matrix in Markdown."""
    rows = [("dies at", "while it does", "leaves")]
    rows += [(f"`{place.name}`", place.doing, place.leaves) for place in PLACES]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]]) + "\n"


if __name__ == "__main__":
    print(table(), end="")
