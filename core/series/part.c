/* SPDX-License-Identifier: MIT */
#include "series/part.h"

#include "series/series.h"

void part_set_whole(struct part *part, struct series *whole) {
    if (part->is_apart)
        whole = NULL;
    if (part->whole == whole)
        return;
    part->whole = whole;
    part->violations = 0;
    /* A number of breaks that the package neither has now nor will reach: the next step has no
     * bound. */
    if (whole != NULL)
        part->whole_breaks = whole->breaks - 1;
}

/* Two updates may come between the reads of the part and of the package. */
#define UPDATES_NS UINT64_C(50000000)

/* Time of the part's span that may be missing from the package's; plausible power of the package is
 * allowed for it. */
static uint64_t allowed_ns(const struct series *series, uint64_t begin_ns,
                           const struct reading *reading) {
    const struct part *part = &series->part;
    const struct series *whole = part->whole;
    const uint64_t end_ns = reading->time_ns + reading->uncertainty_ns + whole->uncertainty_ns;
    uint64_t lacks_ns = UPDATES_NS + series->traits.period_ns + whole->traits.period_ns;
    if (part->whole_ns > begin_ns)
        lacks_ns += part->whole_ns - begin_ns;
    if (end_ns > whole->counter.time_ns)
        lacks_ns += end_ns - whole->counter.time_ns;
    return lacks_ns;
}

/* A tenth more than the package is allowed: each is modelled or measured with its own error. */
static bool is_above(const struct series *whole, uint64_t whole_uj, uint64_t energy_uj,
                     uint64_t span_ns) {
    const uint64_t most_uj = whole_uj + whole_uj / 10;
    /* uJ / ns = 10^9 uW */
    return energy_uj > most_uj && (rapl_uint128)(energy_uj - most_uj) * UINT64_C(1000000000) >
                                      (rapl_uint128)whole->traits.ceiling_uw * span_ns;
}

static void note_violation(struct part *part, uint64_t begin_ns, uint64_t end_ns) {
    const uint64_t span_ns = end_ns - begin_ns;
    if (part->violations == 0 ||
        (part->violated_ns + span_ns) / 6 < (end_ns - part->first_ns) / 10) {
        part->violations = 0;
        part->violated_ns = 0;
        part->first_ns = begin_ns;
    }
    part->violations++;
    part->violated_ns += span_ns;
    if (part->violations < PART_VIOLATIONS)
        return;
    part->is_apart = true;
    part->whole = NULL;
}

bool part_exceeds(struct series *series, uint64_t energy_uj, uint64_t begin_ns,
                  const struct reading *reading) {
    struct part *part = &series->part;
    const struct series *whole = part->whole;
    const uint64_t whole_uj = whole->energy_uj - part->whole_uj;
    /* A package that has not moved may be about to, and one with held steps has used more. */
    if (whole->held.ticks != 0 || !whole->reads || whole->breaks != part->whole_breaks ||
        whole_uj == 0)
        return false;
    if (series->slept || whole->slept || reading->time_ns <= begin_ns)
        return false;
    if (!is_above(whole, whole_uj, energy_uj, allowed_ns(series, begin_ns, reading)))
        return false;
    note_violation(part, begin_ns, reading->time_ns);
    return true;
}
