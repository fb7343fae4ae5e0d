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

/* What powercap shows for 2^32 - 1 ticks. It cuts the unit of the unit register to whole nanojoules
 * (intel_rapl_common.c, rapl_check_unit_core), so that 2^-14 J are 61035 of them; before Linux 4.0
 * it did not. */
#define RANGE_15_3 UINT64_C(65712999613)
#define RANGE_2_14 UINT64_C(262143999938)
#define RANGE_2_14_CUT UINT64_C(262143328850)

/*
 * Only what a range or count proves together with the model. Units are fractions of microjoules;
 * perf counts in 2^-32 J, so that 2^-14 J are 2^18 of them (rapl.c, rapl_scale).
 */
static const struct unit_fault table[] = {
    /* The unit is that of the unit register (SDM vol. 4: 61 uJ), and was taken for that of older
     * servers. powercap: since commit 2d798d9f5967 (Linux 5.9), until 4c081324df56 (6.1). perf:
     * since bcfd218b6679 (5.10), until 80275ca9e525 (6.1). Stable kernels got either on its own. */
    {.models = {SAPPHIRERAPIDS_X, EMERALDRAPIDS_X},
     .kind = ZONE_DRAM,
     .range_uj = RANGE_15_3,
     .shown = {153, 10},
     .right = {1000000, BIT(14)},
     .perf_shown = BIT(16),
     .perf_right = BIT(18)},
    /* psys counts whole joules (rapl_defaults_spr_server). A kernel that knows the model as one of
     * the older servers takes them for units of the unit register: none of Linux's own, but
     * distributions add models to older kernels. */
    {.models = {SAPPHIRERAPIDS_X, EMERALDRAPIDS_X},
     .kind = ZONE_PSYS,
     .range_uj = RANGE_2_14_CUT,
     .shown = {61035, 1000},
     .right = {1000000, 1}},
    /* The unit is 15.3 uJ, and was taken for that of the unit register, until "powercap / RAPL:
     * handle domains with different energy units" (Linux 4.1). */
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
    /* powercap (rapl_defaults_core) takes the unit register's, perf (model_hsx), turbostat and the
     * SDM (vol. 4, Xeon D) 15.3 uJ: no measurement is known. */
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

/* The driver cut off less than a microjoule, and a tick is more than one. */
uint64_t unit_fault_ticks(const struct unit_fault *fault, uint64_t shown_uj) {
    const rapl_uint128 scaled = (rapl_uint128)shown_uj * fault->shown.denominator;
    return (uint64_t)((scaled + fault->shown.numerator_uj - 1) / fault->shown.numerator_uj);
}

/* Nanojoules of one tick, to the nearest: microjoules of ten thousand are ten times as many. */
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

/* A count that is no multiple of the wrong unit either is of another driver, which takes the unit
 * from the hardware (intel_rapl_common.c, rapl_package_add_pmu). */
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
