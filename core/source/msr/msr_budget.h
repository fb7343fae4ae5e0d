/* SPDX-License-Identifier: MIT */
/* Which devices are opened where not all may be. */
#ifndef RAPL_MSR_BUDGET_H
#define RAPL_MSR_BUDGET_H

#include "problem/problem.h"
#include "source/msr/msr_readers.h"
#include "source/source.h"

/* What a reader's register of a domain is. */
typedef void msr_identifier(const struct msr_readers *layout, const struct msr_reader *reader,
                            enum cpu_domain domain, struct zone_identity *identity);

/*
 * Chooses among the layout's readers, and closes those that are to be left out; the cores of a
 * package are taken all or none. domains: those of the processor. 1: other ones than before;
 * -ENOMEM. What the total needs and lacks is noted in the source.
 */
int msr_budget_apply(struct msr_readers *layout, unsigned int domains, msr_identifier *identify,
                     const struct source_options *options, struct source *source,
                     struct problems *problems);

#endif
