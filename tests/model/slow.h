/* SPDX-License-Identifier: MIT */
#ifndef RAPL_MODEL_SLOW_H
#define RAPL_MODEL_SLOW_H

/* Tests reports with update periods from 0 to 5 s and prints TAP. Returns the exit status. */
int slow_measure(void);

#endif
