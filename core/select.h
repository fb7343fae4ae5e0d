/* SPDX-License-Identifier: MIT */
/* Which series are reported. */
#ifndef RAPL_SELECT_H
#define RAPL_SELECT_H

#include <stdbool.h>
#include <stddef.h>

struct selection {
    char **include;
    size_t include_count;
    char **exclude;
    size_t exclude_count;
};

/* Copies the patterns. -EINVAL: one is empty; -ENOMEM. */
int selection_open(struct selection *selection, const char *const *include, size_t include_count,
                   const char *const *exclude, size_t exclude_count);

/* Nothing included is everything included; what is excluded is out whatever includes it. */
bool selection_matches(const struct selection *selection, const char *name);

/* Whether a series of that name is one that the pattern means. */
bool pattern_matches(const char *pattern, const char *name);

void selection_close(struct selection *selection);

#endif
