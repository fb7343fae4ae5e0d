/* SPDX-License-Identifier: MIT */
/*
 * The minimum that a program could do in place of rapl-execd: the same reads on a grid of its own,
 * or at each newline the reads and one write of a given number of bytes. Prints "ready" first, and
 * ends with stdin or by a signal.
 */
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bare.h"
#include "measure.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define MS_PER_SECOND 1000

static void read_on_grid(struct bare *bare, uint64_t interval_ns) {
    for (;;) {
        const uint64_t next_ns =
            ((measure_now_ns() + interval_ns / 2) / interval_ns + 1) * interval_ns -
            interval_ns / 2;
        const struct timespec next = {.tv_sec = (time_t)(next_ns / NS_PER_SECOND),
                                      .tv_nsec = (long)(next_ns % NS_PER_SECOND)};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL) == EINTR)
            ;
        bare_read(bare);
    }
}

static void read_when_prompted(struct bare *bare, size_t length) {
    static char text[1 << 20];
    char prompt[64];
    memset(text, '#', sizeof(text));
    text[length - 1] = '\n';
    while (read(STDIN_FILENO, prompt, sizeof(prompt)) > 0) {
        bare_read(bare);
        if (write(STDOUT_FILENO, text, length) != (ssize_t)length)
            err(1, "write");
    }
}

int main(int count, char **words) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    struct rapl *rapl = NULL;
    if (count != 4)
        errx(2, "usage: bare_reader ROOT every MILLISECONDS|prompted BYTES");
    options.root = words[1];
    const int error = rapl_open(&options, &rapl);
    if (error != 0)
        errx(1, "%s: %s", words[1], strerror(-error));
    struct bare *bare = bare_open(rapl);
    if (strcmp(words[2], "every") != 0)
        bare_add_online(bare, rapl);
    rapl_close(rapl);
    if (write(STDOUT_FILENO, "ready\n", 6) != 6)
        err(1, "write");
    const uint64_t number = strtoull(words[3], NULL, 10);
    if (strcmp(words[2], "every") == 0)
        read_on_grid(bare, number * (NS_PER_SECOND / MS_PER_SECOND));
    else
        read_when_prompted(bare, number);
    bare_close(bare);
    return EXIT_SUCCESS;
}
