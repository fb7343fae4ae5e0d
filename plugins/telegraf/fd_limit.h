/* SPDX-License-Identifier: MIT */
/* How many files may be open. */
#ifndef RAPL_FD_LIMIT_H
#define RAPL_FD_LIMIT_H

#include <stddef.h>

/* Raises the process's limit as far as it may. Returns what it leaves to counters: a number of
 * descriptors, 0: any. */
size_t fd_limit_raise(void);

#endif
