/* SPDX-License-Identifier: MIT */
/* Which package bounds which part of it. */
#ifndef RAPL_BINDING_WHOLE_H
#define RAPL_BINDING_WHOLE_H

#include "series/binding.h"

/* Moves the last series, which was just added, before the parts of its package, if it is one: a
 * sample takes series in their order, and parts are held against what the package counted. */
void whole_order(struct binding *binding);

/* Gives every part the package that bounds it, and comes before it. */
void whole_bind(struct binding *binding, const struct source *source);

#endif
