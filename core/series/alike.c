/* SPDX-License-Identifier: MIT */
#include "series/alike.h"

#include <errno.h>
#include <stdlib.h>

#include "series/series.h"
#include "source/source.h"

int alikes_begin(struct alikes *alikes, size_t zone_count) {
    alikes_free(alikes);
    alikes->list = calloc(zone_count > 0 ? zone_count : 1, sizeof(*alikes->list));
    return alikes->list != NULL ? 0 : -ENOMEM;
}

int alikes_add(struct alikes *alikes, const struct source *source, size_t index,
               const struct zone_identity *key) {
    struct alike *alike = zone_map_find(&alikes->map, key);
    source->zones[index]->next_alike = SIZE_MAX;
    if (alike == NULL) {
        alike = &alikes->list[alikes->count];
        *alike = (struct alike){.key = *key, .first = index, .last = index};
        if (zone_map_add(&alikes->map, &alike->key, alike) != 0)
            return -ENOMEM;
        alikes->count++;
    } else {
        source->zones[alike->last]->next_alike = index;
        alike->last = index;
        alikes->compares = true;
    }
    alike->count++;
    source->zones[index]->alike = alike;
    return 0;
}

void alikes_free(struct alikes *alikes) {
    free(alikes->list);
    zone_map_free(&alikes->map);
    *alikes = (struct alikes){.list = NULL};
}

/* --- comparison of readings ------------------------------------------------------------------- */

/* One counter may be read before and after an update, and updates, about a millisecond apart,
 * jitter. */
#define UPDATE_NS UINT64_C(2000000)

/* The ceiling of psys says little (core/source/power_ceiling.c): no single node draws more than
 * this. */
#define PSYS_MOST_UW UINT64_C(4000000000)

/* With less energy than this, two counters may well count the same. */
#define ENERGY_LEAST_UJ 100000
#define ENERGY_LEAST_UNITS 1000

/* Two counters count the same by chance about once in a thousand readings. */
#define EQUAL_READINGS 10

/* Counts that moved by the same over this many times the duration of both reads and an update
 * belong to one counter: two would have to use the same energy to a percent. */
#define SAME_SPAN 100

/* Two zones, and what they show in this sweep. */
struct pair {
    struct zone *one;
    struct zone *other;
    const struct reading *first;
    const struct reading *second;
    uint64_t modulus;
};

static struct pair pair_of(const struct source *source, size_t first, size_t index) {
    return (struct pair){.one = source->zones[first],
                         .other = source->zones[index],
                         .first = &source->readings[first],
                         .second = &source->readings[index],
                         .modulus = source->zones[first]->traits.modulus};
}

static bool has_one_range(const struct pair *pair) {
    const struct counter_traits *one = &pair->one->traits;
    const struct counter_traits *other = &pair->other->traits;
    return one->modulus == other->modulus && one->goes_on == other->goes_on &&
           one->scale.numerator_uj == other->scale.numerator_uj &&
           one->scale.denominator == other->scale.denominator;
}

static uint64_t subtract_in(uint64_t modulus, uint64_t a, uint64_t b) {
    return modulus != 0 && a < b ? a + (modulus - b) : a - b;
}

static uint64_t subtract(const struct pair *pair, uint64_t a, uint64_t b) {
    return subtract_in(pair->modulus, a, b);
}

/* How far the second is ahead in the row of values of the first one's series. */
static uint64_t find_ahead(const struct pair *pair) {
    const uint64_t row = subtract(pair, pair->first->ticks, pair->one->compared.offset);
    return subtract(pair, pair->second->ticks, row);
}

static uint64_t find_apart_ns(const struct pair *pair) {
    const uint64_t a_ns = pair->first->time_ns;
    const uint64_t b_ns = pair->second->time_ns;
    return (a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns) + pair->first->uncertainty_ns +
           pair->second->uncertainty_ns + UPDATE_NS;
}

