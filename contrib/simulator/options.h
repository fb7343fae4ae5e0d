/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_OPTIONS_H
#define RAPL_SIM_OPTIONS_H

#include "machine.h"

#include <stdbool.h>
#include <stdint.h>

struct options {
    const struct machine_model *model;
    struct load load;
    struct cadence cadence;
    uint64_t tick_ns;
    const char *before_wrap;   /* as given, for messages */
    double before_wrap_joules; /* 0: not given */
    bool plain;
    bool leash;
    bool between;
    uint64_t instants[3]; /* began, from, to */
    const char *directory;
    char **powers; /* ZONE=WATTS */
    int power_count;
};

/* Returns a negative number to continue, or the exit status after a message. */
int options_parse(struct options *options, int count, char **arguments);
void options_free(struct options *options);

/* Makes a machine with these options. Returns as options_parse() does. */
int options_apply(const struct options *options, struct machine *machine);

#endif
