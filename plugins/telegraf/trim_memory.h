/* SPDX-License-Identifier: MIT */
/* The memory that only the start of the program needed. */
#ifndef RAPL_TRIM_MEMORY_H
#define RAPL_TRIM_MEMORY_H

/* Gives it back to the kernel: code and constants are pages of files, and come again when they are
 * touched again. */
void trim_memory(void);

#endif
