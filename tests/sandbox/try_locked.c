/* SPDX-License-Identifier: MIT */
/*
 * try_locked LOCK ROOT SOURCE [CALL]: sets the sandbox of rapl-execd (all), half of it (files,
 * calls) or none (free), and then tries everything that it must prevent. With CALL, makes one call
 * instead. int80, x32: calls of another architecture; abort; sleep: for a second, exit status 1 if
 * it ends early; blocked: calls that libc makes while it blocks all signals, exit status 1 unless
 * each is refused with EPERM.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attempts.h"
#include "sandbox/capabilities.h"
#include "sandbox/landlock.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp_filter.h"

#define X32_BIT 0x40000000L
#define I386_GETPID 20

static int lock_whole(const struct rapl_options *options) {
    struct capabilities privileges = {.raised = NULL};
    struct sandbox locked;
    capabilities_open(&privileges, rapl_root_is_own(options->root));
    sandbox(&locked, &privileges, options, false);
    fprintf(stderr, "D! on: %s\nD! off: %s\n", locked.on, locked.off);
    capabilities_close(&privileges);
    return locked.off[0] == '\0' ? 0 : -1;
}

static int set_lock(const char *lock, const struct rapl_options *options) {
    if (strcmp(lock, "free") == 0)
        return 0;
    if (strcmp(lock, "files") != 0 && strcmp(lock, "calls") != 0)
        return lock_whole(options);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return strcmp(lock, "files") == 0 ? landlock_set(options->root, options->root_file,
                                                     options->source, FILE_RULES_ANY_TIME)
                                      : seccomp_filter_set(options->source);
}

static void call_as_i386(void) {
    long result = I386_GETPID;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
}

/* The arguments are invalid, so a call that is not refused has no effect. */
static int call_blocked(void) {
    static const long calls[] = {SYS_clone,     SYS_clone3,    SYS_setuid,    SYS_setgid,
                                 SYS_setreuid,  SYS_setregid,  SYS_setresuid, SYS_setresgid,
                                 SYS_setgroups, SYS_setrlimit, SYS_fork,      SYS_vfork};
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (syscall(calls[i], -1L, 0L, 0L, 0L, 0L) != -1 || errno != EPERM)
            return 1;
    return 0;
}

int main(int count, char **words) {
    const struct timespec second = {.tv_sec = 1};
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    if (count < 4 || rapl_source_from_name(words[3], &options.source) != 0)
        return 2;
    options.root = words[2];
    options.root_file = rapl_open_root(options.root);
    attempts_make("before", true);
    const int error = set_lock(words[1], &options);
    if (error < 0) {
        fprintf(stderr, "E! %s: %d\n", words[1], error);
        return 3;
    }
    if (count > 4 && strcmp(words[4], "int80") == 0)
        call_as_i386();
    else if (count > 4 && strcmp(words[4], "x32") == 0)
        syscall(X32_BIT | SYS_getpid);
    else if (count > 4 && strcmp(words[4], "sleep") == 0)
        return nanosleep(&second, NULL) == 0 ? 0 : 1;
    else if (count > 4 && strcmp(words[4], "blocked") == 0)
        return call_blocked();
    else if (count > 4)
        abort();
    else
        attempts_make("locked", strcmp(words[1], "files") == 0);
    return 0;
}
