/* SPDX-License-Identifier: MIT */
#ifndef RAPL_TEST_VALUES_H
#define RAPL_TEST_VALUES_H

#include <stddef.h>
#include <string.h>

#include "rapl.h"

/* The value of a series in a report, or NULL. */
static inline const struct rapl_value *find_value(const struct rapl_report *report,
                                                  const char *name) {
    for (size_t i = 0; i < report->value_count; i++) {
        if (strcmp(report->values[i].name, name) == 0)
            return &report->values[i];
    }
    return NULL;
}

#endif
