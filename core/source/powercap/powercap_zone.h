/* SPDX-License-Identifier: MIT */
/* One zone of the powercap class and its files. */
#ifndef RAPL_POWERCAP_ZONE_H
#define RAPL_POWERCAP_ZONE_H

#include <stdbool.h>
#include <stdint.h>

#include "problem/problem.h"
#include "source/source.h"

struct powercap_zone {
    struct zone zone; /* must be first: the source's zones point to it */
    struct powercap_zone *parent;
    int file;
    bool loaded;       /* by the current discovery */
    bool served;       /* it has been read since it was last loaded */
    bool is_corrected; /* the kernel has its unit wrong; readings are ticks of the register */
    bool lacks; /* its range or a limit could not be read, so the next discovery loads it again */
};

/* NULL: no memory. */
struct powercap_zone *powercap_zone_new(const char *id);
void powercap_zone_free(struct powercap_zone *zone);

/* Reads its name again and closes its counter. Returns whether it is identified. Its parent must
 * have been identified before. */
bool powercap_zone_identify(struct powercap_zone *zone, const struct source_options *options,
                            struct problems *problems);

/* Opens the counter of an identified zone. Returns whether it holds a descriptor. */
bool powercap_zone_open(struct powercap_zone *zone, const struct source_options *options,
                        struct problems *problems);

/* Reads microjoules, or ticks of the register if is_corrected. Returns the zone's error. */
int powercap_zone_read(struct powercap_zone *zone, uint64_t *ticks);

/* Closes the counter and keeps the error. */
void powercap_zone_close(struct powercap_zone *zone);

#endif
