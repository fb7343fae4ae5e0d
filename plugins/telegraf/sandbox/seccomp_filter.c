/* SPDX-License-Identifier: MIT */
#include "sandbox/seccomp_filter.h"

#include <errno.h>

#if defined(RAPL_WITH_SECCOMP) && defined(__x86_64__)

#include <asm/ioctls.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>
#include <unistd.h>

#include "sandbox/landlock_abi.h"

const char *const seccomp_filter_missing = NULL;

/* Masks the lower half of a register: an int leaves the upper half undefined. */
#define INT_BITS UINT64_C(0xFFFFFFFF)
/* Used instead of O_ACCMODE, because musl's O_ACCMODE includes O_PATH. */
#define WRITING (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)

/* Allows a system call if this argument, masked, equals the value. */
struct rule {
    int call;
    bool compares;
    unsigned int argument;
    uint64_t mask;
    uint64_t value;
};

/*
 * System calls that libc and this program make after setup, in any mode. Comments name calls that
 * only some versions of libc need.
 */
static const struct rule rules[] = {
    /* Files, only for reading. A filter cannot check the flags of openat2, which are behind a
     * pointer: there Landlock protects. musl uses open, stat, lstat and readlink. */
    {SCMP_SYS(openat2), false, 0, 0, 0},
    {SCMP_SYS(openat), true, 2, WRITING, 0},
    {SCMP_SYS(open), true, 1, WRITING, 0},
    {SCMP_SYS(close), false, 0, 0, 0},
    {SCMP_SYS(read), false, 0, 0, 0},
    {SCMP_SYS(pread64), false, 0, 0, 0},
    {SCMP_SYS(lseek), false, 0, 0, 0},
    {SCMP_SYS(getdents64), false, 0, 0, 0},
    {SCMP_SYS(readlink), false, 0, 0, 0},
    {SCMP_SYS(readlinkat), false, 0, 0, 0},
    {SCMP_SYS(fstat), false, 0, 0, 0},
    {SCMP_SYS(newfstatat), false, 0, 0, 0},
    {SCMP_SYS(stat), false, 0, 0, 0},
    {SCMP_SYS(lstat), false, 0, 0, 0},
    {SCMP_SYS(statx), false, 0, 0, 0},
    {SCMP_SYS(fcntl), true, 1, INT_BITS, F_GETFL}, /* fdopendir */
    {SCMP_SYS(fcntl), true, 1, INT_BITS, F_SETFD},
    /* Output. writev: musl's stdio, and glibc's message before it aborts. */
    {SCMP_SYS(write), false, 0, 0, 0},
    {SCMP_SYS(writev), false, 0, 0, 0},
    {SCMP_SYS(ioctl), true, 1, INT_BITS, TCGETS},     /* isatty */
    {SCMP_SYS(ioctl), true, 1, INT_BITS, TCGETS2},    /* isatty since glibc 2.42 */
    {SCMP_SYS(ioctl), true, 1, INT_BITS, TIOCGWINSZ}, /* musl */
    {SCMP_SYS(ioctl), true, 1, INT_BITS, FIONREAD},   /* unread bytes in a pipe */
    /* Waiting. The kernel itself uses restart_syscall after SIGSTOP and SIGCONT. */
    {SCMP_SYS(poll), false, 0, 0, 0},
    {SCMP_SYS(ppoll), false, 0, 0, 0},
    {SCMP_SYS(nanosleep), false, 0, 0, 0},
    {SCMP_SYS(clock_nanosleep), false, 0, 0, 0},
    {SCMP_SYS(setitimer), false, 0, 0, 0},
    {SCMP_SYS(rt_sigaction), false, 0, 0, 0},
    {SCMP_SYS(rt_sigprocmask), false, 0, 0, 0},
    {SCMP_SYS(rt_sigreturn), false, 0, 0, 0},
    {SCMP_SYS(restart_syscall), false, 0, 0, 0},
    {SCMP_SYS(futex), false, 0, 0, 0},
    /* Clocks that the vDSO cannot read (clocksource hpet or acpi_pm). */
    {SCMP_SYS(clock_gettime), false, 0, 0, 0},
    {SCMP_SYS(gettimeofday), false, 0, 0, 0},
    {SCMP_SYS(time), false, 0, 0, 0},
    /* Memory that is not executable. glibc's malloc and qsort use getrandom and sysinfo. */
    {SCMP_SYS(brk), false, 0, 0, 0},
    {SCMP_SYS(mmap), true, 2, PROT_EXEC, 0},
    {SCMP_SYS(mprotect), true, 2, PROT_EXEC, 0},
    {SCMP_SYS(munmap), false, 0, 0, 0},
    {SCMP_SYS(mremap), false, 0, 0, 0},
    {SCMP_SYS(madvise), false, 0, 0, 0},
    {SCMP_SYS(getrandom), false, 0, 0, 0},
    {SCMP_SYS(sysinfo), false, 0, 0, 0},
    /* The process itself: capabilities are raised around open; prlimit64 only for this process
     * (0). */
    {SCMP_SYS(capget), false, 0, 0, 0},
    {SCMP_SYS(capset), false, 0, 0, 0},
    {SCMP_SYS(prlimit64), true, 0, INT_BITS, 0},
    {SCMP_SYS(uname), false, 0, 0, 0}, /* kernel release, for modules.builtin */
    {SCMP_SYS(getpid), false, 0, 0, 0},
    {SCMP_SYS(gettid), false, 0, 0, 0},
    {SCMP_SYS(geteuid), false, 0, 0, 0},
    {SCMP_SYS(getegid), false, 0, 0, 0},
    {SCMP_SYS(exit), false, 0, 0, 0},
    {SCMP_SYS(exit_group), false, 0, 0, 0},
};

