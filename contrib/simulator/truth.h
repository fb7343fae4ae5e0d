/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_TRUTH_H
#define RAPL_SIM_TRUTH_H

#include "machine.h"

#include <stdint.h>
#include <stdio.h>

/* Prints the energy of every zone since the machine began; removed and failing zones continue to
 * use energy. */
void truth_print(const struct machine *machine, uint64_t elapsed_ns, FILE *stream);

/* Prints energy and mean power of every series between two instants, counted from the machine's
 * begin. */
void truth_print_between(const struct machine *machine, uint64_t from_ns, uint64_t to_ns,
                         FILE *stream);

#endif
