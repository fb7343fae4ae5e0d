/* SPDX-License-Identifier: MIT */
/*
 * A counter behind which two counters answer in turns: a virtual machine that migrates, or CPUs of
 * a guest that move between sockets. It leaves one row of values for another, and returns. Pure.
 */
#ifndef RAPL_STEADY_H
#define RAPL_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#include "energy/counter.h"

/* So many returns to the row that was left before say that there are two counters: with the first
 * leave, two ways up and two down. */
#define STEADY_RETURNS 3

/* After so long, and so many readings, without such an event the counter is steady. */
#define STEADY_SPAN_NS UINT64_C(60000000000)
#define STEADY_READINGS 10

/* A row that it fell from is remembered ten times as long: to return is plausible power. */
#define STEADY_MEMORY 10

/* How it left the row of values that it was on before. */
enum row_left {
    ROW_NONE,
    ROW_FELL,   /* it started again below */
    ROW_ROSE,   /* it jumped, or returned, above */
    ROW_PASSED, /* it wrapped, and comes by there in each turn; or a read gave another row's value
                 */
};

struct steady {
    bool watches;  /* anything of this is of use */
    bool unsteady; /* it says nothing until it is steady again */
    enum row_left left;
    uint64_t left_ticks; /* the last reading of that row */
    uint64_t left_ns;
    uint64_t fall_ticks; /* how far it fell from there */
    uint64_t most_uw;    /* power of its steps since then */
    unsigned int returns;
    unsigned int readings; /* since the last event, as the next */
    uint64_t event_ns;
};

/* A step of a counter, and what it was before. */
struct steady_step {
    struct counter_step step;
    struct reading from;
    struct low_readings low; /* between the two */
};

/*
 * Takes a step to a reading. Returns its outcome, or in place of that RETURNED or UNSTEADY, and
 * then its ticks are not energy. To be asked where the counter is watched, where low readings came
 * before, and of every outcome but COUNTED.
 */
enum counter_outcome steady_judge(struct steady *steady, const struct counter_traits *traits,
                                  const struct steady_step *taken, const struct reading *reading);

#endif
