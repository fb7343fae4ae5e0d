/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

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

/* Input is ignored; only the end of stdin counts. */
static void read_leash(void) {
    char ignored[256];
    const ssize_t length = read(STDIN_FILENO, ignored, sizeof(ignored));

    if (length == 0 || (length < 0 && errno != EINTR && errno != EAGAIN))
        stopped = 1;
}

int serve_wait(const struct server *server, int request, const struct timespec *time,
               const sigset_t *wait_mask) {
    struct pollfd watched[] = {{.fd = request, .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
    const int count = ppoll(watched, server->leash ? 2 : 1, time, wait_mask);

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    if (watched[1].revents != 0)
        read_leash();
    return watched[0].revents != 0 ? 1 : 0;
}

void serve_announce(const struct server *server) {
    printf("rapl-sim: %s served at %s\n", machine_name(server->machine), server->directory);
    fflush(stdout);
}
