/* SPDX-License-Identifier: MIT */
/* Chooses which devices are opened when there are too many to open all of them. */
#ifndef RAPL_MSR_BUDGET_H
#define RAPL_MSR_BUDGET_H

#include "problem/problem.h"
#include "source/msr/msr_readers.h"
#include "source/source.h"

/* Gives the identity of a reader's register. */
typedef void msr_identifier(const struct msr_readers *layout, const struct msr_reader *reader,
                            enum cpu_domain domain, struct zone_identity *identity);

/*
 * Chooses among the layout's readers, and closes those that are left out. The cores of a package
 * are taken all or none. domains: those of the processor. Sets source->lacks_members if the total
 * lacks a counter. 1: the choice has changed; 0: it has not; -ENOMEM.
 */
int msr_budget_apply(struct msr_readers *layout, unsigned int domains, msr_identifier *identify,
                     const struct source_options *options, struct source *source,
                     struct problems *problems);

#endif
