/* SPDX-License-Identifier: MIT */
/* Landlock's interface as of Linux 5.13 (include/uapi/linux/landlock.h). Headers of Debian 11 and
 * of older systems lack it, although the running kernel may support it. */
#ifndef RAPL_LANDLOCK_ABI_H
#define RAPL_LANDLOCK_ABI_H

#include <stdint.h>
#include <sys/syscall.h>

#ifndef __NR_landlock_create_ruleset
#define __NR_landlock_create_ruleset 444
#define __NR_landlock_add_rule 445
#define __NR_landlock_restrict_self 446
#endif

#define LANDLOCK_VERSION_QUERY (1U << 0) /* LANDLOCK_CREATE_RULESET_VERSION */
#define LANDLOCK_READ_FILE (UINT64_C(1) << 2)
#define LANDLOCK_READ_FOLDER (LANDLOCK_READ_FILE | UINT64_C(1) << 3)
#define LANDLOCK_PATH_BENEATH 1 /* LANDLOCK_RULE_PATH_BENEATH */

struct landlock_path {
    uint64_t allowed;
    int32_t folder;
} __attribute__((packed)); /* like struct landlock_path_beneath_attr */

#endif
