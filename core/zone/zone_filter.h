/* SPDX-License-Identifier: MIT */
/* Which series are reported. */
#ifndef RAPL_ZONE_FILTER_H
#define RAPL_ZONE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

struct zone_filter {
    char **include;
    size_t include_count;
    char **exclude;
    size_t exclude_count;
};

/* Copies the patterns. -EINVAL: one is empty; -ENOMEM. */
int zone_filter_open(struct zone_filter *zone_filter, const char *const *include,
                     size_t include_count, const char *const *exclude, size_t exclude_count);

/* Nothing included is everything included; what is excluded is out whatever includes it. */
bool zone_filter_matches(const struct zone_filter *zone_filter, const char *name);

/* Whether a series of that name is one that the pattern means. */
bool pattern_matches(const char *pattern, const char *name);

void zone_filter_close(struct zone_filter *zone_filter);

#endif
