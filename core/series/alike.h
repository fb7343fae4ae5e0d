/* SPDX-License-Identifier: MIT */
/*
 * Zones that may show one counter (zone_may_be_alike()), and whether they do: found by their
 * values. The kernel shows one counter more than once as dies of a package, as psys and psys-0, and
 * in virtual machines as packages; and two counters by one name, as psys-1 of two dies. Pure.
 *
 * First readings that differ by more than can have been used between the two reads are of two
 * counters; where two counters may have started alike, as perf's do when they are opened, the first
 * energy decides. After that, a difference that is seen twice in a row says that they are
 * two, and ten readings in a row that counted the same to the tick, that they are one.
 */
#ifndef RAPL_ALIKE_H
#define RAPL_ALIKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zone/zone.h"
#include "zone/zone_map.h"

struct source;
struct zone;

struct alike {
    struct zone_identity key; /* what their identities have in common */
    size_t first;             /* in the source's list; the others follow by next_alike */
    size_t last;
    size_t count;
    bool unknown; /* of one of them, which counter it shows */
};

/* Of all zones, since the last alikes_begin(). */
struct alikes {
    struct alike *list;
    size_t count;
    bool compares; /* some of them are more than one zone */
    struct zone_map map;
};

/* Room for that many zones. -ENOMEM. */
int alikes_begin(struct alikes *alikes, size_t zone_count);

/* Adds a zone, after those that came before it. -ENOMEM. */
int alikes_add(struct alikes *alikes, const struct source *source, size_t index,
               const struct zone_identity *key);

void alikes_free(struct alikes *alikes);

enum alike_finding {
    ALIKE_UNDECIDED,
    ALIKE_SAME, /* both zones show one counter */
    ALIKE_OTHER,
};

/* What the readings of a zone that is not known yet say, and those of one before it. */
enum alike_finding alike_judge_new(const struct source *source, size_t first, size_t index);

/* What they say of two zones that have been taken for one counter, or for two. UNDECIDED: the same
 * as before; of one counter, where compared.differs, the next reading decides. */
enum alike_finding alike_judge_shared(const struct source *source, size_t first, size_t index);
enum alike_finding alike_judge_own(const struct source *source, size_t first, size_t index);

/* The zone belongs to another row of values: what is at offset in its own is ahead there. */
void alike_move(struct zone *zone, uint64_t ahead, uint64_t offset);

#endif
