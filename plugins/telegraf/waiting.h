/* SPDX-License-Identifier: MIT */
/* Waiting for prompts and for power, while counters are read when that is due. */
#ifndef RAPL_EXECD_WAITING_H
#define RAPL_EXECD_WAITING_H

#include <stddef.h>
#include <stdint.h>

#include "prompt.h"
#include "rapl.h"

/* Counters that move seldom: a file that a host writes for its guests moves each 5 s. */
#define POWER_LONGEST_NS UINT64_C(12000000000)

/* Waits as prompt_wait(), but no longer than until counters have to be read, and reads them then.
 * Tells of problems. */
void wait_for_prompt(struct rapl *rapl, struct prompt *prompt, uint64_t timeout_ns);

/* The following three end early where the prompt says to stop. */
void wait_until(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns);

/* Until no counter is left of which more will be known by then. */
void wait_for_power(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns);

/* Until each selected counter that reads has moved, and has power. Leaves problems to the table of
 * --check. */
void wait_for_table(struct rapl *rapl, struct prompt *prompt, uint64_t longest_ns);

/* How many selected counters that read have moved, or have not. */
size_t count_moved(const struct rapl *rapl, bool moved);

#endif
