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
    bool leash;       /* stdin is watched */
};

/* Both serve until SIGTERM, SIGINT or the end of the leash, and return 0, or a negative errno after
 * a message. */
int serve_fuse(const struct server *server);
int serve_plain(const struct server *server);

/* SIGTERM and SIGINT are blocked from here on, except in a ppoll(2) with this mask. */
void serve_catch_signals(sigset_t *wait_mask);
bool serve_is_stopped(void);

/* Waits for a request, for the time (NULL: without end), a signal or the end of the leash. Returns
 * 1 if there is a request, 0 if not, or a negative errno. */
int serve_wait(const struct server *server, int request, const struct timespec *time,
               const sigset_t *wait_mask);

/* For scripts that wait for it: from this line on the tree can be read. */
void serve_announce(const struct server *server);

#endif
