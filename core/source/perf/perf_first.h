/* SPDX-License-Identifier: MIT */
/* The first counts of events: they tell which of them count, and in what units. */
#ifndef RAPL_PERF_FIRST_H
#define RAPL_PERF_FIRST_H

#include <stddef.h>

#include "source/perf/perf_reader.h"

/* Where one core counts they all do: one that stands at 0 has slept, and used nothing. */
void perf_learn_cores(struct perf_reader *const *readers, size_t count);

/* Takes a first count of all that was opened; what does not move has no counter. */
void perf_read_first(struct perf_reader *const *readers, size_t count);

#endif
