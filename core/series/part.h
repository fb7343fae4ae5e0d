/* SPDX-License-Identifier: MIT */
/*
 * A part of a package (core, uncore, lead_core) does not use more than the package. What would be
 * more is no energy: on AMD, another core's counter is read since CPUs went and returned. Pure.
 */
#ifndef RAPL_PART_H
#define RAPL_PART_H

#include <stdbool.h>
#include <stdint.h>

struct reading;
struct series;

/* What is known of the package at the last reading of its part. */
struct part {
    struct series *whole;  /* its package; NULL: none that bounds it */
    uint64_t whole_uj;     /* energy of the package by then */
    uint64_t whole_ns;     /* no later than this, as the part's reading sees it */
    uint32_t whole_breaks; /* other than those of the package now: the energy is no bound */
    bool is_apart;         /* most of its steps were above: the processor models it apart */
    /* Steps above the package, as long as they are most of the time since the first of them. */
    unsigned int violations;
    uint64_t violated_ns;
    uint64_t first_ns;
};

/* So many of them, in at least six tenths of the time, say that the pair is modelled apart. */
#define PART_VIOLATIONS 6

/* The package that bounds the part from its next reading on; NULL: none. */
void part_set_whole(struct part *part, struct series *whole);

/*
 * Whether a step of the part to this reading is too much, where it is more energy than the package
 * counted since the part's last reading, at begin_ns. Notes that it is.
 */
bool part_exceeds(struct series *series, uint64_t energy_uj, uint64_t begin_ns,
                  const struct reading *reading);

#endif
