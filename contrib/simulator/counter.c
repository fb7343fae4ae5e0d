/* SPDX-License-Identifier: MIT */
#include "counter.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const double ticks_in_range = 4294967296.0;

/* splitmix64 gives the jitter of any instant without computing the earlier ones. */
static uint64_t scramble(uint64_t value) {
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static double to_seconds(uint64_t ns) {
    return (double)ns / 1e9;
}

static double to_ticks(const struct counter *counter, double joules) {
    return floor(joules * 1e9 / counter->unit_nj);
}

static uint32_t fold_ticks(double ticks) {
    return (uint32_t)fmod(ticks, ticks_in_range);
}

int counter_open(struct counter *counter, uint32_t unit_nj, uint32_t seed, double watts) {
    *counter = (struct counter){.unit_nj = unit_nj, .seed = seed};
    /* The start value differs for every counter and is hours away from a wrap. */
    counter->start_ticks = 0x08000000u + (seed * 0x05f5e101u) % 0x60000000u;
    counter->changes = malloc(sizeof(*counter->changes));
    if (counter->changes == NULL)
        return -ENOMEM;
    counter->changes[0] = (struct power_change){.watts = watts};
    counter->change_count = 1;
    return 0;
}

void counter_close(struct counter *counter) {
    free(counter->changes);
    *counter = (struct counter){0};
}

/* A read just after a change may show an update from before it, so earlier changes are kept. */
static const struct power_change *find_change(const struct counter *counter, uint64_t at_ns) {
    size_t i = counter->change_count - 1;

    while (i > 0 && counter->changes[i].at_ns > at_ns)
        i--;
    return &counter->changes[i];
}

int counter_set_watts(struct counter *counter, const struct load *load, uint64_t at_ns,
                      double watts) {
    const double joules = counter_joules(counter, load, at_ns);
    struct power_change *changes =
        realloc(counter->changes, (counter->change_count + 1) * sizeof(*changes));

    if (changes == NULL)
        return -ENOMEM;
    counter->changes = changes;
    changes[counter->change_count++] =
        (struct power_change){.at_ns = at_ns, .joules = joules, .watts = watts};
    return 0;
}

void counter_reset(struct counter *counter, const struct load *load, uint64_t at_ns,
                   double joules) {
    counter->reset_joules = counter_joules(counter, load, at_ns);
    counter->start_ticks = fold_ticks(to_ticks(counter, joules));
}

void counter_start_before_wrap(struct counter *counter, double joules) {
    counter->start_ticks = fold_ticks(ticks_in_range - fmax(to_ticks(counter, joules), 1));
}

double counter_watts(const struct counter *counter, const struct load *load, uint64_t at_ns) {
    return find_change(counter, at_ns)->watts * load_factor(load, to_seconds(at_ns));
}

double counter_joules(const struct counter *counter, const struct load *load, uint64_t at_ns) {
    const struct power_change *change = find_change(counter, at_ns);

    return change->joules + change->watts * (load_integral(load, to_seconds(at_ns)) -
                                             load_integral(load, to_seconds(change->at_ns)));
}

double counter_range_joules(const struct counter *counter) {
    return ticks_in_range * counter->unit_nj / 1e9;
}

uint64_t counter_update_ns(const struct counter *counter, const struct cadence *cadence,
                           uint64_t at_ns) {
    const int64_t update_ns = (int64_t)cadence->update_ns;
    const int64_t jitter_ns = (int64_t)cadence->jitter_ns;
    const uint64_t key = scramble(counter->seed);
    const int64_t phase_ns = (int64_t)(key % cadence->update_ns);

    for (int64_t n = (int64_t)at_ns / update_ns + 1; n >= 0; n--) {
        const uint64_t draw = scramble(key ^ (uint64_t)n) % (2 * cadence->jitter_ns + 1);
        const int64_t instant = n * update_ns + phase_ns + (int64_t)draw - jitter_ns;

        if (instant <= (int64_t)at_ns)
            return instant > 0 ? (uint64_t)instant : 0;
    }
    return 0;
}

uint32_t counter_ticks(const struct counter *counter, const struct load *load,
                       const struct cadence *cadence, uint64_t at_ns) {
    const uint64_t update_ns = counter_update_ns(counter, cadence, at_ns);
    const double joules = counter_joules(counter, load, update_ns) - counter->reset_joules;

    return fold_ticks(counter->start_ticks + to_ticks(counter, fmax(joules, 0)));
}

uint64_t counter_ticks_to_uj(const struct counter *counter, uint32_t ticks) {
    return (uint64_t)ticks * counter->unit_nj / 1000;
}
