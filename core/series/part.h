/* SPDX-License-Identifier: MIT */
/*
 * A part of a package (core, uncore, lead_core) does not use more than the package. A step that
 * would be more is not energy: on AMD, the zone shows another core's counter since CPUs went
 * offline and returned. Pure.
 */
#ifndef RAPL_PART_H
#define RAPL_PART_H

#include <stdbool.h>
#include <stdint.h>

struct reading;
struct series;

/* The package at the last reading of its part. */
struct part {
    struct series *whole;  /* the package; NULL: none bounds the part */
    uint64_t whole_uj;     /* energy of the package then */
    uint64_t whole_ns;     /* latest time of that energy, given the part's uncertainty */
    uint32_t whole_breaks; /* breaks of the package then; the energy is no bound if these changed */
    bool is_apart;         /* most of its steps were above: the processor models it separately */
    /* Steps above the package, while they make up most of the time since the first of them. */
    unsigned int violations;
    uint64_t violated_ns;
    uint64_t first_ns;
};

/* This many violations, in at least six tenths of the time, show that the processor models the part
 * separately. */
#define PART_VIOLATIONS 6

/* Sets the package that bounds the part from its next reading on; NULL: none. */
void part_set_whole(struct part *part, struct series *whole);

/*
 * Whether a step of the part to this reading is too large. Call it only if the step is more energy
 * than the package counted since the part's last reading, at begin_ns. Records a violation.
 */
bool part_exceeds(struct series *series, uint64_t energy_uj, uint64_t begin_ns,
                  const struct reading *reading);

#endif
