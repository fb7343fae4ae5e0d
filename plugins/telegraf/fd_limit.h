/* SPDX-License-Identifier: MIT */
/* The limit of open files. */
#ifndef RAPL_FD_LIMIT_H
#define RAPL_FD_LIMIT_H

#include <stddef.h>

/* Raises the limit of open files to the hard limit. Returns how many descriptors that leaves for
 * counters; 0: unlimited. */
size_t fd_limit_raise(void);

#endif
