/* SPDX-License-Identifier: MIT */
/* Which events of perf are opened where not all may be. */
#ifndef RAPL_PERF_BUDGET_H
#define RAPL_PERF_BUDGET_H

#include <stddef.h>

#include "problem/problem.h"
#include "source/perf/perf_reader.h"
#include "source/source.h"

/* Chooses by what the readers' zones are, and closes what is to be left out; the single cores of a
 * package are taken all or none. 1: other ones than before; -ENOMEM. */
int perf_budget_apply(struct perf_reader *const *readers, size_t reader_count,
                      const struct source_options *options, struct limit *limit,
                      struct problems *problems);

#endif
