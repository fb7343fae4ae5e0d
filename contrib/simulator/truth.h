/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_TRUTH_H
#define RAPL_SIM_TRUTH_H

#include "machine.h"

#include <stdint.h>
#include <stdio.h>

/* What every zone has used since the machine began; removed and failing ones go on using it. */
void truth_print(const struct machine *machine, uint64_t elapsed_ns, FILE *stream);

/* Energy and mean power of every series between two instants since the machine began. */
void truth_print_between(const struct machine *machine, uint64_t from_ns, uint64_t to_ns,
                         FILE *stream);

#endif
