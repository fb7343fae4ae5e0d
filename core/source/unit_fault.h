/* SPDX-License-Identifier: MIT */
/* Known kernel errors in the unit of a counter, and their correction. Pure. */
#ifndef RAPL_UNIT_FAULT_H
#define RAPL_UNIT_FAULT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "energy/counter.h"
#include "system/cpuinfo.h"
#include "zone/zone.h"

/* The unit of a register according to some kernels, and the processor's real one. */
struct unit_fault {
    unsigned int models[2]; /* models of Intel family 6; 0: unused */
    enum zone_kind kind;
    uint64_t range_uj;       /* powercap's max_energy_range_uj when the unit is wrong */
    struct tick_scale shown; /* the wrong unit, which powercap multiplies by */
    struct tick_scale right; /* the real unit; numerator_uj 0: unknown, so only reported */
    /* The same two units as counts of perf, each 2^-32 J; 0: perf has the right unit. */
    uint64_t perf_shown;
    uint64_t perf_right;
};

/* The fault of a powercap zone with this range; NULL: none is known. */
const struct unit_fault *unit_fault_of_range(const struct cpu_model *cpu, enum zone_kind kind,
                                             uint64_t range_uj);

/* A fault that perf may have, which its counts will show; NULL: none is known. */
const struct unit_fault *unit_fault_of_counts(const struct cpu_model *cpu, enum zone_kind kind);

/* The fault of a counter if its real unit is unknown, for any source; NULL: the unit is known. */
const struct unit_fault *unit_fault_in_doubt(const struct cpu_model *cpu, enum zone_kind kind);

static inline bool unit_fault_is_corrected(const struct unit_fault *fault) {
    return fault->right.numerator_uj != 0;
}

/* Ticks of the register from which powercap computed these microjoules. */
uint64_t unit_fault_ticks(const struct unit_fault *fault, uint64_t shown_uj);

/* Writes the log text for a corrected fault, of perf or of powercap. */
void unit_fault_word(const struct unit_fault *fault, bool by_perf, char *text, size_t size);

/* --- counts of perf -------------------------------------------------------------------------- */

struct unit_watch {
    const struct unit_fault *fault; /* the possible fault; NULL: none */
    enum { UNIT_UNDECIDED, UNIT_IS_RIGHT, UNIT_IS_WRONG } state;
    uint64_t count; /* the last count */
    unsigned int counts;
};

/* Begins to watch a counter. Without a possible fault, its unit is taken as right at once. */
struct unit_watch unit_watch_begin(const struct unit_fault *fault);

/* Takes a count and corrects it if its unit is wrong. 0, or UNIT_NOT_KNOWN. */
int unit_watch_take(struct unit_watch *watch, uint64_t *count);

#endif
