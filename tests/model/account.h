/* SPDX-License-Identifier: MIT */
/* What the reference's files share of its accounts. */
#ifndef RAPL_MODEL_ACCOUNT_H
#define RAPL_MODEL_ACCOUNT_H

#include "reference.h"

bool account_is_selected(const char *name);

/* What it reads next is no continuation of what it has read. */
void account_forget(struct account *account);

/* What the zone is presumed to mirror; NULL: nothing. */
struct presumption *presumption_of(const struct fake_zone *zone);

/* Whether its zones are read at all. */
static inline bool account_is_wanted(const struct account *account) {
    return account->selected || (account->sum != NULL && account->sum->selected);
}

#endif
