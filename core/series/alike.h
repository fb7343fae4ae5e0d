/* SPDX-License-Identifier: MIT */
/*
 * Zones that may show one counter (zone_may_be_alike()). Their values decide whether they do. The
 * kernel shows one counter more than once as dies of a package, as psys and psys-0, and in virtual
 * machines as packages. It shows two counters under one name as psys-1 of two dies. Pure.
 *
 * First readings that differ by more than can have been used between the two reads belong to two
 * counters. If two counters may have started at the same value, as perf's do when they are opened,
 * the first energy decides. After that, a difference in two readings in a row shows that they are
 * two, and ten readings in a row that count the same to the tick show that they are one.
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
    size_t first;             /* index in the source's list; the others follow by next_alike */
    size_t last;
    size_t count;
    bool unknown; /* it is unknown which counter one of them shows */
};

/* All groups since the last alikes_begin(). */
struct alikes {
    struct alike *list;
    size_t count;
    bool compares; /* a group has more than one zone */
    struct zone_map map;
};

/* Makes room for that many zones. -ENOMEM. */
int alikes_begin(struct alikes *alikes, size_t zone_count);

/* Adds a zone to its group, after the earlier ones. -ENOMEM. */
int alikes_add(struct alikes *alikes, const struct source *source, size_t index,
               const struct zone_identity *key);

void alikes_free(struct alikes *alikes);

enum alike_finding {
    ALIKE_UNDECIDED,
    ALIKE_SAME, /* both zones show one counter */
    ALIKE_OTHER,
};

/* Judges a zone of unknown counter by its reading and the reading of an earlier zone. */
enum alike_finding alike_judge_new(const struct source *source, size_t first, size_t index);

/* Judge two zones that have been taken for one counter (shared), or for two (own). UNDECIDED: as
 * before; if compared.differs is set for a shared one, the next reading decides. */
enum alike_finding alike_judge_shared(const struct source *source, size_t first, size_t index);
enum alike_finding alike_judge_own(const struct source *source, size_t first, size_t index);

/* Moves the zone to another row of values: offset in its own row is ahead there. */
void alike_move(struct zone *zone, uint64_t ahead, uint64_t offset);

#endif
