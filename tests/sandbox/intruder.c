/* SPDX-License-Identifier: MIT */
/*
 * Loaded into rapl-execd by LD_PRELOAD. Tries what the sandbox must prevent: at the start of the
 * program ("before"), when it reads the first text of the kernel ("parses"), and when it has found
 * its counters and waits ("waits").
 */
/* With it, inline functions would have the names of functions defined here. */
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "attempts.h"

static ssize_t (*next_pread)(int, void *, size_t, off_t);
static int (*next_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

__attribute__((constructor)) static void begin(void) {
    unsetenv("LD_PRELOAD"); /* so that its children run without this library */
    *(void **)&next_pread = dlsym(RTLD_NEXT, "pread");
    *(void **)&next_ppoll = dlsym(RTLD_NEXT, "ppoll");
    attempts_make("before", true);
}

ssize_t pread(int file, void *text, size_t size, off_t offset) {
    static bool made;
    if (!made)
        attempts_make("parses", false);
    made = true;
    return next_pread(file, text, size, offset);
}

/* Called instead if the compiler knows the size of the buffer (_FORTIFY_SOURCE). */
ssize_t __pread_chk(int file, void *text, size_t size, off_t offset, size_t room);
ssize_t __pread_chk(int file, void *text, size_t size, off_t offset, size_t room) {
    return size <= room ? pread(file, text, size, offset) : -1;
}

int ppoll(struct pollfd *files, nfds_t count, const struct timespec *timeout,
          const sigset_t *signals) {
    static bool made;
    if (!made)
        attempts_make("waits", false);
    made = true;
    return next_ppoll(files, count, timeout, signals);
}
