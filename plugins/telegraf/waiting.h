/* SPDX-License-Identifier: MIT */
/* Waits for prompts and for power, and samples counters when they are due. */
#ifndef RAPL_WAITING_H
#define RAPL_WAITING_H

#include <stddef.h>
#include <stdint.h>

#include "prompt.h"
#include "rapl.h"

/* Covers counters that move seldom: a file that a host writes for its guests moves every 5 s. */
#define POWER_LONGEST_NS UINT64_C(12000000000)

/* Waits as prompt_wait() does, but not beyond the time at which a sample is due, and takes the
 * sample then. Logs problems. */
void wait_for_prompt(struct rapl *rapl, struct prompt *prompt, uint64_t timeout_ns);

/* The next three functions return early if prompt->stop is set. */
void wait_until(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns);

/* Waits until power is known of every counter that can have it by end_ns. */
void wait_for_power(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns);

/* Waits until every selected readable counter has moved and has power. Does not log problems:
 * --check prints them in its table. */
void wait_for_table(struct rapl *rapl, struct prompt *prompt, uint64_t longest_ns);

/* Counts the selected readable counters that have moved (or have not). */
size_t count_moved(const struct rapl *rapl, bool moved);

#endif
