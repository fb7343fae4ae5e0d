/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_CONTROL_H
#define RAPL_SIM_CONTROL_H

#include "machine.h"

#include <stdbool.h>
#include <stdint.h>

/* Carries out one line. A bad line is reported on stderr and returns -EINVAL. can_fail: errors can
 * be injected, which is only possible where this program answers the reads. */
int control_apply(struct machine *machine, uint64_t elapsed_ns, bool can_fail, const char *line);

/* Carries out every good line of a text, even if another line is bad. */
int control_apply_lines(struct machine *machine, uint64_t elapsed_ns, bool can_fail, char *text);

#endif
