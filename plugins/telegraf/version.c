/* SPDX-License-Identifier: MIT */
#include "version.h"

#include "call_filter.h"
#include "privileges.h"
#include "rapl.h"

#ifdef RAPL_WITH_LOCK_IN
#define LOCK_IN "on"
#else
#define LOCK_IN "off"
#endif

static void print_part(FILE *file, const char *part, const char *missing) {
    if (missing == NULL)
        fprintf(file, "%s: yes\n", part);
    else
        fprintf(file, "%s: no, %s\n", part, missing);
}

void version_print(FILE *file) {
    fprintf(file, "rapl-execd %s\n", rapl_version());
    print_part(file, "libcap", privileges_missing);
    print_part(file, "libseccomp", call_filter_missing);
    fprintf(file, "RAPL_LOCK_IN: " LOCK_IN "\n");
}
