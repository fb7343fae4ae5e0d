/* SPDX-License-Identifier: MIT */
/* Sums of series: the total over packages and dram, all cores of a package. Pure. */
#ifndef RAPL_SUM_H
#define RAPL_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "series/series.h"

/* Whether the series is part of the sum's energy: it has been read at least once. */
bool sum_has_member(const struct series *sum, const struct series *series);

/* Adds what the members counted in a sweep to the sum's window, if all of them counted. */
void sum_take(struct series *sum, struct series *const *series, size_t count);

/* A member of the sum has gone. What was sampled with it belongs to another sum, and is dropped.
 * NULL: no sum. */
void sum_lose_member(struct series *sum);

#endif
