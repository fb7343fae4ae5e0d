/* SPDX-License-Identifier: MIT */
#include "zone/zone_filter.h"

#include <fnmatch.h>

bool pattern_matches(const char *pattern, const char *name) {
    return fnmatch(pattern, name, FNM_PATHNAME) == 0;
}
