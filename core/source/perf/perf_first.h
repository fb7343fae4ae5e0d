/* SPDX-License-Identifier: MIT */
/* First counts of events, which show which events count, and in what units. */
#ifndef RAPL_PERF_FIRST_H
#define RAPL_PERF_FIRST_H

#include <stddef.h>

#include "source/perf/perf_reader.h"

/* If one core counts, all do: a core at 0 has slept since its start and used nothing. */
void perf_learn_cores(struct perf_reader *const *readers, size_t count);

/* Takes a first count of all open events. Waits up to 20 ms for a first move, and up to 48 ms to
 * learn a unit. Events that do not move are taken to have no counter. */
void perf_read_first(struct perf_reader *const *readers, size_t count);

#endif
