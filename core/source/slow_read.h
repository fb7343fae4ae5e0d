/* SPDX-License-Identifier: MIT */
/*
 * A reading is stamped in the middle of its read, but its value may be from any instant of the
 * read. If the machine stalls during a read, the stamp is off by up to half of the stall. Such a
 * read is repeated at once, and the shortest one counts.
 */
#ifndef RAPL_SLOW_READ_H
#define RAPL_SLOW_READ_H

#include <stdint.h>

/* A read is slow if it takes more than 1/50 of the time since the last report, which puts its stamp
 * off by up to 1 % of that time. Reads shorter than 2 ms are never slow. */
#define SLOW_READ_SHARE 50
#define SLOW_READ_LEAST_NS UINT64_C(2000000)

/* If the shortest read still takes longer than this, the reading fails. */
#define SLOW_READ_LONGEST_NS UINT64_C(1000000000)

#define SLOW_READ_REPEATS 2

/* Repeats do not help if every read is slow. A sweep begins no more of them once its repeats have
 * taken this many times slow_ns (4 % of the time since the last report). */
#define SLOW_READ_BUDGET 2

/* The slow reads of one sweep. All fields 0: every read counts as slow, and none is repeated. */
struct slow_reads {
    uint64_t slow_ns;     /* reads that take longer are slow */
    uint64_t repeated_ns; /* time spent on repeated reads */
};

static inline void slow_reads_begin(struct slow_reads *slow, uint64_t span_ns) {
    uint64_t slow_ns = span_ns / SLOW_READ_SHARE;
    if (slow_ns < SLOW_READ_LEAST_NS)
        slow_ns = SLOW_READ_LEAST_NS;
    slow->slow_ns = slow_ns < SLOW_READ_LONGEST_NS ? slow_ns : SLOW_READ_LONGEST_NS;
    slow->repeated_ns = 0;
}

/*
 * Repeats a read that took took_ns until a read is fast enough or the repeats are used up. The
 * callback reads once more, keeps the shorter read, and returns how long its own took; 0: it
 * failed.
 */
void slow_reads_repeat(struct slow_reads *slow, uint64_t took_ns, uint64_t (*read)(void *counter),
                       void *counter);

#endif
