/* SPDX-License-Identifier: MIT */
/* What every measure here is taken with. */
#ifndef RAPL_BENCH_MEASURE_H
#define RAPL_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC. */
uint64_t measure_now_ns(void);

/* Sorts the values. */
double measure_median(double *values, size_t count);

/* Room for so many values; ends the program without memory. */
double *measure_room(size_t count);

#endif
