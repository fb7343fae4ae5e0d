/* SPDX-License-Identifier: MIT */
/* Filter patterns, matched with names of series. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "zone/zone_filter.h"

#define PATTERNS 6

/* fnmatch(3) with FNM_PATHNAME, for patterns of characters, * and ?. */
static bool match_slowly(const char *pattern, const char *name) {
    if (*pattern == '\0')
        return *name == '\0';
    if (*pattern == '*') {
        if (match_slowly(pattern + 1, name))
            return true;
        return *name != '\0' && *name != '/' && match_slowly(pattern, name + 1);
    }
    if (*name == '\0' || (*pattern == '?' ? *name == '/' : *pattern != *name))
        return false;
    return match_slowly(pattern + 1, name + 1);
}

static bool is_simple(const char *pattern) {
    size_t stars = 0;
    for (const char *at = pattern; *at != '\0'; at++)
        stars += *at == '*' ? 1 : 0;
    return strpbrk(pattern, "[\\") == NULL && stars <= 4;
}

/* 1 or 0: a pattern matches or none does; -1: one of them is not that simple. */
static int match_any(char *const *patterns, size_t count, const char *name) {
    int result = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_simple(patterns[i]))
            return -1;
        result |= match_slowly(patterns[i], name) ? 1 : 0;
    }
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const char *const names[] = {"package-0", "package-0/dram", "package-0-die-1/core",
                                        "psys-1",    "total",          "package-1-core-3/core"};
    struct input input = {bytes, size};
    struct zone_filter zone_filter;
    char *patterns[PATTERNS];
    size_t count = 0;
    const size_t included = take_byte(&input) % (PATTERNS + 1);
    bool has_empty = false;
    for (; count < PATTERNS && input.left > 0; count++) {
        patterns[count] = take_text(&input);
        has_empty = has_empty || patterns[count][0] == '\0';
    }
    const size_t include_count = included < count ? included : count;
    const size_t exclude_count = count - include_count;
    char **exclude = patterns + include_count;
    const int error = zone_filter_open(&zone_filter, (const char *const *)patterns, include_count,
                                       (const char *const *)exclude, exclude_count);
    HOLDS(error == (has_empty ? -EINVAL : 0));
    for (size_t i = 0; error == 0 && i < COUNT_OF(names); i++) {
        const int in = match_any(patterns, include_count, names[i]);
        const int out = match_any(exclude, exclude_count, names[i]);
        const bool selected = zone_filter_matches(&zone_filter, names[i]);
        if (in >= 0 && out >= 0)
            HOLDS(selected == ((include_count == 0 || in == 1) && out == 0));
    }
    if (error == 0)
        zone_filter_close(&zone_filter);
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    return 0;
}
