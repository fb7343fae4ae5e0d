/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <stdio.h>

static volatile sig_atomic_t stopped;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

void serve_catch_signals(sigset_t *wait_mask) {
    struct sigaction action = {.sa_handler = stop};
    sigset_t blocked;

    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, wait_mask);
    sigdelset(wait_mask, SIGTERM);
    sigdelset(wait_mask, SIGINT);
}

bool serve_is_stopped(void) {
    return stopped != 0;
}

void serve_announce(const struct server *server) {
    printf("rapl-sim: %s served at %s\n", machine_name(server->machine), server->directory);
    fflush(stdout);
}
