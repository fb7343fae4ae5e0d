/* SPDX-License-Identifier: MIT */
/* What is true at the end of an interval, for each series and each sum. Pure. */
#ifndef RAPL_REPORT_H
#define RAPL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "series/series.h"

/*
 * Fills values (room for one per series and sum) and begins the next interval. The selected sums
 * are the last values. Returns the number of values. health counts powers that are left out because
 * reads were too slow.
 */
size_t report_build(struct series *const *series, size_t count, struct series *const *sums,
                    size_t sum_count, struct rapl_value *values, struct rapl_health *health);

#endif
