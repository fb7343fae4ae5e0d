/* SPDX-License-Identifier: MIT */
#include "measure.h"

#include <err.h>
#include <stdlib.h>
#include <time.h>

uint64_t measure_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    const double *first = a;
    const double *second = b;
    return (*first > *second) - (*first < *second);
}

double measure_median(double *values, size_t count) {
    qsort(values, count, sizeof(*values), compare);
    return values[count / 2];
}

double *measure_room(size_t count) {
    double *values = calloc(count, sizeof(*values));
    if (values == NULL)
        err(1, "room for %zu values", count);
    return values;
}
