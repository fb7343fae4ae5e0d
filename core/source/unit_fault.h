/* SPDX-License-Identifier: MIT */
/* Counters whose unit some kernels have wrong, and what their ticks are worth. Pure. */
#ifndef RAPL_UNIT_FAULT_H
#define RAPL_UNIT_FAULT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "energy/counter.h"
#include "system/cpuinfo.h"
#include "zone/zone.h"

/* What one tick of a register is worth: as a kernel has it, and as the processor counts. */
struct unit_fault {
    unsigned int models[2]; /* of Intel's family 6; 0: none */
    enum zone_kind kind;
    uint64_t range_uj;       /* max_energy_range_uj of powercap with the wrong unit */
    struct tick_scale shown; /* the wrong unit, as powercap multiplies by it */
    struct tick_scale right; /* numerator_uj 0: nobody knows, so it is reported and not corrected */
    /* The same in counts of perf, of 2^-32 J; 0: perf does not have it wrong. */
    uint64_t perf_shown;
    uint64_t perf_right;
};

/* What a zone of powercap with that range has wrong; NULL: nothing that is known. */
const struct unit_fault *unit_fault_of_range(const struct cpu_model *cpu, enum zone_kind kind,
                                             uint64_t range_uj);

/* What perf may have wrong, which its counts tell; NULL: nothing that is known. */
const struct unit_fault *unit_fault_of_counts(const struct cpu_model *cpu, enum zone_kind kind);

/* A counter whose unit nobody knows for certain, whatever source shows it; NULL: it is none. */
const struct unit_fault *unit_fault_in_doubt(const struct cpu_model *cpu, enum zone_kind kind);

static inline bool unit_fault_is_corrected(const struct unit_fault *fault) {
    return fault->right.numerator_uj != 0;
}

/* Ticks of the register of which powercap made these microjoules. */
uint64_t unit_fault_ticks(const struct unit_fault *fault, uint64_t shown_uj);

/* What the log says of one that is corrected, and that perf shows, or powercap. */
void unit_fault_word(const struct unit_fault *fault, bool by_perf, char *text, size_t size);

/* --- counts of perf -------------------------------------------------------------------------- */

struct unit_watch {
    const struct unit_fault *fault; /* that may be there; NULL: none */
    enum { UNIT_UNDECIDED, UNIT_IS_RIGHT, UNIT_IS_WRONG } state;
    uint64_t count; /* the last */
    unsigned int counts;
};

/* Begins to watch a counter: where nothing can be wrong, nothing is to be decided. */
struct unit_watch unit_watch_begin(const struct unit_fault *fault);

/* Takes a count, and corrects it where its unit is wrong. 0, or UNIT_NOT_KNOWN. */
int unit_watch_take(struct unit_watch *watch, uint64_t *count);

#endif
