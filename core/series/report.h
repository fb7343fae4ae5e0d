/* SPDX-License-Identifier: MIT */
/* What is true to say at the end of an interval: of each series, and of their sums. Pure. */
#ifndef RAPL_REPORT_H
#define RAPL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "series/series.h"

/*
 * Fills values (room for one per series and sum) and begins the next interval. The sums that are
 * selected are the last values. Returns how many there are. Counts in
 * health the powers that are left out because reads were too slow.
 */
size_t report_build(struct series *const *series, size_t count, struct series *const *sums,
                    size_t sum_count, struct rapl_value *values, struct rapl_health *health);

#endif