/* Needed until the source is known and the last rules are set. */
static const int rules_calls[] = {SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_add_rule),
                                  SCMP_SYS(landlock_restrict_self), SCMP_SYS(seccomp)};
/* libseccomp sets rules by prctl(2) if seccomp(2) is refused from outside. */
static const struct rule rules_by_prctl = {SCMP_SYS(prctl), true, 0, INT_BITS, PR_SET_SECCOMP};
static const int perf_calls[] = {SCMP_SYS(perf_event_open), SCMP_SYS(sched_getaffinity),
                                 SCMP_SYS(sched_setaffinity)};

/*
 * These calls are refused without a signal. libc makes them while it blocks all signals, and the
 * kernel would then end the process: to start processes and threads (fork of glibc 2.41,
 * posix_spawn and pthread_create of every libc), and to change the user of all threads (musl's
 * __synccall).
 */
static const int blocked_calls[] = {SCMP_SYS(clone),     SCMP_SYS(clone3),    SCMP_SYS(fork),
                                    SCMP_SYS(vfork),     SCMP_SYS(setuid),    SCMP_SYS(setgid),
                                    SCMP_SYS(setreuid),  SCMP_SYS(setregid),  SCMP_SYS(setresuid),
                                    SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setrlimit)};
#define LENGTH(list) (sizeof(list) / sizeof((list)[0]))

/* --- what was refused ------------------------------------------------------------------------ */

/* Numbers of refused calls; 64 are more than a libc tries as alternatives. 0 marks a free place: it
 * is read(2), which is allowed. */
#define REFUSED_MAX 64
static volatile sig_atomic_t refused[REFUSED_MAX];
static size_t told_count;

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* asm-generic/siginfo.h; hidden by glibc 2.36 */
#endif

/* Handles SIGSYS, which the filter sends for each call that it refuses. */
static void refuse(int number, siginfo_t *information, void *context) {
    ucontext_t *interrupted = context;
    (void)number;
    /* Ignore a SIGSYS from kill(2), and calls that a tracer answers itself (number -1). */
    if (information->si_code != SYS_SECCOMP || information->si_syscall < 0)
        return;
    interrupted->uc_mcontext.gregs[REG_RAX] = -EPERM;
    for (size_t i = 0; i < REFUSED_MAX; i++) {
        if (refused[i] == 0)
            refused[i] = information->si_syscall;
        if (refused[i] == information->si_syscall)
            return;
    }
}

bool seccomp_filter_next_refused(char *name, size_t size) {
    if (told_count == REFUSED_MAX || refused[told_count] == 0)
        return false;
    const int call = refused[told_count++];
    char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);
    if (known != NULL)
        snprintf(name, size, "%s", known);
    else
        snprintf(name, size, "number %d", call);
    free(known);
    return true;
}

/* --- filters --------------------------------------------------------------------------------- */

