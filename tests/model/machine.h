/* SPDX-License-Identifier: MIT */
/*
 * A machine whose true energy is known: its counters, the zones that the kernel shows of them, and
 * its clocks. What happens to it happens at random; what has happened is written down.
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

/* What is to become of a counter at its next reading. */
enum restart {
    RESTART_NONE,
    RESTART_ZERO,
    RESTART_ANYWHERE,
    RESTART_FORWARD,
    RESTART_BACK, /* to the row of values that it left before */
};

/* One counter of the hardware: 32 bits of it can be read, the rest is known here alone. */
struct hardware {
    uint64_t unit_aj;
    uint64_t count; /* units used since ever: the truth */
    wide rest_aj;   /* and below a unit */
    uint64_t as_of_ns;
    uint64_t power_uw;
    uint64_t most_uw;      /* never above the ceiling */
    uint64_t offset;       /* of what it shows */
    enum restart restart;  /* wanted */
    uint64_t read_in;      /* number of the sample that has read it last */
    unsigned int restarts; /* done */
    bool calm;             /* it does not start again, its zones always read */
    bool has_kin;          /* another one is like it, or far from it */
    bool is_stuck;         /* it never moves */
    size_t whole;          /* counter of the package that it is part of; SIZE_MAX: none */
    uint64_t share;        /* 1024ths of that one's power; where parts are within */
};

/* One zone that the kernel shows, or would. */
struct place {
    enum zone_kind kind;
    const char *domain;
    int package_id;
    int die_id;
    int core_id;
    bool is_mmio;
    size_t parent;  /* a place; its own number: none */
    size_t counter; /* of the hardware */
    unsigned int index;
    unsigned int index_least;
    uint64_t ceiling_uw;
    uint64_t raised_uw; /* what steps in a row above it raise it to; 0: nothing does */
    bool shows_range;
    bool nameless;
    bool there;
    unsigned int generation; /* a file that is open for another one has no zone any more */
    int error;               /* of its next readings */
    uint64_t error_left;
    uint32_t epoch;
    uint64_t base; /* perf: the sum that it begins with, and the count when it did */
    uint64_t base_count;
    bool is_away; /* it was taken away, and returns */
    uint64_t returns_ns;
};

/* How often things happen: once in so many samples, 0: never. */
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
    bool is_hot; /* counters may use more than their ceilings allow */
    uint64_t range_unit_nj;
    uint64_t period_ns; /* of the updates of its counters; 0: they move all the time */
    bool parts_within;  /* the parts of a package use no more than the package */
    struct hardware hardware[COUNTERS_MAX];
    size_t counter_count;
    struct place places[PLACES_MAX];
    size_t place_count;
    unsigned int generations;
    uint32_t epochs;
    uint64_t online_mark;
    uint64_t interval_ns;
    struct habits habits;

    uint64_t raw_ns;       /* CLOCK_MONOTONIC_RAW, which is true */
    uint64_t monotonic_ns; /* slewed */
    int64_t slew_ppm;
    uint64_t suspend_offset_ns; /* of CLOCK_BOOTTIME before CLOCK_MONOTONIC */
    uint64_t wall_ns;           /* CLOCK_REALTIME ahead of CLOCK_BOOTTIME */

    struct {
        uint64_t sleeps, wall_jumps, offlines, reloads, returns, epochs, online, failures, slews;
    } seen;
};

/* powercap: one that is read in that way. */
void machine_make(struct machine *machine, uint64_t seed, bool powercap);

/* Its zones, and their counters. */
void machine_add_zones(struct machine *machine);

/* Parts that are within use their share of their package's power. */
void machine_share_power(struct machine *machine);

/* Time passes, energy is used. Until: up to an instant of CLOCK_MONOTONIC. */
void machine_pass(struct machine *machine, uint64_t ns);
void machine_pass_until(struct machine *machine, uint64_t monotonic_ns);
void machine_sleep(struct machine *machine, uint64_t ns);

/* What may happen between two samples, or within one: before one of its readings. */
void machine_live(struct machine *machine);
void machine_live_inside(struct machine *machine, bool may_sleep);

/* How long until the next report. */
uint64_t machine_choose_interval(struct machine *machine);

/* True time, sleep included. */
static inline uint64_t machine_true_ns(const struct machine *machine) {
    return machine->raw_ns + machine->suspend_offset_ns;
}

/* The counter moves to now. */
void machine_settle(struct machine *machine, struct hardware *hardware);

/* What the zone shows of its counter. */
uint64_t machine_show(const struct machine *machine, const struct place *place);

/* Of a joule, in what zones show; and of a unit, where it is not that of a range. */
uint64_t machine_parts(const struct machine *machine);
uint64_t machine_unit_parts(const struct machine *machine);

/* The largest value that powercap shows; 0 where it shows none. */
uint64_t machine_range_uj(const struct machine *machine, const struct place *place);

/* Its counter starts again, so that the zone shows the value. */
void machine_restart(struct machine *machine, struct place *place, uint64_t shown);

void machine_print(const struct machine *machine);

#endif
