/* SPDX-License-Identifier: MIT */
/*
 * Calls on stdin, stdout and stderr that do not block forever. A pipe is opened again, so that its
 * flags are ours alone. Other files may be shared with other processes and stay blocking; for them
 * a timer interrupts the call (EINTR) every 100 ms.
 */
#ifndef RAPL_NONBLOCKING_STDIO_H
#define RAPL_NONBLOCKING_STDIO_H

#include <stdbool.h>

#define TICK_MS 100

/* If the file is a pipe and may be opened again, replaces it with a nonblocking description of our
 * own. */
void nonblocking_spare(int file);

/* Returns whether to try a write. Always true for a pipe that was opened again, because its write
 * cannot block and may succeed where poll(2), which wants a free page, reports no room. */
bool nonblocking_may_write(int file);

/* Runs the timer from the first start to the last stop, unless the pipe was opened again. */
void nonblocking_start(int file);
void nonblocking_stop(int file);

#endif
