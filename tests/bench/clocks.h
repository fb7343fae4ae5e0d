/* SPDX-License-Identifier: MIT */
/* Replaces clock_gettime(2), so that tests need not wait for a second to pass. */
#ifndef RAPL_BENCH_CLOCKS_H
#define RAPL_BENCH_CLOCKS_H

#include <stdint.h>

/* Moves all clocks forward. */
void clocks_skip(uint64_t ns);

/* From now on a clock moves only by clocks_skip() and, at each reading, by a microsecond: every run
 * counts the same. */
void clocks_stop(void);

#endif
