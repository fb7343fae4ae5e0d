/* SPDX-License-Identifier: MIT */
/* Zones that may show one counter under several names. */
#ifndef RAPL_BINDING_MIRROR_H
#define RAPL_BINDING_MIRROR_H

#include "binding.h"

/* Zones of one package and domain. */
struct mirror {
    struct zone_identity key;      /* theirs without what tells them apart */
    struct zone_identity identity; /* of the one series that stands for them */
    bool shared;                   /* there are two of them, presumed to show one counter */
    bool parted;                   /* each has its own, for good */

    /* Of the pass under way. */
    const struct zone *last;
    bool meets; /* two of one control type */
    const struct series *read;
    size_t first; /* in the source's list, of those that read */
};

/* Whether a zone may show the counter of others; key becomes the identity that stands for them all.
 */
bool mirror_may_be(const struct binding *binding, const struct zone_identity *identity,
                   struct zone_identity *key);

/* Finds the zones that may show one counter. -ENOMEM. */
int mirror_presume(struct binding *binding, const struct source *source);

/* The mirror that a zone is presumed to be part of, or NULL. */
struct mirror *mirror_of(const struct zone *zone);

/* Whether a series without a zone has none for good: the merged one of mirrors that have parted
 * (but psys was psys before psys-0 parted from it), or a mirror that goes by another's name now. */
bool mirror_has_ended(const struct binding *binding, const struct series *series);

#endif
