/* SPDX-License-Identifier: MIT */
/* The identity of a zone, read from the kernel's names. Pure. */
#ifndef RAPL_ZONE_H
#define RAPL_ZONE_H

#include <stdbool.h>
#include <stddef.h>

/* A kernel zone name has at most 29 characters (POWERCAP_ZONE_NAME_ATTRS, powercap_sys.c); a longer
 * text than this is not one. */
#define ZONE_TEXT_SIZE ((size_t)64)

enum zone_kind {
    ZONE_PACKAGE,
    ZONE_CORE,
    ZONE_UNCORE,
    ZONE_DRAM,
    ZONE_PSYS,
    ZONE_LEAD_CORE,
    ZONE_TOTAL,
    ZONE_OTHER,
};

struct zone_identity {
    enum zone_kind kind;
    char domain[ZONE_TEXT_SIZE];
    int package_id; /* RAPL_NO_ID if there is none; the same for die_id and core_id */
    int die_id;
    int core_id;
    /* The kernel's id if another counter has the same values in all other fields; otherwise "". */
    char id[ZONE_TEXT_SIZE];
    /* The top-level zone that a sub-zone belongs to, if that has no package number; otherwise
     * "". */
    char parent[ZONE_TEXT_SIZE];
};

/*
 * Reads an identity from a zone's name and, for a sub-zone, its parent's identity (otherwise NULL).
 * A name that the kernel does not use becomes a domain of its own. -EINVAL: the name is empty or
 * too long.
 */
int zone_identify(const char *name, const struct zone_identity *parent,
                  struct zone_identity *identity);

/*
 * The identity that the powercap driver's names (intel_rapl_common.c) would give to a counter of
 * another source: a package, psys, or else the sub-zone of that name. leads: this psys belongs to
 * the first package and die, and gets no number. -EINVAL: sub_zone is not a valid name.
 */
int zone_identify_counter(enum zone_kind kind, const char *sub_zone, int package_id, int die_id,
                          bool leads, struct zone_identity *identity);

bool zone_equal(const struct zone_identity *a, const struct zone_identity *b);

/* Whether another zone may show the same counter. If so, key is set to what both have in common:
 * any die of one package, any package of a virtual machine, psys and psys-0. */
bool zone_may_be_alike(const struct zone_identity *identity, bool is_virtual,
                       struct zone_identity *key);

/* Whether the zone's energy is part of the machine's total: package and dram (psys contains
 * both). */
bool zone_in_total(const struct zone_identity *identity);

/* Whether the zone is a single core; whole is set to the identity of all cores of its package. */
bool zone_is_core_of(const struct zone_identity *identity, struct zone_identity *whole);

/* Adds the kernel's id to an identity that another counter shares. */
void zone_set_id(struct zone_identity *identity, const char *id);

/* The zone that a zone is shown under: "package-0", "package-0-die-1", "psys-1",
 * "psys-1-intel-rapl:5"; "" for the total. */
#define ZONE_PARENT_SIZE (2 * ZONE_TEXT_SIZE)
void zone_format_parent(const struct zone_identity *identity, char text[ZONE_PARENT_SIZE]);

/* Whether the zone is shown under another one; parent is set to that one's identity. psys-1 has a
 * package's number but is part of no package; single cores are shown alone. */
bool zone_is_part_of(const struct zone_identity *identity, struct zone_identity *parent);

/* The name that selection patterns are matched with: "package-0", "package-0/dram", "psys-1",
 * "total". */
#define ZONE_NAME_SIZE (ZONE_PARENT_SIZE + ZONE_TEXT_SIZE)
void zone_format_name(const struct zone_identity *identity, char text[ZONE_NAME_SIZE]);

#endif
