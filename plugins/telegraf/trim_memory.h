/* SPDX-License-Identifier: MIT */
/* Releases memory that only the start of the program needed. */
#ifndef RAPL_TRIM_MEMORY_H
#define RAPL_TRIM_MEMORY_H

/* Frees unused heap and drops pages of code and constants. These are backed by files and are loaded
 * again when needed. */
void trim_memory(void);

#endif
