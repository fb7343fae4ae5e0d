/* SPDX-License-Identifier: MIT */
/*
 * A machine with known true energy: its counters, the zones that the kernel shows of them, and its
 * clocks. Events happen at random and are recorded.
 */
#ifndef RAPL_MODEL_MACHINE_H
#define RAPL_MODEL_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"
#include "system/cpuinfo.h"
#include "wide.h"
#include "zone/zone.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
/* Attojoules: 2^-16 J, 15.3 uJ and 1 J are whole numbers of them. */
#define AJ_PER_NJ UINT64_C(1000000000)
#define AJ_PER_UJ UINT64_C(1000000000000)

#define COUNTERS_MAX 192
#define PLACES_MAX 256

enum style { STYLE_POWERCAP, STYLE_PERF, STYLE_MSR };

/* What the counter does at its next reading. */
enum restart {
    RESTART_NONE,
    RESTART_ZERO,
    RESTART_ANYWHERE,
    RESTART_FORWARD,
    RESTART_BACK, /* to the values that it left before */
};

/* One counter of the hardware: only 32 bits can be read, the rest is known only here. */
struct hardware {
    uint64_t unit_aj;
    uint64_t count; /* units used in total: the truth */
    wide rest_aj;   /* energy below one unit */
    uint64_t as_of_ns;
    uint64_t power_uw;
    uint64_t most_uw;      /* never above the ceiling */
    uint64_t offset;       /* of the displayed value */
    enum restart restart;  /* requested */
    uint64_t read_in;      /* number of the last sample that read it */
    unsigned int restarts; /* done so far */
    bool calm;             /* never restarts, and its zones can always be read */
    bool has_kin;          /* another counter has similar or distant values */
    bool is_stuck;         /* it never moves */
    size_t whole;          /* counter of the package that contains it; SIZE_MAX: none */
    uint64_t share;        /* in 1024ths of the package's power, if parts_within */
};

/* One zone that the kernel shows, or may show. */
struct place {
    enum zone_kind kind;
    const char *domain;
    int package_id;
    int die_id;
    int core_id;
    bool is_mmio;
    size_t parent;  /* index of a place; its own index: none */
    size_t counter; /* index of the hardware */
    unsigned int index;
    unsigned int index_least;
    uint64_t ceiling_uw;
    uint64_t raised_uw; /* ceiling after several steps above it; 0: never raised */
    bool shows_range;
    bool nameless;
    bool there;
    unsigned int generation; /* files opened in an earlier generation have no zone any more */
    int error;               /* returned by its next readings */
    uint64_t error_left;
    uint32_t epoch;
    uint64_t base; /* perf: initial sum, and the count at that time */
    uint64_t base_count;
    bool is_away; /* removed for a while */
    uint64_t returns_ns;
};

/* How often events happen: once in this many samples, 0: never. */
struct habits {
    uint64_t power, failure, long_failure, reset, sleep, wall_jump, slow_read, offline, reload;
    uint64_t epoch, online, memory, outlier, lazy, late, inside, slew, low;
};

struct machine {
    struct random random;
    enum style style;
    enum cpu_vendor vendor;
    bool is_virtual; /* its packages may show one counter */
    uint64_t max_power_uw;
    bool is_hot; /* counters may exceed their ceilings */
    uint64_t range_unit_nj;
    uint64_t period_ns; /* update period of its counters; 0: they move all the time */
    bool parts_within;  /* the parts of a package use at most as much as the package */
    struct hardware hardware[COUNTERS_MAX];
    size_t counter_count;
    struct place places[PLACES_MAX];
    size_t place_count;
    unsigned int generations;
    uint32_t epochs;
    uint64_t online_mark;
    uint64_t interval_ns;
    struct habits habits;

    uint64_t raw_ns;       /* CLOCK_MONOTONIC_RAW, true time */
    uint64_t monotonic_ns; /* slewed */
    int64_t slew_ppm;
    uint64_t suspend_offset_ns; /* CLOCK_BOOTTIME minus CLOCK_MONOTONIC */
    uint64_t wall_ns;           /* CLOCK_REALTIME minus CLOCK_BOOTTIME */

    struct {
        uint64_t sleeps, wall_jumps, offlines, reloads, returns, epochs, online, failures, slews;
    } seen;
};

/* Makes a random machine. powercap: its counters are read by powercap. */
void machine_make(struct machine *machine, uint64_t seed, bool powercap);

/* Adds its zones and their counters. */
void machine_add_zones(struct machine *machine);

/* Sets the power of parts to their share of their package's power. */
void machine_share_power(struct machine *machine);

/* Time passes and energy is used; until an instant of CLOCK_MONOTONIC. */
void machine_pass(struct machine *machine, uint64_t ns);
void machine_pass_until(struct machine *machine, uint64_t monotonic_ns);
void machine_sleep(struct machine *machine, uint64_t ns);

/* Lets events happen between two samples, or within one, before one of its readings. */
void machine_live(struct machine *machine);
void machine_live_inside(struct machine *machine, bool may_sleep);

/* Returns the time until the next report. */
uint64_t machine_choose_interval(struct machine *machine);

/* Returns true time, including sleep. */
static inline uint64_t machine_true_ns(const struct machine *machine) {
    return machine->raw_ns + machine->suspend_offset_ns;
}

/* Brings the counter up to date. */
void machine_settle(struct machine *machine, struct hardware *hardware);

/* Returns the value that the zone shows of its counter. */
uint64_t machine_show(const struct machine *machine, const struct place *place);

/* Parts per joule in displayed values; parts per unit, if the unit does not follow from a range. */
uint64_t machine_parts(const struct machine *machine);
uint64_t machine_unit_parts(const struct machine *machine);

/* Returns the largest value that powercap shows; 0: it shows none. */
uint64_t machine_range_uj(const struct machine *machine, const struct place *place);

/* Restarts its counter, so that the zone shows the value. */
void machine_restart(struct machine *machine, struct place *place, uint64_t shown);

void machine_print(const struct machine *machine);

#endif
