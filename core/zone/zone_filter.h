/* SPDX-License-Identifier: MIT */
/* Patterns that select which series are reported. */
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

/* Without include patterns every name is included. An exclude pattern wins over all of them. */
bool zone_filter_matches(const struct zone_filter *zone_filter, const char *name);

/* Whether a pattern matches the name of a series: fnmatch(3) with FNM_PATHNAME. */
bool pattern_matches(const char *pattern, const char *name);

void zone_filter_close(struct zone_filter *zone_filter);

#endif
