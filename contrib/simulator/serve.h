/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_SERVE_H
#define RAPL_SIM_SERVE_H

#include "machine.h"
#include "tree.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

struct server {
    struct machine *machine;
    const struct tree *tree;
    const char *directory;
    uint64_t tick_ns; /* plain files only */
    bool leash;       /* end when stdin ends */
};

/* Both serve until SIGTERM, SIGINT or the end of stdin (see leash). Return 0, or a negative errno
 * after a message. */
int serve_fuse(const struct server *server);
int serve_plain(const struct server *server);

/* Blocks SIGTERM and SIGINT from here on, except in ppoll(2) calls with this mask. */
void serve_catch_signals(sigset_t *wait_mask);
bool serve_is_stopped(void);

/* Waits for a request, for time (NULL: no limit), a signal or the end of stdin. Returns 1 for a
 * request, otherwise 0, or a negative errno. */
int serve_wait(const struct server *server, int request, const struct timespec *time,
               const sigset_t *wait_mask);

/* Prints the line that tells waiting scripts that the tree can be read. */
void serve_announce(const struct server *server);

#endif
