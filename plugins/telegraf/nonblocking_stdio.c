/* SPDX-License-Identifier: MIT */
#include "nonblocking_stdio.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

static unsigned int users;
static bool spared[STDERR_FILENO + 1];

/* O_NONBLOCK belongs to the open file description, which other processes may share, so the pipe is
 * opened again. A descriptor open for reading and writing stays as it is: it counts as both ends of
 * its pipe. */
void nonblocking_spare(int file) {
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
    /* without SA_RESTART, so that calls return EINTR */
    const struct sigaction action = {.sa_handler = interrupt};
    sigset_t alarm_alone;
    sigaction(SIGALRM, &action, NULL);
    /* The process may have inherited a signal mask that blocks SIGALRM. */
    sigemptyset(&alarm_alone);
    sigaddset(&alarm_alone, SIGALRM);
    sigprocmask(SIG_UNBLOCK, &alarm_alone, NULL);
}

/* The timer repeats, in case a tick comes just before the call blocks. */
static void set(bool on) {
    const struct timeval tick = {.tv_usec = on ? TICK_MS * 1000 : 0};
    const struct itimerval timer = {.it_interval = tick, .it_value = tick};
    setitimer(ITIMER_REAL, &timer, NULL);
}

bool nonblocking_may_write(int file) {
    struct pollfd room = {.fd = file, .events = POLLOUT};
    return spared[file] || poll(&room, 1, 0) != 0;
}

void nonblocking_start(int file) {
    static bool installed = false;
    if (spared[file])
        return;
    if (!installed)
        install();
    installed = true;
    if (users++ == 0)
        set(true);
}

void nonblocking_stop(int file) {
    if (!spared[file] && --users == 0)
        set(false);
}
