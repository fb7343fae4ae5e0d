/* SPDX-License-Identifier: MIT */
/*
 * Detects two counters that answer in turns for one zone, as in a virtual machine that migrates or
 * whose CPUs move between sockets: the value leaves one row (the values of one counter) for
 * another, and returns. Pure.
 */
#ifndef RAPL_STEADY_H
#define RAPL_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"

/* This many returns to the previous row show that there are two counters: with the first departure,
 * two ways up and two down. */
#define STEADY_RETURNS 3

/* The counter is steady after this time, and this many readings, without such an event. */
#define STEADY_SPAN_NS UINT64_C(60000000000)
#define STEADY_READINGS 10

/* A row above the current one is remembered ten times as long: the step back can be plausible
 * power. */
#define STEADY_MEMORY 10

/* How the counter left its previous row of values. */
enum row_left {
    ROW_NONE,
    ROW_FELL,   /* it started again below */
    ROW_ROSE,   /* it jumped or returned above */
    ROW_PASSED, /* it wrapped, so it passes these values in each turn; or a low read gave another
                   row's value */
};

struct steady {
    bool watches;  /* the fields below are in use */
    bool unsteady; /* nothing is reported until it is steady again */
    enum row_left left;
    uint64_t left_ticks; /* the last reading of the previous row */
    uint64_t left_ns;
    uint64_t fall_ticks; /* how far it fell from there */
    uint64_t most_uw;    /* highest power of its steps since then */
    unsigned int returns;
    unsigned int readings; /* since the last event */
    uint64_t event_ns;
};

/* A step of a counter, and the state before it. */
struct steady_step {
    struct counter_step step;
    struct reading from;
    struct low_readings low; /* between from and the new reading */
};

/*
 * Takes a step to a reading. Returns its outcome, or RETURNED or UNSTEADY instead; its ticks are
 * then not energy. Call it for every outcome but COUNTED, and for COUNTED if the counter is watched
 * or low readings came before.
 */
enum counter_outcome steady_judge(struct steady *steady, const struct counter_traits *traits,
                                  const struct steady_step *taken, const struct reading *reading);

#endif
