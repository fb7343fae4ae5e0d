/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>
#include <unistd.h>

#include "clock.h"

#define PATIENCE_NS UINT64_C(1000000000)
#define TICK_US 100000

static void interrupt(int number) {
    (void)number;
}

/* stdout may be shared, so it stays a blocking file: a timer that ticks interrupts a write that
 * nobody reads, and a tick that comes just before the write is followed by another. */
static void set_ticks(bool on) {
    static bool installed = false;
    if (!installed) {
        const struct sigaction action = {.sa_handler = interrupt}; /* no SA_RESTART */
        sigset_t alarm_alone;
        sigaction(SIGALRM, &action, NULL);
        /* It may have been inherited as blocked. */
        sigemptyset(&alarm_alone);
        sigaddset(&alarm_alone, SIGALRM);
        sigprocmask(SIG_UNBLOCK, &alarm_alone, NULL);
        installed = true;
    }
    const struct timeval tick = {.tv_usec = on ? TICK_US : 0};
    const struct itimerval timer = {.it_interval = tick, .it_value = tick};
    setitimer(ITIMER_REAL, &timer, NULL);
}

int output_write(struct prompt *prompt, const char *text, size_t length) {
    int error = 0;
    uint64_t taken_ns = 0; /* when the reader last took something */
    set_ticks(true);
    while (length > 0 && error == 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written > 0) {
            text += written;
            length -= (size_t)written;
            taken_ns = 0;
            continue;
        }
        if (written < 0 && errno != EINTR && errno != EAGAIN) {
            error = -errno;
            break;
        }
        if (taken_ns == 0)
            taken_ns = clock_now_ns();
        if (written < 0 && errno == EAGAIN) {
            struct pollfd file = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&file, 1, TICK_US / 1000);
        }
        prompt_wait(prompt, 0);
        if (prompt->stop && clock_now_ns() - taken_ns >= PATIENCE_NS)
            error = -ECANCELED;
    }
    set_ticks(false);
    return error;
}
