# SPDX-License-Identifier: MIT
"""Workers of all languages that hand a turn on and on, however many of them are killed.

Whose turn it is writes the next number several times over, publishes it, and sets the event of who
is next, who waits in one of many ways. What must hold:

- Who sees a number sees what was written before it was published.
- Nobody else takes a turn.
- The turn goes on: each wait ends. A worker that takes another's place begins by setting the event
  of whose turn it is, because its predecessor may have died between publishing and setting.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Sequence

import shmkit
from arena import INSIDE, TRYING, Worker
from soak import Player, Subject

# See ring.c.
_MEMBERS, _TURN, _WORDS, _SIZE = 6, 448, 456, 488
_SINCE, _ANY, _POLL, _LEVEL, _ASYNC = range(5)
_NAMES = ("since", "any", "poll", "level", "async")


class _Member:
    """The same as ring.c, and one way to wait more."""

    def __init__(self, worker: Worker, address: str, me: str, members: str, own: str) -> None:
        self.worker = worker
        self.segment = shmkit.open(address)
        self.me, self.members, self.own_events = int(me), int(members), own == "1"
        self.noise = self.segment.event(0)
        self.events = [self.segment.event(64 * (i + 1)) for i in range(_MEMBERS)]
        self.words = self.segment.view("u64", _WORDS, 4)
        self.loop = asyncio.new_event_loop()
        # The first turn may be one that the predecessor had begun.
        self.fresh = True

    def event_of(self, member: int) -> shmkit.Event:
        return self.events[member % self.members if self.own_events else 0]

    def turn(self) -> int:
        return self.segment.load("u64", _TURN)

    def take_turn(self, turn: int) -> None:
        worker = self.worker
        for word in self.words:
            if word != turn and not (self.fresh and word == turn + 1):
                worker.violate(f"has turn {turn}, but sees word {word}")
        self.fresh = False
        for i in range(4):
            self.words[i] = turn + 1
        if worker.chance(4) == 0:
            self.noise.set()
        if self.segment.compare_exchange("u64", _TURN, turn, turn + 1) != turn:
            worker.violate(f"has turn {turn}, and somebody took it")
        self.event_of(turn + 1).set()
        worker.slot.advance()

    def wait(self) -> None:
        worker, own = self.worker, self.event_of(self.me)
        ways = [_SINCE, _ANY, _POLL, _ASYNC, _LEVEL]
        way = ways[worker.chance(5 if self.own_events else 4)]
        # All that is needed to miss nothing comes before the look.
        descriptor = own.fileno() if way == _POLL else -1
        if way == _LEVEL:
            own.clear()
        since = [own.sequence, self.noise.sequence]
        if self.turn() % self.members == self.me or worker.arena.stop:
            return
        timeout = worker.chance(20) / 1000 if worker.chance(16) == 0 else None
        worker.slot.count(way)
        if way == _SINCE:
            own.wait(since[0], timeout=timeout)
        elif way == _ANY:
            shmkit.wait_any([own, self.noise], since, timeout=timeout)
        elif way == _LEVEL:
            own.wait(timeout=timeout)
        elif way == _ASYNC:
            self.loop.run_until_complete(own.wait_async(since[0], timeout=timeout))
        elif way == _POLL:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            poll.poll()
            os.read(descriptor, 8)

    def close(self) -> None:
        self.loop.close()
        self.words.release()
        for event in (self.noise, *self.events):
            event.close()
        self.segment.close()


def work(worker: Worker, *words: str) -> None:
    member = _Member(worker, *words)
    # The predecessor may have died after it gave its turn away and before it said so.
    member.event_of(member.turn()).set()
    while not worker.arena.stop:
        turn = member.turn()
        if turn % member.members == member.me:
            worker.slot.phase = INSIDE
            member.take_turn(turn)
            worker.slot.phase = TRYING
        else:
            member.wait()
    member.close()


class Ring(Subject):
    """Members in this order; each has an event of its own, or all have one."""

    def __init__(self, name: str, languages: Sequence[str], own_events: bool) -> None:
        super().__init__(name, in_turns=True)
        self._languages = languages
        self._own_events = own_events

    def begin(self, address: str) -> list[Player]:
        self._segment = shmkit.create(address, _SIZE)
        self._events = [self._segment.event(64 * i) for i in range(_MEMBERS + 1)]
        count, own = str(len(self._languages)), str(int(self._own_events))
        return [
            Player(language, "ring", address, str(i), count, own)
            for i, language in enumerate(self._languages)
        ]

    def wake(self) -> None:
        for event in self._events:
            event.set()

    @property
    def turn(self) -> int:
        return self._segment.load("u64", _TURN)

    def check(self) -> None:
        turns, dead = self.progress, self.kills
        assert turns <= self.turn <= turns + dead, f"turn {self.turn}, {turns} taken, {dead} dead"

    def end(self) -> None:
        for event in self._events:
            event.close()
        self._segment.unlink()
        self._segment.close()

    def describe(self) -> str:
        events = ", ".join(
            f"{event.sequence}{' set' if event.is_set() else ''}" for event in self._events
        )
        return f"turn {self.turn}, events {events}"

    def report(self) -> list[str]:
        ways = (
            f"{name} {sum(player.slot.tally(way) for player in self.players)}"
            for way, name in enumerate(_NAMES)
        )
        return [f"{self.turn} hand-overs, {self.kills} killed", f"waits: {', '.join(ways)}"]
