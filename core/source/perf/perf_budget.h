/* SPDX-License-Identifier: MIT */
/* Chooses which perf events are opened when there are too many to open all of them. */
#ifndef RAPL_PERF_BUDGET_H
#define RAPL_PERF_BUDGET_H

#include <stddef.h>

#include "problem/problem.h"
#include "source/perf/perf_reader.h"
#include "source/source.h"

/* Chooses among the readers' zones, and closes readers with zones that are left out. The single
 * cores of a package are taken all or none. 1: the choice has changed; 0: it has not; -ENOMEM. */
int perf_budget_apply(struct perf_reader *const *readers, size_t reader_count,
                      const struct source_options *options, struct limit *limit,
                      struct problems *problems);

#endif
