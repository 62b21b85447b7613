/* SPDX-License-Identifier: MIT */
/*
 * event.c as spin sees it: some who publish a number and set the event, others who wait until it was
 * set since they looked, each of whom may die between any two of its steps.
 *
 *   WAKE-UPS     as long as nobody dies, every waiter sees every set that it waits for, and nobody
 *                needs the end of a slice for that
 *   RECOVERY     whoever dies, the others go on
 *   VISIBILITY   who sees the set sees what was published before
 *
 * Stores become visible later, as in mutex.pml. With -DDEATHS=n so many may die. Each of these breaks
 * something and must be noticed:
 *   -DBREAK_WORD    count and flag are two words without a fence between: the setter stores the
 *                   count and looks at the flag
 *   -DBREAK_SLEEP   the kernel does not compare the word before the waiter sleeps
 *   -DBREAK_WAKE    one is woken where all should be
 *   -DBREAK_ORDER   the count becomes visible before what was published
 *   -DBREAK_SLICE   sleeping has no end (with deaths)
 */
#ifndef SETTERS
#define SETTERS 1
#endif
#ifndef WAITERS
#define WAITERS 2
#endif
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef DEATHS
#define DEATHS 0
#endif

#define ALL (SETTERS + WAITERS)
#define me _pid

/* The word: how often it was set, and whether somebody may sleep. */
byte count;
bool flag;
/* How many numbers are visible, and how many are on their way; with BREAK_WORD, the count is, too. */
byte published, publishing[ALL], counting[ALL];
byte setters = SETTERS; /* who may still set */
byte deaths;
bool asleep[ALL];

/* ---- Processor and kernel ---- */

#define FLUSH                                                                                      \
  published = published + publishing[me];                                                          \
  publishing[me] = 0;                                                                              \
  count = count + counting[me];                                                                    \
  counting[me] = 0

#if DEATHS == 0
#define MAY_DIE skip
#else
#define MAY_DIE                                                                                    \
  if                                                                                               \
  :: deaths < DEATHS -> deaths++; goto end                                                         \
  :: true                                                                                          \
  fi
#endif

inline wake_all() {
  d_step {
    FLUSH;
    asleep[SETTERS] = false;
#ifndef BREAK_WAKE
    asleep[ALL - 1] = false
#endif
  }
}

/* ---- event.c ---- */

active [SETTERS] proctype Setter() {
  byte round;
  bool wake;
  do
  :: round == ROUNDS -> break
  :: else ->
    round++;
    publishing[me] = publishing[me] + 1;
    MAY_DIE;
#ifdef BREAK_WORD
    counting[me] = counting[me] + 1;
    wake = flag;
#else
#ifdef BREAK_ORDER
    d_step { count++; wake = flag; flag = false };
#else
    d_step { FLUSH; count++; wake = flag; flag = false };
#endif
#endif
    MAY_DIE;
    if
    :: wake -> wake_all()
    :: else
    fi
  od;
end:
  skip;
  d_step { FLUSH; setters-- }
}

active [WAITERS] proctype Waiter() {
  byte since, seen;
  bool flagged;
  do
  :: /* Until it was set since. */
    do
    :: seen = count;
      if
      :: seen != since -> break
      :: else
      fi;
      /* Nothing more will come, and what came has been seen: not a wait that must end. */
      if
      :: setters == 0 && count == since -> goto end
      :: else
      fi;
      MAY_DIE;
      atomic {
        if
        :: count == seen -> flag = true; flagged = true
        :: else -> flagged = false
        fi
      };
      MAY_DIE;
      if
      :: flagged ->
        atomic {
          if
#ifdef BREAK_SLEEP
          :: true -> asleep[me] = true
#else
          :: count == seen && flag -> asleep[me] = true
          :: else
#endif
          fi
        };
        if
        :: !asleep[me]
        :: setters == 0 && count == since -> asleep[me] = false
#ifndef BREAK_SLICE
        :: deaths > 0 -> asleep[me] = false
#endif
        fi
      :: else
      fi
    od;
    assert(published >= seen);
    since = seen
  od;
end:
  asleep[me] = false
}
