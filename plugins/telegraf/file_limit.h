/* SPDX-License-Identifier: MIT */
/* How many files may be open. */
#ifndef RAPL_EXECD_FILE_LIMIT_H
#define RAPL_EXECD_FILE_LIMIT_H

#include <stddef.h>

/* Raises the process's limit as far as it may. Returns what it leaves to counters: a number of
 * descriptors, 0: any. */
size_t file_limit_raise(void);

#endif
