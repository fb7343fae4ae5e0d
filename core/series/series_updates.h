/* SPDX-License-Identifier: MIT */
/* What a series learns from its counter's updates, for series_take(). Pure. */
#ifndef RAPL_SERIES_UPDATES_H
#define RAPL_SERIES_UPDATES_H

#include "series/series.h"

/* The next reading does not continue the last one. */
void series_break_updates(struct series *series);

/* Takes a step from the reading before to this one; broken: the machine slept, or a read failed in
 * between. Returns the step's outcome. A step that is too large for the time since the reading
 * before, but may be an update of a slow counter, is held, and COUNTED is returned. */
enum counter_outcome series_follow_updates(struct series *series, const struct counter_step *step,
                                           const struct reading *before,
                                           const struct reading *reading, bool broken);

/* Decides held steps once the period is known. Returns whether they were not energy. */
bool series_decide_held(struct series *series, struct rapl_health *health);

#endif
