/* SPDX-License-Identifier: MIT */
#include "ticks.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static unsigned int users;
static bool spared[STDERR_FILENO + 1];

/* O_NONBLOCK belongs to the description, which a descriptor may share with other processes. One
 * that can be read and written counts as both ends of its pipe, and so stays open. */
void ticks_spare(int file) {
    const int access = file == STDIN_FILENO ? O_RDONLY : O_WRONLY;
    struct stat status;
    char path[32];
    if (fstat(file, &status) != 0 || !S_ISFIFO(status.st_mode) ||
        (fcntl(file, F_GETFL) & O_ACCMODE) != access)
        return;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    const int own = open(path, access | O_NONBLOCK | O_CLOEXEC);
    if (own < 0)
        return;
    spared[file] = dup2(own, file) == file;
    close(own);
}

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

bool ticks_may_write(int file) {
    struct pollfd room = {.fd = file, .events = POLLOUT};
    return spared[file] || poll(&room, 1, 0) != 0;
}

void ticks_start(int file) {
    static bool installed = false;
    if (spared[file])
        return;
    if (!installed)
        install();
    installed = true;
    if (users++ == 0)
        set(true);
}

void ticks_stop(int file) {
    if (!spared[file] && --users == 0)
        set(false);
}
