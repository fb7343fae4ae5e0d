/* SPDX-License-Identifier: MIT */
/* Finds the series that a zone feeds by the zone's name. */
#ifndef RAPL_BINDING_NAME_H
#define RAPL_BINDING_NAME_H

#include "series/binding.h"

/* The series that the zone feeds by its name: either no other zone feeds it, or one of another
 * control type does. NULL: there is none. */
struct series *binding_find_name(const struct binding *binding, const struct zone *zone);

/* Makes that series. NULL: out of memory. */
struct series *binding_make_name(struct binding *binding, const struct zone *zone);

/* The zone leaves its series. The series that it feeds next begins at the last common reading. */
void binding_leave(struct binding *binding, struct zone *zone);

/* The counter belongs to all dies of the package: the series takes the package's name if no other
 * has it. -ENOMEM. */
int binding_drop_die(struct binding *binding, struct series *series);

#endif
