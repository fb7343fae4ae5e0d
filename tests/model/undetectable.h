/* SPDX-License-Identifier: MIT */
/* Measures how many restarts of a counter pass for a wrap. */
#ifndef RAPL_MODEL_UNDETECTABLE_H
#define RAPL_MODEL_UNDETECTABLE_H

/* Prints a table and TAP. Returns the exit status. */
int undetectable_measure(void);

#endif
