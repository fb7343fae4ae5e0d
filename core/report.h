/* SPDX-License-Identifier: MIT */
/* What is true to say at the end of an interval: of each series, and of their total. Pure. */
#ifndef RAPL_REPORT_H
#define RAPL_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "series.h"

/*
 * Fills values (room for one per series and the total) and begins the next interval. The total is
 * the last value; total is its series, or NULL where it is not wanted. Returns how many there are.
 */
size_t report_build(struct series *const *series, size_t count, const struct series *total,
                    struct rapl_value *values);

#endif
