/* SPDX-License-Identifier: MIT */
/* By which name a zone finds the series that it feeds. */
#ifndef RAPL_BINDING_NAME_H
#define RAPL_BINDING_NAME_H

#include "series/binding.h"

/* The series that the zone feeds by its name: no other zone feeds it, or one of another control
 * type does. NULL: there is none. */
struct series *binding_find_name(const struct binding *binding, const struct zone *zone);

/* Makes it. NULL without memory. */
struct series *binding_make_name(struct binding *binding, const struct zone *zone);

/* The zone feeds its series no more: the one that it feeds next begins where both were the same. */
void binding_leave(struct binding *binding, struct zone *zone);

/* Its counter is that of all dies of the package: it goes by the package's name, where that is
 * free. -ENOMEM. */
int binding_drop_die(struct binding *binding, struct series *series);

#endif
