/* SPDX-License-Identifier: MIT */
/* One zone of the powercap class: its files. */
#ifndef RAPL_POWERCAP_ZONE_H
#define RAPL_POWERCAP_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "problem/problem.h"
#include "source/source.h"

struct powercap_zone {
    struct zone zone; /* first: a zone of the source is one of these */
    struct powercap_zone *parent;
    int file;
    bool loaded;       /* in the discovery under way */
    bool served;       /* it has read since it was last loaded */
    bool is_corrected; /* the kernel has its unit wrong, and readings are ticks of the register */
    bool lacks;        /* its range or a limit could not be read: it is loaded anew */
};

/* NULL without memory. */
struct powercap_zone *powercap_zone_new(const char *id);
void powercap_zone_free(struct powercap_zone *zone);

/* Reads its name anew, which tells who it is; it is closed then. False: nobody. Its parent comes
 * before it. */
bool powercap_zone_identify(struct powercap_zone *zone, const struct source_options *options,
                            struct problems *problems);

/* Opens the counter of one that is identified. False: it holds no descriptor. */
bool powercap_zone_open(struct powercap_zone *zone, const struct source_options *options,
                        struct problems *problems);

/* Microjoules, or ticks of the register where the kernel has their unit wrong. Returns the zone's
 * error. */
int powercap_zone_read(struct powercap_zone *zone, uint64_t *ticks);

/* Its error stays. */
void powercap_zone_close(struct powercap_zone *zone);

#endif
