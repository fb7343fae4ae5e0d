/* SPDX-License-Identifier: MIT */
#include "ticks.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/time.h>

static unsigned int users;

static void interrupt(int number) {
    (void)number;
}

static void install(void) {
    const struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
    sigset_t alarm_alone;
    sigaction(SIGALRM, &action, NULL);
    /* It may have been inherited as blocked. */
    sigemptyset(&alarm_alone);
    sigaddset(&alarm_alone, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm_alone, NULL);
}

/* A tick that comes just before the call is followed by another. */
static void set(bool on) {
    const struct timeval tick = {.tv_usec = on ? TICK_MS * 1000 : 0};
    const struct itimerval timer = {.it_interval = tick, .it_value = tick};
    setitimer(ITIMER_REAL, &timer, NULL);
}

void ticks_start(void) {
    static bool installed = false;
    if (!installed)
        install();
    installed = true;
    if (users++ == 0)
        set(true);
}

void ticks_stop(void) {
    if (--users == 0)
        set(false);
}
