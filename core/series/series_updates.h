/* SPDX-License-Identifier: MIT */
/* What a series learns of its counter's updates, for series_take(). Pure. */
#ifndef RAPL_SERIES_UPDATES_H
#define RAPL_SERIES_UPDATES_H

#include "series/series.h"

/* What it shows from now on follows on nothing. */
void series_break_updates(struct series *series);

/* Takes a step from the reading before to this one; broken: the machine slept, or a read failed in
 * between. Returns the step's outcome, but COUNTED for a step that is too large for the time since
 * the reading before, and may be an update of a slow counter: it is held. */
enum counter_outcome series_follow_updates(struct series *series, const struct counter_step *step,
                                           const struct reading *before,
                                           const struct reading *reading, bool broken);

/* Counts steps that are held once the period is known. Whether they turned out to be no energy. */
bool series_decide_held(struct series *series, struct rapl_health *health);

#endif
