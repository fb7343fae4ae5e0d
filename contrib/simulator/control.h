/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_CONTROL_H
#define RAPL_SIM_CONTROL_H

#include "machine.h"

#include <stdbool.h>
#include <stdint.h>

/* Carries out one line. A bad one is named on stderr and gives -EINVAL. Errors can only be
 * injected where reads are answered by this program, hence can_fail. */
int control_apply(struct machine *machine, uint64_t elapsed_ns, bool can_fail, const char *line);

/* Every line of a text; the good ones are carried out even where another is bad. */
int control_apply_lines(struct machine *machine, uint64_t elapsed_ns, bool can_fail, char *text);

#endif
