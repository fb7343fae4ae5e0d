/* SPDX-License-Identifier: MIT */
#include "stdout_write.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "monotonic.h"
#include "nonblocking_stdio.h"

#define PATIENCE_NS UINT64_C(1000000000)
/* Pause between attempts that fail at once. */
#define PAUSE_NS UINT64_C(10000000)
#define FINISH_PAUSE_NS 1000000

int stdout_write(struct prompt *prompt, const char *text, size_t length) {
    int error = 0;
    uint64_t taken_ns = 0; /* when the reader stopped taking data; 0: it takes data */
    nonblocking_start(STDOUT_FILENO);
    while (length > 0 && error == 0) {
        ssize_t written = write(STDOUT_FILENO, text, length);
        if (written > 0) {
            text += written;
            length -= (size_t)written;
            taken_ns = 0;
            continue;
        }
        const int reason = written < 0 ? errno : 0;
        if (reason != 0 && reason != EINTR && reason != EAGAIN) {
            error = -reason;
            break;
        }
        const bool again = taken_ns != 0;
        if (!again)
            taken_ns = clock_now_ns();
        if (reason == EAGAIN) {
            struct pollfd file = {.fd = STDOUT_FILENO, .events = POLLOUT};
            poll(&file, 1, TICK_MS);
        }
        prompt_wait(prompt, again ? PAUSE_NS : 0);
        if (prompt->stop && clock_now_ns() - taken_ns >= PATIENCE_NS)
            error = -ECANCELED;
    }
    nonblocking_stop(STDOUT_FILENO);
    return error;
}

int output_fail(int error) {
    if (error != -EPIPE)
        log_line('E', "cannot write to stdout: %s", strerror(-error));
    return EXIT_FAILURE;
}

/* Returns whether a pipe holds unread data. FIONREAD works on both ends: pipe(7). */
static bool holds_unread(int file) {
    struct pollfd errors = {.fd = file};
    struct stat status;
    int length = 0;
    return fstat(file, &status) == 0 && S_ISFIFO(status.st_mode) && poll(&errors, 1, 0) == 0 &&
           ioctl(file, FIONREAD, &length) == 0 && length > 0;
}

void output_finish(void) {
    const struct timespec pause = {.tv_nsec = FINISH_PAUSE_NS};
    const uint64_t end_ns = clock_now_ns() + PATIENCE_NS;
    while ((holds_unread(STDOUT_FILENO) || holds_unread(STDERR_FILENO)) && clock_now_ns() < end_ns)
        nanosleep(&pause, NULL);
}
