/* SPDX-License-Identifier: MIT */
/*
 * A timer that interrupts calls that block (EINTR), every 100 ms while it is on: files of ours may
 * be shared with others, and so stay blocking ones.
 */
#ifndef RAPL_EXECD_TICKS_H
#define RAPL_EXECD_TICKS_H

#define TICK_MS 100

/* From the first start to the last stop. */
void ticks_start(void);
void ticks_stop(void);

#endif
