/* SPDX-License-Identifier: MIT */
/* Sums of series: the total over packages and dram, all cores of a package. Pure. */
#ifndef RAPL_SUM_H
#define RAPL_SUM_H

#include <stdbool.h>
#include <stddef.h>

#include "series/series.h"

/* Whether its energy is in the sum: it has read at least once. */
bool sum_has_member(const struct series *sum, const struct series *series);

/* Takes what the members counted at a sample into the sum's window, where all of them did. */
void sum_take(struct series *sum, struct series *const *series, size_t count);

/* One of its members has gone; NULL: of none. What it sampled with that one is of another sum. */
void sum_lose_member(struct series *sum);

#endif
