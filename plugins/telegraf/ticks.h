/* SPDX-License-Identifier: MIT */
/*
 * Calls on stdin, stdout and stderr that do not block for good. A pipe is made our own by opening
 * it once more; any other file may be shared with others, and so stays a blocking one: there a
 * timer interrupts the call (EINTR) every 100 ms.
 */
#ifndef RAPL_EXECD_TICKS_H
#define RAPL_EXECD_TICKS_H

#include <stdbool.h>

#define TICK_MS 100

/* Puts a description of our own, that does not block, in the place of one of them, if it is a pipe
 * that may be opened so. */
void ticks_spare(int file);

/* Whether a write can be tried now without waiting for room. A spared file tells that by the write
 * itself: poll(2) wants a free page of a pipe, and less may do. */
bool ticks_may_write(int file);

/* From the first start to the last stop, but not for a file that was spared. */
void ticks_start(int file);
void ticks_stop(int file);

#endif
