/* SPDX-License-Identifier: MIT */
/* Stands between the program and clock_gettime(2), so that a second need not be waited for. */
#ifndef RAPL_BENCH_CLOCKS_H
#define RAPL_BENCH_CLOCKS_H

#include <stdint.h>

/* All clocks go on from a later instant. */
void clocks_skip(uint64_t ns);

/* From here on a clock moves by clocks_skip() and, at each reading, by a microsecond: what is
 * counted is the same in every run. */
void clocks_stop(void);

#endif
