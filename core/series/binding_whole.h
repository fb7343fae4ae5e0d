/* SPDX-License-Identifier: MIT */
/* Which package bounds which part. */
#ifndef RAPL_BINDING_WHOLE_H
#define RAPL_BINDING_WHOLE_H

#include "series/binding.h"

/* If the series that was added last is a package, moves it before that package's parts: a sweep
 * takes series in order, and compares a part with what its package has counted. */
void whole_order(struct binding *binding);

/* Sets the package that bounds each part, and orders the part after it. */
void whole_bind(struct binding *binding, const struct source *source);

#endif
