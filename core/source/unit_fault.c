/* SPDX-License-Identifier: MIT */
#include "source/unit_fault.h"
#include "system/error.h"

#include <inttypes.h>
#include <stdio.h>

#define BIT(n) (UINT64_C(1) << (n))

#define HASWELL_X 0x3F
#define BROADWELL_D 0x56
#define SAPPHIRERAPIDS_X 0x8F
#define EMERALDRAPIDS_X 0xCF

/* Ranges that powercap shows for 2^32 - 1 ticks. Since Linux 4.0 it truncates the unit from the
 * unit register to nanojoules (intel_rapl_common.c, rapl_check_unit_core): 2^-14 J become 61035
 * nJ. */
#define RANGE_15_3 UINT64_C(65712999613)
#define RANGE_2_14 UINT64_C(262143999938)
#define RANGE_2_14_CUT UINT64_C(262143328850)

/*
 * Faults that a range or a count proves for a model. Units are fractions of microjoules. perf
 * counts in 2^-32 J: 2^-14 J are 2^18 counts (rapl.c, rapl_scale).
 */
static const struct unit_fault table[] = {
    /* The real unit is that of the unit register (SDM vol. 4: 61 uJ); these kernels use the unit of
     * older servers. powercap: from commit 2d798d9f5967 (Linux 5.9) until 4c081324df56 (6.1). perf:
     * from bcfd218b6679 (5.10) until 80275ca9e525 (6.1). Stable kernels got the changes of powercap
     * and perf separately. */
    {.models = {SAPPHIRERAPIDS_X, EMERALDRAPIDS_X},
     .kind = ZONE_DRAM,
     .range_uj = RANGE_15_3,
     .shown = {153, 10},
     .right = {1000000, BIT(14)},
     .perf_shown = BIT(16),
     .perf_right = BIT(18)},
    /* psys counts whole joules (rapl_defaults_spr_server). A kernel that treats the model as an
     * older server applies the unit register instead. No release of Linux does so, but
     * distributions add models to older kernels. */
    {.models = {SAPPHIRERAPIDS_X, EMERALDRAPIDS_X},
     .kind = ZONE_PSYS,
     .range_uj = RANGE_2_14_CUT,
     .shown = {61035, 1000},
     .right = {1000000, 1}},
    /* The real unit is 15.3 uJ. Kernels before "powercap / RAPL: handle domains with different
     * energy units" (Linux 4.1) use that of the unit register. */
    {.models = {HASWELL_X},
     .kind = ZONE_DRAM,
     .range_uj = RANGE_2_14_CUT,
     .shown = {61035, 1000},
     .right = {153, 10}},
    {.models = {HASWELL_X},
     .kind = ZONE_DRAM,
     .range_uj = RANGE_2_14,
     .shown = {1000000, BIT(14)},
     .right = {153, 10}},
    /* The unit is disputed: powercap uses the unit register (rapl_defaults_core); perf (model_hsx),
     * turbostat and the SDM (vol. 4, Xeon D) say 15.3 uJ. No measurement is known. */
    {.models = {BROADWELL_D},
     .kind = ZONE_DRAM,
     .range_uj = RANGE_2_14_CUT,
     .shown = {61035, 1000},
     .right = {0, 1}},
};

#define ROWS (sizeof(table) / sizeof(table[0]))

static bool concerns(const struct unit_fault *fault, const struct cpu_model *cpu,
                     enum zone_kind kind) {
    return cpu->vendor == CPU_VENDOR_INTEL && cpu->family == 6 && cpu->model != 0 &&
           fault->kind == kind &&
           (fault->models[0] == cpu->model || fault->models[1] == cpu->model);
}

const struct unit_fault *unit_fault_of_range(const struct cpu_model *cpu, enum zone_kind kind,
                                             uint64_t range_uj) {
    for (size_t i = 0; i < ROWS; i++) {
        if (concerns(&table[i], cpu, kind) && table[i].range_uj == range_uj)
            return &table[i];
    }
    return NULL;
}

const struct unit_fault *unit_fault_of_counts(const struct cpu_model *cpu, enum zone_kind kind) {
    for (size_t i = 0; i < ROWS; i++) {
        if (concerns(&table[i], cpu, kind) && table[i].perf_shown != 0)
            return &table[i];
    }
    return NULL;
}

const struct unit_fault *unit_fault_in_doubt(const struct cpu_model *cpu, enum zone_kind kind) {
    for (size_t i = 0; i < ROWS; i++) {
        if (concerns(&table[i], cpu, kind) && !unit_fault_is_corrected(&table[i]))
            return &table[i];
    }
    return NULL;
}

/* Rounds up: the driver truncated less than a microjoule, and a tick is more than one. */
uint64_t unit_fault_ticks(const struct unit_fault *fault, uint64_t shown_uj) {
    const rapl_uint128 scaled = (rapl_uint128)shown_uj * fault->shown.denominator;
    return (uint64_t)((scaled + fault->shown.numerator_uj - 1) / fault->shown.numerator_uj);
}

/* Nanojoules of one tick, rounded. The energy of 10000 ticks in microjoules is ten times that. */
static uint64_t unit_nj(struct tick_scale scale) {
    return (counter_to_uj(scale, 10000) + 5) / 10;
}

static struct tick_scale perf_scale(uint64_t counts) {
    return (struct tick_scale){.numerator_uj = 1000000, .denominator = BIT(32) / counts};
}

void unit_fault_word(const struct unit_fault *fault, bool by_perf, char *text, size_t size) {
    const uint64_t shown_nj = unit_nj(by_perf ? perf_scale(fault->perf_shown) : fault->shown);
    const uint64_t right_nj = unit_nj(fault->right);
    snprintf(text, size,
             "this kernel takes its unit for %" PRIu64 ".%03" PRIu64
             " uJ, but the processor counts in %" PRIu64 ".%03" PRIu64
             " uJ; its energy is corrected",
             shown_nj / 1000, shown_nj % 1000, right_nj / 1000, right_nj % 1000);
}

/* --- counts of perf -------------------------------------------------------------------------- */

struct unit_watch unit_watch_begin(const struct unit_fault *fault) {
    return (struct unit_watch){.fault = fault,
                               .state = fault != NULL ? UNIT_UNDECIDED : UNIT_IS_RIGHT};
}

/* Decides by the divisors of a count. A count that is not even a multiple of the wrong unit comes
 * from another driver, which reads the unit from the hardware (intel_rapl_common.c,
 * rapl_package_add_pmu). */
static void decide(struct unit_watch *watch, uint64_t count) {
    const struct unit_fault *fault = watch->fault;
    if (count % fault->perf_shown != 0) {
        watch->state = UNIT_IS_RIGHT;
    } else if (count % fault->perf_right != 0) {
        watch->state = UNIT_IS_WRONG;
    } else if (count != watch->count) {
        watch->count = count;
        if (++watch->counts == UNIT_WATCH_COUNTS)
            watch->state = UNIT_IS_RIGHT;
    }
}

int unit_watch_take(struct unit_watch *watch, uint64_t *count) {
    if (watch->state == UNIT_UNDECIDED)
        decide(watch, *count);
    if (watch->state == UNIT_UNDECIDED)
        return UNIT_NOT_KNOWN;
    if (watch->state == UNIT_IS_WRONG)
        *count *= watch->fault->perf_right / watch->fault->perf_shown;
    return 0;
}
