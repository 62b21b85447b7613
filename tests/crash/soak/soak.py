# SPDX-License-Identifier: MIT
"""Workers in all languages at once, killed at random: what is the same whatever they do.

A Subject is something that workers share, with players: places in which one worker after another
does the same, in one language. The soak starts a worker for each, kills and stops them at random,
starts others in their place, and watches that all that are left alone get on. In the end nobody is
killed any more and each has to get on once more; then all are told to stop, and end by themselves.

At random means: at whatever a worker is doing when a nap of random length is over. It depends on no
nap being long enough for anything. Whether a worker has come far enough to be worth killing is told
by its progress; one of eight may be killed before it has any. Who seems to be waiting for long is
left alone, lest its replacement hide that it would have waited for ever. For the same reason some
are replaced only when the others have got on without them.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence

import leftovers
import shmkit
from arena import INSIDE, PHASES, SIZE, SLOTS, Arena, Slot

LANGUAGES = ("c", "python", "lua")
NAMES = {"c": "C", "python": "Python", "lua": "Lua"}

# Seconds: a nap between two kills, on average; a wait after which one is not killed any more; how
# long one is stopped, at most.
_NAP = 0.012
_LONG = 0.25
_STOP = 0.15
# One of so many: naps after which somebody is stopped, or several are killed at once; times that
# those are chosen from who is inside; dead ones without whom the others have to get on first;
# workers in Python that are interpreters of their own instead of being forked; kills before any
# progress.
_STOPS = 10
_SEVERAL = 10
_INSIDE = 3
_MISSED = 3
_INTERPRETERS = 8
_EARLY = 8


class Failure(Exception):
    """The soak has found something."""


class Player:
    """A place in which one worker after another does the same: `role` and `words` are what it is
    told, after the words that all are."""

    def __init__(self, language: str, role: str, *words: str) -> None:
        self.language = language
        self.role = role
        self.words = words
        # The present worker, or that there is none; when it was born in seconds since 1970, whether
        # it is stopped by SIGSTOP, and from when to when.
        self.pid = self.serial = 0
        self.present = False
        self.born = 0.0
        self.stopped = False
        self.stopped_since = self.stopped_until = 0.0
        # When there is none: the subject's progress when it died.
        self.left_at = 0
        # Its progress when it was started, when it was last seen to get on, and that time.
        self.begun = self.progress = 0
        self.since = 0.0
        # Given by the soak.
        self.subject: Subject
        self.number: int
        self.slot: Slot

    def __str__(self) -> str:
        return f"{NAMES[self.language]} {self.serial} ({self.role} of {self.subject.name})"


class Subject:
    """Something that workers share, and what must hold of it.

    `exact`: who is to be killed is stopped first. `in_turns`: none gets on before all have.
    """

    def __init__(self, name: str, *, exact: bool = False, in_turns: bool = False) -> None:
        self.name = name
        self.exact = exact
        self.in_turns = in_turns
        self.kills = 0
        # How long somebody did not get on, at most; since when all are there, if
        # that matters.
        self.longest = self.ready = 0.0
        # Given by the soak.
        self.players: list[Player] = []

    def begin(self, address: str) -> list[Player]:
        """Make what is shared, under that address or others that begin with it."""
        raise NotImplementedError

    def killed(self, victim: Player) -> None:
        """When one is dead, or still stopped and about to be killed, and not yet replaced."""

    def stopped(self, player: Player) -> None:
        """When one was stopped that will go on, if it is not killed before."""

    def wake(self) -> None:
        """Again and again when all have been told to stop."""

    def check(self) -> None:
        """When all have ended: AssertionError for what does not hold."""

    def end(self) -> None:
        """Leave nothing."""

    def describe(self) -> str:
        """What it looks like now, for people."""
        return ""

    def report(self) -> list[str]:
        """What has happened, in figures."""
        return []

    @property
    def progress(self) -> int:
        return sum(player.slot.progress for player in self.players)


class Soak:
    """One run. `work` does in a forked child what COMMANDS["python"] does in an interpreter of its
    own, and returns the exit status. `deadline`: seconds after which who does not get on hangs."""

    def __init__(
        self,
        subjects: Sequence[Subject],
        commands: dict[str, list[str]],
        work: Callable[..., int],
        seed: int,
        deadline: float,
    ) -> None:
        self.subjects = subjects
        self.players: list[Player] = []
        self.kills = dict.fromkeys(LANGUAGES, 0)
        self.interpreters = self.stops = self.generation = 0
        self._commands = commands
        self._work = work
        self._deadline = deadline
        self._random = random.Random(seed)
        self._prefix = f"shmkit-soak-{os.getpid()}-"
        self._lives: list[leftovers.Life] = []

    def run(self, seconds: float, kills: int | None) -> None:
        """For that long, or until so many have been killed; Failure."""
        self._started = time.monotonic()
        self._guardian = leftovers.Guardian(self._prefix)
        self._segment = shmkit.create(f"{self._prefix}arena", SIZE)
        self.arena = Arena(self._segment)
        try:
            self._begin()
            while not self._is_enough(seconds, kills):
                self._step()
            self._let_all_get_on()
            self._stop_all()
            for subject in self.subjects:
                subject.check()
            self._end()
        except AssertionError as error:
            raise Failure(str(error)) from error
        finally:
            self._guardian.end()

    @property
    def killed(self) -> int:
        return sum(self.kills.values())

    def _is_enough(self, seconds: float, kills: int | None) -> bool:
        if kills is not None:
            return self.killed >= kills
        return time.monotonic() - self._started >= seconds

    def _one_of(self, many: int) -> bool:
        return self._random.random() * many < 1

    # ---- Workers ----

    def _begin(self) -> None:
        for subject in self.subjects:
            subject.players = subject.begin(f"{self._prefix}{subject.name}")
            for player in subject.players:
                player.subject = subject
                player.number = len(self.players)
                player.slot = Slot(self.arena, player.number)
                self.players.append(player)
        assert len(self.players) <= SLOTS
        for player in self.players:
            self._start(player)

    def _start(self, player: Player) -> None:
        self.generation += 1
        player.serial = self.generation * SLOTS + player.number
        player.present = True
        player.born = time.time()
        player.slot.mark = player.slot.phase = 0
        player.begun = player.progress = player.slot.progress
        player.since = time.monotonic()
        seed = self._random.getrandbits(31)
        words = [self._segment.address, *map(str, (player.number, player.serial, seed))]
        words += [player.role, *player.words]
        if player.language == "python" and not self._one_of(_INTERPRETERS):
            player.pid = self._fork(words)
        else:
            command = self._commands[player.language]
            player.pid = os.posix_spawnp(
                command[0], [*command, *words], os.environ, setpgroup=self._guardian.group
            )
            self.interpreters += player.language == "python"

    def _fork(self, words: list[str]) -> int:
        sys.stdout.flush()
        pid = os.fork()
        if pid != 0:
            return pid
        try:
            self._guardian.adopt()
            status = self._work(*words)
        except BaseException:
            status = 1
        os._exit(status)

    # ---- Killing ----

    def _step(self) -> None:
        time.sleep(self._random.expovariate(1 / _NAP))
        self._watch()
        self._replace()
        for player in self.players:
            if player.stopped and time.monotonic() >= player.stopped_until:
                self._continue(player)
        if self._one_of(_STOPS):
            self._stop_for_a_while()
        several = self._random.randint(2, 4) if self._one_of(_SEVERAL) else 1
        victims: list[Player] = []
        for _ in range(several):
            # As many of each language.
            language = self._random.choice(LANGUAGES)
            candidates = [
                player
                for player in self.players
                if player.language == language and player not in victims and self._may_die(player)
            ]
            victims += self._choose(candidates)
        self._kill(victims)

    def _choose(self, players: Sequence[Player]) -> list[Player]:
        """One of them who is present, or none; with some preference for who is inside."""
        players = [player for player in players if player.present]
        if self._one_of(_INSIDE):
            players = [player for player in players if player.slot.phase == INSIDE] or players
        return [self._random.choice(players)] if players else []

    def _stop_for_a_while(self) -> None:
        for player in self._choose([each for each in self.players if not each.stopped]):
            self._stop(player, self._random.uniform(0, _STOP))
            player.subject.stopped(player)
            self.stops += 1

    def _may_die(self, player: Player) -> bool:
        if player.progress == player.begun and not self._one_of(_EARLY):
            return False
        return time.monotonic() - player.since < _LONG

    def _stop(self, player: Player, seconds: float) -> None:
        if player.stopped:
            return
        os.kill(player.pid, signal.SIGSTOP)
        _, status = os.waitpid(player.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            self._fail_ended(player, status)
        player.stopped = True
        player.stopped_since = time.monotonic()
        player.stopped_until = player.stopped_since + seconds

    def _continue(self, player: Player) -> None:
        os.kill(player.pid, signal.SIGCONT)
        self._forgive(player)

    def _forgive(self, player: Player) -> None:
        """It is not stopped any more. Others may have waited for it, which does not count."""
        player.stopped = False
        now = time.monotonic()
        for each in player.subject.players:
            each.since = min(now, each.since + now - player.stopped_since)

    def _kill(self, victims: Sequence[Player]) -> None:
        for player in victims:
            if player.subject.exact:
                self._stop(player, 0)
            if player.stopped:
                player.subject.killed(player)
            self.arena.condemn(player.serial)
            os.kill(player.pid, signal.SIGKILL)
        for player in victims:
            _, status = os.waitpid(player.pid, 0)
            if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
                self._fail_ended(player, status)
            if player.stopped:
                self._forgive(player)
            else:
                player.subject.killed(player)
            player.subject.kills += 1
            self.kills[player.language] += 1
            self._bury(player)
        for player in victims:
            player.left_at = player.subject.progress
            if player.subject.in_turns or not self._one_of(_MISSED):
                self._start(player)

    def _replace(self) -> None:
        """Those whose loss the others have got over, or of whom there are too few to do so."""
        for player in self.players:
            present = sum(each.present for each in player.subject.players)
            if not player.present and (present < 2 or player.subject.progress != player.left_at):
                self._start(player)

    def _bury(self, player: Player) -> None:
        player.present = False
        self._lives.append(leftovers.Life(player.pid, player.born, time.time()))

    # ---- Watching ----

    def _watch(self) -> None:
        """Failure when something is wrong, or somebody does not get on."""
        self._reap()
        if self.arena.claimed:
            self._fail_violated()
        # What is measured is how long waits take, not how long a worker takes to start.
        for subject in self.subjects:
            if subject.in_turns and any(each.progress == each.begun for each in subject.players):
                subject.ready = time.monotonic()
        for player in self.players:
            now, progress, subject = time.monotonic(), player.slot.progress, player.subject
            if progress != player.progress:
                if player.progress != player.begun:
                    wait = now - max(player.since, subject.ready)
                    subject.longest = max(subject.longest, wait)
                player.progress, player.since = progress, now
            elif player.present and now - player.since > self._deadline:
                raise Failure(f"{player} does not get on\n{self.describe()}")

    def _reap(self) -> list[Player]:
        """Those that have ended by themselves, and well, which they only may when told."""
        ended = []
        while self.players:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            player = next((each for each in self.players if each.present and each.pid == pid), None)
            if player is None:
                raise Failure(f"process {pid} ended, which is no worker")
            if status != 0 or not self.arena.stop:
                self._fail_ended(player, status)
            self._bury(player)
            ended.append(player)
        return ended

    def _fail_ended(self, player: Player, status: int) -> None:
        if self.arena.claimed:
            self._fail_violated()
        raise Failure(f"{player} ended with {os.waitstatus_to_exitcode(status)}")

    def _fail_violated(self) -> None:
        # Who writes it down may have been killed, or be about to be done.
        until = time.monotonic() + 1
        while self.arena.reported < self.arena.claimed and time.monotonic() < until:
            os.sched_yield()
        raise Failure("\n".join([*self.arena.reports(), self.describe()]))

    def describe(self) -> str:
        lines = [f"{subject.name}: {subject.describe()}" for subject in self.subjects]
        now = time.monotonic()
        for player in self.players:
            stopped = "" if player.present else ", dead"
            stopped += ", stopped" if player.stopped else ""
            lines.append(
                f"{player}: progress {player.slot.progress - player.begun}, "
                f"{PHASES[player.slot.phase]}, for {now - player.since:.2f} s{stopped}"
            )
        return "\n".join(lines)

    # ---- The end ----

    def _let_all_get_on(self) -> None:
        for player in self.players:
            if player.stopped:
                self._continue(player)
        before = {player: player.slot.progress for player in self.players}
        while any(player.slot.progress == before[player] for player in self.players):
            self._watch()
            self._replace()
            time.sleep(_NAP)

    def _stop_all(self) -> None:
        self.arena.stop = 1
        left = set(self.players)
        until = time.monotonic() + self._deadline
        while left:
            for subject in self.subjects:
                subject.wake()
            left.difference_update(self._reap())
            if time.monotonic() > until:
                raise Failure(f"told to stop, {min(left, key=str)} does not\n{self.describe()}")
            time.sleep(_NAP)
        if self.arena.claimed:
            self._fail_violated()

    def _end(self) -> None:
        self._figures = self._count()
        for subject in self.subjects:
            subject.end()
        self._segment.unlink()
        self._segment.close()
        left = leftovers.look(self._prefix, self._guardian, self._lives)
        assert not left, f"left over: {', '.join(left)}"

    def _count(self) -> list[str]:
        figures = [
            f"{subject.name}: {figure}"
            for subject in self.subjects
            for figure in (*subject.report(), f"longest wait {subject.longest:.2f} s")
        ]
        killed = ", ".join(f"{number} {NAMES[each]}" for each, number in self.kills.items())
        return [
            *figures,
            f"{self.killed} killed in {time.monotonic() - self._started:.0f} s: {killed}",
            f"{self.interpreters} Python interpreters started, other Python workers forked; "
            f"{self.stops} stopped for a while",
            "nothing left",
        ]

    def report(self) -> list[str]:
        """After a run: what has happened, in figures."""
        return self._figures
