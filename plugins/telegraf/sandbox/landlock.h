/* SPDX-License-Identifier: MIT */
/* Landlock (landlock(7)): which files the process may still open, whoever it runs as. */
#ifndef RAPL_LANDLOCK_H
#define RAPL_LANDLOCK_H

#include "rapl.h"

/* How much is known of what is to be read. */
enum landlock_stage {
    FILE_RULES_ANY_TIME, /* a driver may be loaded later, and its folders come and go */
    FILE_RULES_READS,    /* the source reads: what holds its folders stays while it does */
    FILE_RULES_CHECK,    /* --check, which looks for the energy filter in the registers, too */
};

/*
 * From now on files can only be read, and only those below the root that the source looks at; of
 * RAPL_SOURCE_AUTO, those of all sources. root_file: as in struct rapl_options. Descriptors that
 * are open stay as they are. Again, with less, it narrows further. Asks for no_new_privs.
 * Landlock's version, or a negative errno: -ENOSYS or -EOPNOTSUPP where the kernel has none.
 */
int landlock_set(const char *root, int root_file, enum rapl_source source,
                 enum landlock_stage stage);

#endif
