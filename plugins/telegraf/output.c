/* SPDX-License-Identifier: MIT */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "clock.h"
#include "ticks.h"

#define PATIENCE_NS UINT64_C(1000000000)
/* Between tries that come to nothing at once. */
#define PAUSE_NS UINT64_C(10000000)

int output_write(struct prompt *prompt, const char *text, size_t length) {
    int error = 0;
    uint64_t taken_ns = 0; /* when the reader last took something */
    ticks_start(STDOUT_FILENO);
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
    ticks_stop(STDOUT_FILENO);
    return error;
}
