/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

int prompt_open(struct prompt *prompt, uint64_t interval_ns, bool listen) {
    static const int numbers[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGTERM, SIGINT};
    sigset_t set;
    *prompt = (struct prompt){.signals = -1, .timer = -1, .listens = listen};
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaddset(&set, numbers[i]);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    prompt->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (prompt->signals < 0)
        return -errno;
    if (interval_ns == 0)
        return 0;
    struct timespec interval = {.tv_sec = (time_t)(interval_ns / NS_PER_SECOND),
                                .tv_nsec = (long)(interval_ns % NS_PER_SECOND)};
    const struct itimerspec clock = {.it_value = interval, .it_interval = interval};
    prompt->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (prompt->timer < 0 || timerfd_settime(prompt->timer, 0, &clock, NULL) != 0) {
        int error = -errno;
        prompt_close(prompt);
        return error;
    }
    return 0;
}

static void take_signals(struct prompt *prompt) {
    struct signalfd_siginfo signal;
    while (read(prompt->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT) {
            prompt->stop = true;
            prompt->ended = true;
        } else {
            prompt->asked = true;
        }
    }
}

/* stdin may be shared, so it is not O_NONBLOCK: one read of what is there. A pipe holds 64 KiB. */
static void take_stdin(struct prompt *prompt) {
    static char text[65536];
    ssize_t length = read(STDIN_FILENO, text, sizeof(text));
    if (length > 0)
        prompt->asked = prompt->asked || memchr(text, '\n', (size_t)length) != NULL;
    else if (length == 0 || (errno != EINTR && errno != EAGAIN)) {
        prompt->stop = true;
        prompt->listens = false;
    }
}

void prompt_wait(struct prompt *prompt, uint64_t timeout_ns) {
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_SECOND),
                                     .tv_nsec = (long)(timeout_ns % NS_PER_SECOND)};
    /* A negative descriptor is passed over. */
    struct pollfd files[] = {{.fd = prompt->listens ? STDIN_FILENO : -1, .events = POLLIN},
                             {.fd = prompt->signals, .events = POLLIN},
                             {.fd = prompt->timer, .events = POLLIN}};
    if (ppoll(files, 3, timeout_ns != UINT64_MAX ? &timeout : NULL, NULL) <= 0)
        return;
    if (files[0].revents != 0)
        take_stdin(prompt);
    if (files[1].revents != 0)
        take_signals(prompt);
    uint64_t ticks;
    if (files[2].revents != 0 && read(prompt->timer, &ticks, sizeof(ticks)) > 0)
        prompt->asked = true;
    /* What was asked before stdin ended is answered; a signal to end is not to be kept waiting. */
    if (prompt->ended)
        prompt->asked = false;
}

void prompt_close(struct prompt *prompt) {
    if (prompt->timer >= 0)
        close(prompt->timer);
    if (prompt->signals >= 0)
        close(prompt->signals);
    prompt->timer = prompt->signals = -1;
}
