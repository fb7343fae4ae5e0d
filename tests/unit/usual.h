/* SPDX-License-Identifier: MIT */
/* Counters that are known to move once a millisecond, as on most machines some milliseconds after
 * the start: for tests of other things. */
#ifndef RAPL_TEST_USUAL_H
#define RAPL_TEST_USUAL_H

#include "handle.h"

static inline void assume_usual(struct series *series) {
    if (series->period.state != PERIOD_SOUGHT)
        return;
    series->period = (struct period){
        .state = PERIOD_FAST, .large = true, .least_ns = 900000, .most_ns = 1100000};
    series->motion = SERIES_MOVED;
    series_set_spans(series);
}

/* Applies to the series that exist by now. */
static inline void assume_usual_counters(struct rapl *rapl) {
    for (size_t i = 0; i < rapl->binding.series_count; i++)
        assume_usual(rapl->binding.series[i]);
    rapl->look_ns = UINT64_MAX;
}

#endif
