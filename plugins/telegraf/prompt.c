/* SPDX-License-Identifier: MIT */
#include "prompt.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "monotonic.h"
#include "nonblocking_stdio.h"

/* After this many wakeups in a row without anything to read, the program ends. It pauses in
 * between. */
#define IDLE_MAX 20
#define PAUSE_NS UINT64_C(100000000)

static void add_prompts(sigset_t *set) {
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
}

static void add_ends(sigset_t *set) {
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void prompt_hold_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    add_prompts(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int open_timer(struct prompt *prompt, uint64_t interval_ns) {
    const struct timespec interval = {.tv_sec = (time_t)(interval_ns / NS_PER_SECOND),
                                      .tv_nsec = (long)(interval_ns % NS_PER_SECOND)};
    const struct itimerspec clock = {.it_value = interval, .it_interval = interval};
    prompt->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (prompt->timer < 0 || timerfd_settime(prompt->timer, 0, &clock, NULL) != 0)
        return -errno;
    /* A background job that reads its terminal would be stopped. With SIGTTIN ignored it gets
     * EIO. */
    signal(SIGTTIN, SIG_IGN);
    return 0;
}

int prompt_open(struct prompt *prompt, uint64_t interval_ns, bool listen) {
    sigset_t set;
    sigset_t ends;
    *prompt = (struct prompt){.signals = -1, .timer = -1, .listens = listen};
    prompt_hold_signals();
    sigemptyset(&set);
    add_prompts(&set);
    sigemptyset(&ends);
    add_ends(&ends);
    /* A single report or table does not handle SIGTERM and SIGINT: they end the program as
     * usual. */
    if (listen)
        add_ends(&set);
    else
        sigprocmask(SIG_UNBLOCK, &ends, NULL);
    if (listen)
        nonblocking_spare(STDIN_FILENO);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -errno;
    prompt->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (prompt->signals < 0)
        return -errno;
    return interval_ns != 0 ? open_timer(prompt, interval_ns) : 0;
}

/* Returns whether there was any signal; the next two functions return the same of their input. */
static bool take_signals(struct prompt *prompt) {
    struct signalfd_siginfo signal;
    bool taken = false;
    while (read(prompt->signals, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        taken = true;
        if (signal.ssi_signo == SIGTERM || signal.ssi_signo == SIGINT) {
            prompt->stop = true;
            prompt->ended = true;
        } else {
            prompt->asked = true;
        }
    }
    return taken;
}

static bool take_timer(struct prompt *prompt) {
    uint64_t ticks;
    if (read(prompt->timer, &ticks, sizeof(ticks)) <= 0)
        return false;
    prompt->asked = true;
    return true;
}

/* Reads once. If another process has taken the input and stdin blocks, the timer ends the read. The
 * buffer is as large as a pipe, 64 KiB. */
static bool take_stdin(struct prompt *prompt) {
    static char text[65536];
    nonblocking_start(STDIN_FILENO);
    const ssize_t length = read(STDIN_FILENO, text, sizeof(text));
    const int error = length < 0 ? errno : 0;
    nonblocking_stop(STDIN_FILENO);
    if (error == EINTR || error == EAGAIN)
        return false;
    if (length > 0) {
        prompt->asked = prompt->asked || memchr(text, '\n', (size_t)length) != NULL;
        return true;
    }
    prompt->listens = false;
    if (error == EIO && prompt->timer >= 0) /* a background job of a terminal */
        return true;
    prompt->stop = true;
    if (error != 0 && error != EBADF) /* a stdin closed from the start counts as ended */
        prompt->error = -error;
    return true;
}

/* When the last writer has closed the pipe, unread input and the end are one event, so all is
 * read. */
static bool take_all_of_stdin(struct prompt *prompt, short events) {
    bool taken = take_stdin(prompt);
    if ((events & POLLHUP) != 0)
        while (prompt->listens && take_stdin(prompt))
            taken = true;
    return taken;
}

void prompt_look(struct prompt *prompt) {
    struct pollfd file = {.fd = STDIN_FILENO, .events = POLLIN};
    if (prompt->listens && poll(&file, 1, 0) > 0)
        take_stdin(prompt);
    if (prompt->stop && prompt->error == 0 && prompt->timer >= 0)
        prompt->stop = false;
}

/* Pauses, because input that failed twice will likely fail again. Ends the program after IDLE_MAX
 * times. */
static void pause_idle(struct prompt *prompt, int error, uint64_t timeout_ns) {
    const struct timespec pause = {.tv_nsec =
                                       (long)(timeout_ns < PAUSE_NS ? timeout_ns : PAUSE_NS)};
    if (++prompt->idle_count < IDLE_MAX) {
        if (prompt->idle_count > 1)
            nanosleep(&pause, NULL);
        return;
    }
    prompt->stop = true;
    prompt->ended = true;
    prompt->error = error;
}

/* For long waits milliseconds are enough, and poll(2) costs less than ppoll(2). */
static int wait_for(struct pollfd *files, nfds_t count, uint64_t timeout_ns) {
    if (timeout_ns == UINT64_MAX)
        return poll(files, count, -1);
    const uint64_t timeout_ms = timeout_ns / (NS_PER_SECOND / 1000) + 1;
    if (timeout_ns >= NS_PER_SECOND && timeout_ms <= INT_MAX)
        return poll(files, count, (int)timeout_ms);
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NS_PER_SECOND),
                                     .tv_nsec = (long)(timeout_ns % NS_PER_SECOND)};
    return ppoll(files, count, &timeout, NULL);
}

void prompt_wait(struct prompt *prompt, uint64_t timeout_ns) {
    /* poll(2) ignores negative descriptors. */
    struct pollfd files[] = {{.fd = prompt->listens ? STDIN_FILENO : -1, .events = POLLIN},
                             {.fd = prompt->signals, .events = POLLIN},
                             {.fd = prompt->timer, .events = POLLIN}};
    const uint64_t begin_ns = prompt->idle_count > 0 ? clock_now_ns() : 0;
    const int ready = wait_for(files, prompt->timer >= 0 ? 3 : 2, timeout_ns);
    const int error = ready < 0 ? -errno : -EAGAIN;
    bool taken = ready == 0;
    if (taken || (prompt->idle_count > 0 && clock_now_ns() - begin_ns >= PAUSE_NS))
        prompt->idle_count = 0;
    if (ready > 0 && files[0].revents != 0)
        taken = take_all_of_stdin(prompt, files[0].revents) || taken;
    if (ready > 0 && files[1].revents != 0)
        taken = take_signals(prompt) || taken;
    if (ready > 0 && files[2].revents != 0)
        taken = take_timer(prompt) || taken;
    if (taken)
        prompt->idle_count = 0;
    else
        pause_idle(prompt, error, timeout_ns);
    /* A report requested before stdin ended is still given. A signal to end takes effect at
     * once. */
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
