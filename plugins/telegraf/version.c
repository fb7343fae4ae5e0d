/* SPDX-License-Identifier: MIT */
#include "version.h"

#include "rapl.h"
#include "sandbox/capabilities.h"
#include "sandbox/seccomp_filter.h"

#ifdef RAPL_WITH_SANDBOX
#define SANDBOX "on"
#else
#define SANDBOX "off"
#endif

static void print_part(FILE *file, const char *part, const char *missing) {
    if (missing == NULL)
        fprintf(file, "%s: yes\n", part);
    else
        fprintf(file, "%s: no, %s\n", part, missing);
}

void version_print(FILE *file) {
    fprintf(file, "rapl-execd %s\n", rapl_version());
    print_part(file, "libcap", capabilities_missing);
    print_part(file, "libseccomp", seccomp_filter_missing);
    fprintf(file, "RAPL_SANDBOX: " SANDBOX "\n");
}
