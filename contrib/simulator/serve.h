/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_SERVE_H
#define RAPL_SIM_SERVE_H

#include "machine.h"
#include "tree.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct server {
    struct machine *machine;
    const struct tree *tree;
    const char *directory;
    uint64_t tick_ns; /* plain files only */
};

/* Both serve until SIGTERM or SIGINT and return 0, or a negative errno after a message. */
int serve_fuse(const struct server *server);
int serve_plain(const struct server *server);

/* SIGTERM and SIGINT are blocked from here on, except in a ppoll(2) with this mask. */
void serve_catch_signals(sigset_t *wait_mask);
bool serve_is_stopped(void);

/* For scripts that wait for it: from this line on the tree can be read. */
void serve_announce(const struct server *server);

#endif