/* Whether one counter can have moved this far between the two reads. */
static bool is_near(const struct pair *pair, uint64_t distance) {
    struct counter_traits traits = pair->other->traits;
    const uint64_t period_ns = pair->one->series->traits.period_ns;
    if (pair->other->identity.kind == ZONE_PSYS && traits.ceiling_uw > PSYS_MOST_UW)
        traits.ceiling_uw = PSYS_MOST_UW;
    const uint64_t apart_ns = find_apart_ns(pair) + pair->other->compared.apart_ns;
    return !counter_exceeds(&traits, distance, apart_ns + period_ns);
}

static bool has_energy(const struct zone *zone, uint64_t ticks) {
    return counter_to_uj(zone->traits.scale, ticks) >= ENERGY_LEAST_UJ &&
           ticks / ENERGY_LEAST_UNITS >= zone->traits.unit;
}

/* Starts the comparison at these readings. Only perf's counts have a measured offset. */
static void compare_from_here(const struct pair *pair, uint64_t offset) {
    struct comparison *compared = &pair->other->compared;
    const struct reading last = pair->other->starts ? compared->last : *pair->second;
    *compared =
        (struct comparison){.ticks = pair->second->ticks,
                            .ahead = find_ahead(pair),
                            .offset = offset,
                            .apart_ns = pair->other->traits.goes_on ? find_apart_ns(pair) : 0,
                            .epoch = pair->other->epoch,
                            .other_epoch = pair->one->epoch,
                            .has_ticks = true,
                            .last = last};
}

static bool goes_on(const struct pair *pair) {
    const struct comparison *compared = &pair->other->compared;
    return compared->has_ticks && compared->epoch == pair->other->epoch &&
           compared->other_epoch == pair->one->epoch;
}

/* Whether the distance is more than two reads of one counter can be apart, at the power of the
 * span. */
static bool differ(const struct pair *pair, uint64_t step, uint64_t distance, uint64_t span_ns,
                   uint64_t apart_ns) {
    return distance > 2 * pair->other->traits.unit &&
           (rapl_uint128)distance * span_ns > (rapl_uint128)step * 2 * apart_ns;
}

/* Decides by the energy that was counted since the first readings. */
static enum alike_finding judge_energy(const struct pair *pair) {
    struct comparison *compared = &pair->other->compared;
    const bool counts = pair->other->traits.goes_on;
    const uint64_t ahead = find_ahead(pair);
    const bool begins = !goes_on(pair) || compared->last.time_ns == 0;
    if (begins)
        compare_from_here(pair, counts ? ahead : 0);
    if (!counts && !is_near(pair, counter_distance(ahead, 0, pair->modulus)))
        return ALIKE_OTHER;
    if (begins)
        return ALIKE_UNDECIDED;
    const uint64_t step = subtract(pair, pair->second->ticks, compared->ticks);
    const uint64_t distance = counter_distance(ahead, compared->offset, pair->modulus);
    const uint64_t span_ns = pair->second->time_ns - compared->last.time_ns;
    const uint64_t apart_ns = find_apart_ns(pair) + compared->apart_ns;
    compared->moved = step > 0 || distance > 0;
    if (!has_energy(pair->other, step))
        return ALIKE_UNDECIDED;
    if (differ(pair, step, distance, span_ns, apart_ns))
        return ALIKE_OTHER;
    const uint64_t updates_ns = compared->apart_ns != 0 ? 2 * UPDATE_NS : UPDATE_NS;
    const bool is_sharp = distance == 0 && span_ns / SAME_SPAN >= apart_ns - updates_ns;
    if (!is_sharp && span_ns / SAME_SPAN < apart_ns)
        return ALIKE_UNDECIDED;
    const struct comparison before = *compared;
    compare_from_here(pair, ahead);
    if (distance > 0) {
        compared->offset = before.offset;
        compared->apart_ns = before.apart_ns;
    }
    return ALIKE_SAME;
}

