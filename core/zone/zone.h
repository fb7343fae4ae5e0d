/* SPDX-License-Identifier: MIT */
/* A zone's identity, taken from the kernel's names. Pure. */
#ifndef RAPL_ZONE_H
#define RAPL_ZONE_H

#include <stdbool.h>
#include <stddef.h>

/* A kernel zone name has at most 29 characters (POWERCAP_ZONE_NAME_ATTRS, powercap_sys.c); more
 * than this is no name. */
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
    int package_id; /* RAPL_NO_ID where there is none, as for die and core */
    int die_id;
    int core_id;
    /* The kernel's id, where another counter has all of the rest in common; "" otherwise. */
    char id[ZONE_TEXT_SIZE];
    /* Top-level zone of a sub-zone whose parent has no package number; "" otherwise. */
    char parent[ZONE_TEXT_SIZE];
};

/*
 * Reads an identity out of a zone's name and, for a sub-zone, its parent's identity (else NULL).
 * A name that is none of the kernel's is a domain of its own. -EINVAL: the name is empty or too
 * long.
 */
int zone_identify(const char *name, const struct zone_identity *parent,
                  struct zone_identity *identity);

/*
 * The identity that the powercap driver's names (intel_rapl_common.c) would give to a counter found
 * otherwise: a package, psys, or else the sub-zone of that name. leads: of several psys, it is that
 * of the first package and die, which has no number. -EINVAL: the sub-zone's name is none.
 */
int zone_identify_counter(enum zone_kind kind, const char *sub_zone, int package_id, int die_id,
                          bool leads, struct zone_identity *identity);

bool zone_equal(const struct zone_identity *a, const struct zone_identity *b);

/* Whether another zone may show the same counter. Then key becomes what both have in common: of one
 * package, whatever the die, and in a virtual machine whatever the package; of psys and psys-0. */
bool zone_may_be_alike(const struct zone_identity *identity, bool is_virtual,
                       struct zone_identity *key);

/* Whether its energy is part of the machine's total: package and dram (psys holds both already). */
bool zone_in_total(const struct zone_identity *identity);

/* Whether it is a single core; whole becomes the identity of all cores of its package. */
bool zone_is_core_of(const struct zone_identity *identity, struct zone_identity *whole);

/* Makes it the identity of the counter of that id, which has a name in common with another one. */
void zone_set_id(struct zone_identity *identity, const char *id);

/* "package-0", "package-0-die-1", "psys-1", "psys-1-intel-rapl:5": what the zone is shown under; ""
 * for the total. */
#define ZONE_PARENT_SIZE (2 * ZONE_TEXT_SIZE)
void zone_format_parent(const struct zone_identity *identity, char text[ZONE_PARENT_SIZE]);

/* Whether it is shown under another zone, and then parent becomes that one's identity. psys-1 has
 * the number of a package and lies in none; single cores are shown by themselves. */
bool zone_is_part_of(const struct zone_identity *identity, struct zone_identity *parent);

/* "package-0", "package-0/dram", "psys-1", "total": what selection patterns are held against. */
#define ZONE_NAME_SIZE (ZONE_PARENT_SIZE + ZONE_TEXT_SIZE)
void zone_format_name(const struct zone_identity *identity, char text[ZONE_NAME_SIZE]);

#endif
