/* SPDX-License-Identifier: MIT */
#include "zone/zone_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int copy_patterns(char ***copies, size_t *copied, const char *const *patterns,
                         size_t count) {
    *copied = 0;
    *copies = calloc(count > 0 ? count : 1, sizeof(**copies));
    if (*copies == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (patterns[i][0] == '\0')
            return -EINVAL;
        (*copies)[i] = strdup(patterns[i]);
        if ((*copies)[i] == NULL)
            return -ENOMEM;
        (*copied)++;
    }
    return 0;
}

int zone_filter_open(struct zone_filter *zone_filter, const char *const *include,
                     size_t include_count, const char *const *exclude, size_t exclude_count) {
    *zone_filter = (struct zone_filter){.include = NULL};
    int error =
        copy_patterns(&zone_filter->include, &zone_filter->include_count, include, include_count);
    if (error == 0)
        error = copy_patterns(&zone_filter->exclude, &zone_filter->exclude_count, exclude,
                              exclude_count);
    if (error != 0)
        zone_filter_close(zone_filter);
    return error;
}

static bool any_matches(char *const *patterns, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (pattern_matches(patterns[i], name))
            return true;
    }
    return false;
}

bool zone_filter_matches(const struct zone_filter *zone_filter, const char *name) {
    if (any_matches(zone_filter->exclude, zone_filter->exclude_count, name))
        return false;
    return zone_filter->include_count == 0 ||
           any_matches(zone_filter->include, zone_filter->include_count, name);
}

static void free_patterns(char **patterns, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    free(patterns);
}

void zone_filter_close(struct zone_filter *zone_filter) {
    free_patterns(zone_filter->include, zone_filter->include_count);
    free_patterns(zone_filter->exclude, zone_filter->exclude_count);
    *zone_filter = (struct zone_filter){.include = NULL};
}
