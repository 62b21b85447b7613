# SPDX-License-Identifier: MIT
"""A mutex that workers of all languages lock, and what must hold however many are killed.

A worker writes its number inside, does work that takes several steps, takes its number away and
unlocks. So the number of a dead one says that its work is half-done. What must hold:

- Nobody finds a number, or half-done work, unless he is told that the last holder died; and
  that one was killed, not merely stopped.
- Nobody's number or identity changes while he is inside, and nobody else's work is added.
- It is told once for each death with the mutex; see Guarded.check.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import shmkit
from arena import INSIDE, LEAVING, OUTSIDE, TRYING, Worker
from soak import Player, Subject

# See mutex.c.
_INSIDE, _IDENTITY, _TOLD, _WORDS, _SIZE = 64, 72, 80, 96, 128
_TIMEOUTS, _REPAIRS, _UNTOUCHED = range(3)
_HOLDER = (1 << 30) - 1


def work(worker: Worker, address: str) -> None:
    """The same as mutex.c."""
    segment = shmkit.open(address)
    mutex = segment.mutex(0)
    words = segment.view("u64", _WORDS, 4)
    slot, me = worker.slot, worker.serial

    def lock() -> bool:
        while True:
            way = worker.chance(3)
            if way == 0:
                done = mutex.acquire()
            elif way == 1:
                done = mutex.acquire(timeout=worker.chance(20) / 1000)
            else:
                done = mutex.acquire(blocking=False)
            if done:
                return mutex.owner_died
            slot.count(_TIMEOUTS)

    def repair(before: int) -> None:
        if before != 0 and not worker.arena.is_condemned(before):
            worker.violate(f"got the mutex of {before}, who lives")
        slot.count(_UNTOUCHED if before == 0 else _REPAIRS)
        for i in range(1, 4):
            words[i] = words[0]

    def check_mine() -> None:
        state = mutex.look()
        if state != (True, True, False, slot.mark):
            worker.violate(f"is inside with identity {slot.mark}, but the mutex is {state}")

    def do_work() -> None:
        count = words[0]
        for i in range(4):
            words[i] = words[i] + 1
            if worker.chance(8) == 0:
                os.sched_yield()
            inside = segment.load("u64", _INSIDE)
            if words[i] != count + 1 or inside != me:
                worker.violate(f"was not alone: {inside} is inside")

    while not worker.arena.stop:
        slot.phase = TRYING
        told = lock()
        if told:
            segment.add("u64", _TOLD, 1)
        if slot.mark == 0:
            slot.mark = mutex.look().identity
        slot.phase = INSIDE
        before = segment.load("u64", _INSIDE)
        if told:
            repair(before)
        elif before != 0 or len(set(words)) > 1:
            worker.violate(f"was not told that {before} is inside, or half-done work")
        segment.store("u64", _INSIDE, me)
        check_mine()
        segment.store("u64", _IDENTITY, slot.mark)
        do_work()
        identity = segment.load("u64", _IDENTITY)
        if identity != slot.mark:
            worker.violate(f"was not alone: identity {identity} was inside")
        segment.store("u64", _INSIDE, 0)
        slot.phase = LEAVING
        mutex.release()
        slot.phase = OUTSIDE
        slot.advance()
        # Others must have a chance.
        for _ in range(worker.chance(4)):
            os.sched_yield()
    words.release()
    mutex.close()
    segment.close()


class Guarded(Subject):
    """One mutex, with a worker in each of these languages. `exact`: who is to be killed is stopped
    first, so that it is certain whether it holds the mutex; else that is certain of most."""

    def __init__(self, name: str, languages: Sequence[str], exact: bool) -> None:
        super().__init__(name, exact=exact)
        self._languages = languages
        # Deaths with the mutex: certain ones inside, all that are certain, all that may be.
        self.inside = self.certain = self.possible = 0
        self.stopped_inside = 0

    def begin(self, address: str) -> list[Player]:
        self._segment = shmkit.create(address, _SIZE)
        self._mutex = self._segment.mutex(0)
        # The workers that are forked must not take this process's identity for theirs.
        self._mutex.acquire(blocking=False)
        self._mutex.release()
        return [Player(language, "mutex", address) for language in self._languages]

    def _holder(self) -> int:
        return self._segment.load("u32", 0) & _HOLDER

    def killed(self, victim: Player) -> None:
        phase, mark, holder = victim.slot.phase, victim.slot.mark, self._holder()
        if phase == OUTSIDE:
            return
        if phase == INSIDE or (holder != 0 and holder == mark):
            self.certain += 1
            self.possible += 1
            self.inside += phase == INSIDE
        elif not victim.stopped:
            # Somebody may have got it from it since.
            self.possible += 1
        elif mark == 0 and holder not in (0, *(player.slot.mark for player in self.players)):
            # It has an identity, and had no time to write it down.
            self.possible += 1

    def stopped(self, player: Player) -> None:
        self.stopped_inside += player.slot.phase == INSIDE

    @property
    def told(self) -> int:
        return self._segment.load("u64", _TOLD)

    def tally(self, which: int) -> int:
        return sum(player.slot.tally(which) for player in self.players)

    def check(self) -> None:
        """When all have ended."""
        # The last one may have died with it.
        assert self._mutex.acquire(blocking=False), "nobody is there, and it is locked"
        told = self.told + self._mutex.owner_died
        self._mutex.release()
        assert self._holder() == 0
        # Of each that died inside the next one is told, who counts it before it is inside itself.
        # One that dies before it has counted had the mutex, and so the next one is told of it.
        assert self.inside <= told, f"{self.inside} died inside, {told} were told"
        assert told <= self.possible, f"{self.possible} may have died with it, {told} were told"
        words = self._segment.view("u64", _WORDS, 4).tolist()
        rounds, dead = self.progress, self.kills
        assert rounds <= words[0] <= rounds + dead, f"{rounds} rounds, {dead} dead, words {words}"

    def end(self) -> None:
        self._mutex.close()
        locks = shmkit.stat(self._segment.address)[0].locks
        self._segment.unlink()
        self._segment.close()
        assert locks == 0, "nobody is there, and somebody has an identity"

    def describe(self) -> str:
        state = self._mutex.look()
        inside = self._segment.load("u64", _INSIDE)
        return f"{state}, {inside} inside, words {self._segment.view('u64', _WORDS, 4).tolist()}"

    def report(self) -> list[str]:
        return [
            f"{self.progress} acquisitions, {self.tally(_TIMEOUTS)} attempts in vain",
            f"{self.kills} killed, {self.inside} of them inside, {self.certain} to {self.possible} "
            f"with the mutex; {self.told} were told, {self.tally(_REPAIRS)} had to repair",
            f"{self.stopped_inside} stopped for a while inside",
        ]
