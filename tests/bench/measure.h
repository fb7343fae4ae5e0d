/* SPDX-License-Identifier: MIT */
/* What all measurements here use. */
#ifndef RAPL_BENCH_MEASURE_H
#define RAPL_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC, in ns. */
uint64_t measure_now_ns(void);

/* Also sorts the values. */
double measure_median(double *values, size_t count);

/* Allocates that many values; ends the program if there is no memory. */
double *measure_room(size_t count);

#endif
