/* SPDX-License-Identifier: MIT */
#include "select.h"

#include <errno.h>
#include <fnmatch.h>
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

int selection_open(struct selection *selection, const char *const *include, size_t include_count,
                   const char *const *exclude, size_t exclude_count) {
    *selection = (struct selection){.include = NULL};
    int error =
        copy_patterns(&selection->include, &selection->include_count, include, include_count);
    if (error == 0)
        error =
            copy_patterns(&selection->exclude, &selection->exclude_count, exclude, exclude_count);
    if (error != 0)
        selection_close(selection);
    return error;
}

bool pattern_matches(const char *pattern, const char *name) {
    return fnmatch(pattern, name, FNM_PATHNAME) == 0;
}

static bool any_matches(char *const *patterns, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (pattern_matches(patterns[i], name))
            return true;
    }
    return false;
}

bool selection_matches(const struct selection *selection, const char *name) {
    if (any_matches(selection->exclude, selection->exclude_count, name))
        return false;
    return selection->include_count == 0 ||
           any_matches(selection->include, selection->include_count, name);
}

static void free_patterns(char **patterns, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(patterns[i]);
    free(patterns);
}

void selection_close(struct selection *selection) {
    free_patterns(selection->include, selection->include_count);
    free_patterns(selection->exclude, selection->exclude_count);
    *selection = (struct selection){.include = NULL};
}
