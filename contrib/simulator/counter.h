/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_COUNTER_H
#define RAPL_SIM_COUNTER_H

#include "load.h"

#include <stddef.h>
#include <stdint.h>

/* Base power is watts from at_ns on; joules were used before. */
struct power_change {
    uint64_t at_ns;
    double joules;
    double watts;
};

/* One 32-bit register. Times are nanoseconds since the machine began. */
struct counter {
    uint32_t unit_nj;
    uint32_t seed;
    uint32_t start_ticks; /* value at the last reset */
    double reset_joules;  /* energy used before it */
    struct power_change *changes;
    size_t change_count;
};

/* How often counters move. */
struct cadence {
    uint64_t update_ns;
    uint64_t jitter_ns; /* less than half of update_ns, or updates would change their order */
};

int counter_open(struct counter *counter, uint32_t unit_nj, uint32_t seed, double watts);
void counter_close(struct counter *counter);

int counter_set_watts(struct counter *counter, const struct load *load, uint64_t at_ns,
                      double watts);
void counter_reset(struct counter *counter, const struct load *load, uint64_t at_ns, double joules);
void counter_start_before_wrap(struct counter *counter, double joules);

double counter_watts(const struct counter *counter, const struct load *load, uint64_t at_ns);
double counter_joules(const struct counter *counter, const struct load *load, uint64_t at_ns);
double counter_range_joules(const struct counter *counter);

/* Returns the time of the latest update at or before at_ns. */
uint64_t counter_update_ns(const struct counter *counter, const struct cadence *cadence,
                           uint64_t at_ns);
uint32_t counter_ticks(const struct counter *counter, const struct load *load,
                       const struct cadence *cadence, uint64_t at_ns);
uint64_t counter_ticks_to_uj(const struct counter *counter, uint32_t ticks);

#endif