static int add_rule(scmp_filter_ctx filter, uint32_t action, const struct rule *rule) {
    const struct scmp_arg_cmp compare = {.arg = rule->argument,
                                         .op = SCMP_CMP_MASKED_EQ,
                                         .datum_a = rule->mask,
                                         .datum_b = rule->value};
    return seccomp_rule_add_array(filter, action, rule->call, rule->compares ? 1 : 0, &compare);
}

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count) {
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++)
        error = seccomp_rule_add(filter, action, calls[i], 0);
    return error;
}

static int add_rules(scmp_filter_ctx filter, enum rapl_source source) {
    int error = 0;
    for (size_t i = 0; i < LENGTH(rules) && error == 0; i++)
        error = add_rule(filter, SCMP_ACT_ALLOW, &rules[i]);
    /* abort(3) may signal its own process (tkill: musl). */
    const uint64_t self = (uint64_t)getpid();
    const struct rule abort_rules[] = {{SCMP_SYS(tgkill), true, 0, INT_BITS, self},
                                       {SCMP_SYS(tkill), true, 0, INT_BITS, self}};
    for (size_t i = 0; i < LENGTH(abort_rules) && error == 0; i++)
        error = add_rule(filter, SCMP_ACT_ALLOW, &abort_rules[i]);
    if (error == 0)
        error = add_calls(filter, SCMP_ACT_ERRNO(EPERM), blocked_calls, LENGTH(blocked_calls));
    if (error == 0)
        error = add_calls(filter, SCMP_ACT_ALLOW, rules_calls, LENGTH(rules_calls));
    if (error == 0)
        error = add_rule(filter, SCMP_ACT_ALLOW, &rules_by_prctl);
    if (error == 0 && (source == RAPL_SOURCE_AUTO || source == RAPL_SOURCE_PERF))
        error = add_calls(filter, SCMP_ACT_ALLOW, perf_calls, LENGTH(perf_calls));
    return error;
}

/* no_new_privs is already set. libseccomp itself ends the process on calls of another architecture
 * (int 0x80, x32), which no libc makes by mistake. */
static scmp_filter_ctx new_filter(uint32_t action) {
    scmp_filter_ctx filter = seccomp_init(action);
    if (filter == NULL)
        return NULL;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
    seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* return the kernel's errno */
    return filter;
}

/* If the signal were blocked or ignored, the kernel would end the process instead. */
static int answer_refusals(void) {
    struct sigaction action = {.sa_sigaction = refuse, .sa_flags = SA_SIGINFO};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    return sigaction(SIGSYS, &action, NULL) == 0 && sigprocmask(SIG_UNBLOCK, &set, NULL) == 0
               ? 0
               : -errno;
}

/* libseccomp returns -EFAULT for each errno that its manual does not name, such as EPERM. */
static int load(scmp_filter_ctx filter) {
    errno = 0;
    const int error = seccomp_load(filter);
    return error == -EFAULT && errno != 0 ? -errno : error;
}

int seccomp_filter_set(enum rapl_source source) {
    scmp_filter_ctx filter = new_filter(SCMP_ACT_TRAP);
    int error = filter != NULL ? add_rules(filter, source) : -ENOMEM;
    if (error == 0)
        error = answer_refusals();
    if (error == 0)
        error = load(filter);
    seccomp_release(filter);
    return error;
}

int seccomp_filter_narrow(enum rapl_source source) {
    scmp_filter_ctx filter = new_filter(SCMP_ACT_ALLOW);
    int error = filter != NULL ? add_calls(filter, SCMP_ACT_TRAP, rules_calls, LENGTH(rules_calls))
                               : -ENOMEM;
    if (error == 0)
        error = add_rule(filter, SCMP_ACT_TRAP, &rules_by_prctl);
    if (error == 0 && source != RAPL_SOURCE_PERF)
        error = add_calls(filter, SCMP_ACT_TRAP, perf_calls, LENGTH(perf_calls));
    if (error == 0)
        error = load(filter);
    seccomp_release(filter);
    return error;
}

#else

#ifdef RAPL_WITH_SECCOMP
const char *const seccomp_filter_missing = "known for x86-64 alone";
#else
const char *const seccomp_filter_missing = "built without libseccomp (libseccomp-dev)";
#endif

int seccomp_filter_set(enum rapl_source source) {
    (void)source;
    return -ENOSYS;
}

int seccomp_filter_narrow(enum rapl_source source) {
    (void)source;
    return -ENOSYS;
}

bool seccomp_filter_next_refused(char *name, size_t size) {
    (void)name;
    (void)size;
    return false;
}

#endif