/* perf's counts begin at 0 when they are opened, packages of a virtual machine when it starts, and
 * all psys counters of a board when that starts. */
static bool starts_alike(const struct pair *pair) {
    return pair->other->traits.goes_on ||
           pair->one->identity.package_id != pair->other->identity.package_id;
}

enum alike_finding alike_judge_new(const struct source *source, size_t first, size_t index) {
    const struct pair pair = pair_of(source, first, index);
    if (!has_one_range(&pair))
        return ALIKE_OTHER;
    if (starts_alike(&pair))
        return judge_energy(&pair);
    compare_from_here(&pair, 0);
    return is_near(&pair, counter_distance(pair.other->compared.ahead, 0, pair.modulus))
               ? ALIKE_SAME
               : ALIKE_OTHER;
}

enum alike_finding alike_judge_shared(const struct source *source, size_t first, size_t index) {
    const struct pair pair = pair_of(source, first, index);
    struct comparison *compared = &pair.other->compared;
    const uint64_t ahead = find_ahead(&pair);
    if (!goes_on(&pair)) {
        compare_from_here(&pair, pair.other->traits.goes_on ? ahead : compared->offset);
        return ALIKE_UNDECIDED;
    }
    const uint64_t step = subtract(&pair, pair.second->ticks, compared->ticks);
    const bool repeats = ahead == compared->ahead && has_energy(pair.other, step);
    const uint64_t distance = counter_distance(ahead, compared->offset, pair.modulus);
    const bool differed = compared->differs;
    compared->differs = !is_near(&pair, distance);
    compared->ticks = pair.second->ticks;
    compared->ahead = ahead;
    /* An update may have come between the two reads of the first comparison of perf's counts. */
    if (distance > 0 && repeats && pair.other->traits.goes_on && !compared->differs)
        compared->offset = ahead;
    if (ahead == compared->offset) {
        compared->last = *pair.second;
        pair.one->compared.last = *pair.first;
    }
    return compared->differs && differed ? ALIKE_OTHER : ALIKE_UNDECIDED;
}

/* How many times in a row both counted the same, this comparison included. */
static unsigned int count_equal(const struct pair *pair) {
    const struct comparison *compared = &pair->other->compared;
    const uint64_t step = subtract(pair, pair->second->ticks, compared->ticks);
    const uint64_t distance = counter_distance(find_ahead(pair), compared->ahead, pair->modulus);
    const uint64_t span_ns = pair->second->time_ns - compared->since_ns;
    if (differ(pair, step, distance, span_ns, find_apart_ns(pair)))
        return 0;
    return compared->equal + (distance == 0 && has_energy(pair->other, step) ? 1 : 0);
}

enum alike_finding alike_judge_own(const struct source *source, size_t first, size_t index) {
    const struct pair pair = pair_of(source, first, index);
    struct comparison *compared = &pair.other->compared;
    const bool follows = has_one_range(&pair) && goes_on(&pair) && compared->since_ns != 0;
    const uint64_t span_ns = pair.second->time_ns - compared->since_ns;
    /* Over a short span two counters may well count the same if their reads are apart. */
    if (follows && span_ns / SAME_SPAN < find_apart_ns(&pair))
        return ALIKE_UNDECIDED;
    compared->equal = follows ? count_equal(&pair) : 0;
    compared->ticks = pair.second->ticks;
    compared->ahead = find_ahead(&pair);
    compared->since_ns = pair.second->time_ns;
    compared->epoch = pair.other->epoch;
    compared->other_epoch = pair.one->epoch;
    compared->has_ticks = true;
    return compared->equal >= EQUAL_READINGS ? ALIKE_SAME : ALIKE_UNDECIDED;
}

void alike_move(struct zone *zone, uint64_t ahead, uint64_t offset) {
    const uint64_t modulus = zone->traits.modulus;
    const uint64_t back = subtract_in(modulus, offset, ahead);
    zone->compared.offset = subtract_in(modulus, zone->compared.offset, back);
}
