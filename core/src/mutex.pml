/* SPDX-License-Identifier: MIT */
/*
 * mutex.c as spin sees it: threads that lock, write and unlock, each of which may die between any two
 * of its steps, on processors whose stores become visible later.
 *
 *   EXCLUSION    nobody is inside with another one
 *   VISIBILITY   who gets the mutex sees what the last holder wrote
 *   RECOVERY     whoever dies, wherever, the others get the mutex; a death inside is told
 *   WAKE-UPS     as long as nobody dies, nobody needs the end of a slice to go on
 *
 * Who cannot go on is a deadlock, which spin reports: slices end only after a death. A plain store
 * waits in a buffer; an atomic instruction empties it, and so does the kernel before it looks for
 * sleepers.
 *
 * With -DDEATHS=n so many may die, with -DGIVE_UPS=n so often may one who has slept have no more time.
 * Each of these breaks something and must be noticed:
 *   -DBREAK_UNLOCK   the mutex becomes free before what was written is visible
 *   -DBREAK_FLAG     who has slept locks without WAITERS
 *   -DBREAK_WAKE     nobody is woken
 *   -DBREAK_ASK      the mutex is taken from a holder without asking whether it lives
 *   -DBREAK_SLICE    sleeping has no end (with deaths)
 *   -DBREAK_GIVE_UP  who has slept gives up without WAITERS (with give-ups)
 */
#ifndef THREADS
#define THREADS 3
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0
#endif

#define WAITERS 8
#define HOLDER(word) ((word) & 7)
#define me _pid

byte word;              /* HOLDER is a thread's number plus one */
byte data, written;     /* what the mutex protects; what was written last */
bool dirty;             /* somebody died while writing, and nobody has been told */
byte inside, deaths, give_ups;
bool gone[THREADS];     /* has no lock on its identity's byte any more */
bool asleep[THREADS];
bool stores[THREADS];   /* a store to data is on its way */
byte store[THREADS];

/* ---- Processor and kernel ---- */

#define FLUSH                                                                                      \
  if                                                                                               \
  :: stores[me] -> data = store[me]; stores[me] = false                                            \
  :: else                                                                                          \
  fi

/* What was stored arrives all the same. */
#if DEATHS == 0
#define MAY_DIE skip
#else
#define MAY_DIE                                                                                    \
  if                                                                                               \
  :: deaths < DEATHS -> d_step { deaths++; FLUSH; gone[me] = true }; goto end                      \
  :: true                                                                                          \
  fi
#endif

inline wake_one() {
  atomic {
    FLUSH;
    if
    :: asleep[0] -> asleep[0] = false
    :: asleep[1] -> asleep[1] = false
#if THREADS > 2
    :: asleep[2] -> asleep[2] = false
#endif
    :: else
    fi
  }
}

/* Sleep if the word is still what it was; until woken, or the slice is over. */
inline sleep_on(value) {
  atomic {
    if
    :: word == value -> asleep[me] = true
    :: else
    fi
  };
  if
  :: !asleep[me]
#ifndef BREAK_SLICE
  :: deaths > 0 -> asleep[me] = false
#endif
  fi
}

/* ---- mutex.c ---- */

/* `got` in the end, unless it was given up; `told` if the last holder died. */
inline lock() {
  slept = false;
  told = false;
  got = true;
  do
  :: atomic {
      FLUSH;
      seen = word;
      if
#ifdef BREAK_FLAG
      :: HOLDER(word) == 0 -> word = mine; break
#else
      :: HOLDER(word) == 0 -> word = mine | (slept -> WAITERS : 0); break
#endif
      :: else
      fi
    };
    MAY_DIE;
#ifdef BREAK_ASK
    atomic {
      if
      :: word == seen -> word = mine | WAITERS; told = true; break
      :: else
      fi
    };
#else
    if
    :: gone[HOLDER(seen) - 1] ->
      MAY_DIE;
      atomic {
        FLUSH;
        if
        :: word == seen -> word = mine | WAITERS; told = true; break
        :: else
        fi
      }
    :: else
    fi;
#endif
    MAY_DIE;
#ifdef BREAK_GIVE_UP
    if
    :: d_step { slept && give_ups < GIVE_UPS -> give_ups++; got = false }; break
    :: true
    fi;
#endif
    atomic {
      FLUSH;
      if
      :: word == seen -> word = seen | WAITERS; seen = word; flagged = true
      :: else -> flagged = false
      fi
    };
    MAY_DIE;
    if
    :: d_step { flagged && slept && give_ups < GIVE_UPS -> give_ups++; got = false }; break
    :: flagged -> sleep_on(seen); slept = true
    :: !flagged
    fi
  od
}

inline unlock() {
#ifdef BREAK_UNLOCK
  atomic { seen = word; word = 0 };
#else
  atomic { FLUSH; seen = word; word = 0 };
#endif
  assert(HOLDER(seen) == mine);
  MAY_DIE;
#ifndef BREAK_WAKE
  if
  :: seen & WAITERS -> wake_one()
  :: else
  fi
#endif
}

/* What a program does with it. */
inline use() {
  d_step {
    assert(inside == 0);
    assert(!dirty || told);
    inside++;
    if
    :: told -> written = (stores[me] -> store[me] : data)
    :: else -> assert((stores[me] -> store[me] : data) == written)
    fi;
    dirty = true
  };
  if
  :: deaths < DEATHS -> d_step { deaths++; FLUSH; inside--; gone[me] = true }; goto end
  :: true
  fi;
  d_step { written = (written + 1) % 3; store[me] = written; stores[me] = true };
  d_step { dirty = false; inside-- }
}

active [THREADS] proctype Thread() {
  byte seen, round, mine = _pid + 1;
  bool slept, told, flagged, got;
  do
  :: round == ROUNDS -> break
  :: else ->
    round++;
    MAY_DIE;
    lock();
    MAY_DIE;
    if
    :: got ->
      use();
      MAY_DIE;
      unlock()
    :: else
    fi
  od;
  /* The end of a thread. */
  skip;
  d_step { FLUSH; gone[me] = true };
end:
  skip
}
