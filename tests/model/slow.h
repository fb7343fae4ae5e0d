/* SPDX-License-Identifier: MIT */
#ifndef RAPL_MODEL_SLOW_H
#define RAPL_MODEL_SLOW_H

/* Reports of counters of each update period from none to 5 s, as TAP. The exit status. */
int slow_measure(void);

#endif
