/* SPDX-License-Identifier: MIT */
/* Landlock (landlock(7)): limits the files that the process may open, whatever its user. */
#ifndef RAPL_LANDLOCK_H
#define RAPL_LANDLOCK_H

#include "rapl.h"

/* How much is known about the files that will be read. */
enum landlock_stage {
    FILE_RULES_ANY_TIME, /* a driver may be loaded later; folders come and go */
    FILE_RULES_READS,    /* the source reads, which keeps its folders in place */
    FILE_RULES_CHECK,    /* for --check, which also reads registers for the energy filter */
};

/*
 * Allows only reading, and only the files below the root that the source uses; for
 * RAPL_SOURCE_AUTO, those of all sources. root_file: as in struct rapl_options. Open descriptors
 * are not affected. A second call can only narrow the rules. Requires no_new_privs. Returns
 * Landlock's version, or a negative errno: -ENOSYS or -EOPNOTSUPP if the kernel lacks Landlock.
 */
int landlock_set(const char *root, int root_file, enum rapl_source source,
                 enum landlock_stage stage);

#endif
