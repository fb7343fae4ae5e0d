/* SPDX-License-Identifier: MIT */
/* How many new starts of a counter pass for a wrap. */
#ifndef RAPL_MODEL_UNDETECTABLE_H
#define RAPL_MODEL_UNDETECTABLE_H

/* Prints a table, and TAP. Returns the status to exit with. */
int undetectable_measure(void);

#endif
