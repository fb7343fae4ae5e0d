/* SPDX-License-Identifier: MIT */
/*
 * A reading is stamped in the middle of its read, though the counter had that value at any instant
 * of it. Where the machine stalls in a read, the stamp is off by up to half of the stall. Such a
 * read is repeated at once, and the shortest one counts.
 */
#ifndef RAPL_SLOW_READ_H
#define RAPL_SLOW_READ_H

#include <stdint.h>

/* A read is slow if it takes more than 1/50 of the time since the last report, so that its stamp is
 * off by up to 1 % of that; reads below 2 ms never are. */
#define SLOW_READ_SHARE 50
#define SLOW_READ_LEAST_NS UINT64_C(2000000)

/* What still takes longer after that is no reading: the next one is. */
#define SLOW_READ_LONGEST_NS UINT64_C(1000000000)

#define SLOW_READ_REPEATS 2

/* Where reads are always slow, repeating them does not help: none is begun once those of a sample
 * have taken so many times what makes one slow (4 % of the time since the last report). */
#define SLOW_READ_BUDGET 2

/* The slow reads of one sample. All 0: none is slow, as far as repeats go. */
struct slow_reads {
    uint64_t slow_ns;     /* reads that take longer are slow */
    uint64_t repeated_ns; /* that repeated reads have taken */
};

static inline void slow_reads_begin(struct slow_reads *slow, uint64_t span_ns) {
    uint64_t slow_ns = span_ns / SLOW_READ_SHARE;
    if (slow_ns < SLOW_READ_LEAST_NS)
        slow_ns = SLOW_READ_LEAST_NS;
    slow->slow_ns = slow_ns < SLOW_READ_LONGEST_NS ? slow_ns : SLOW_READ_LONGEST_NS;
    slow->repeated_ns = 0;
}

/*
 * Repeats a read that took took_ns for as long as that is slow and repeats are left. read does it
 * once more, keeps the shorter one, and returns how long it took; 0: it failed.
 */
void slow_reads_repeat(struct slow_reads *slow, uint64_t took_ns, uint64_t (*read)(void *counter),
                       void *counter);

#endif
