/* SPDX-License-Identifier: MIT */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "log.h"
#include "sandbox/landlock.h"
#include "sandbox/seccomp_filter.h"

static void append(char *text, size_t size, const char *separator, const char *more) {
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length > 0 ? separator : "", more);
}

static void add_on(struct sandbox *lock, const char *what) {
    append(lock->on, sizeof(lock->on), ", ", what);
}

static void add_off(struct sandbox *lock, const char *what, const char *why) {
    char line[256];
    snprintf(line, sizeof(line), "not %s: %s", what, why);
    append(lock->off, sizeof(lock->off), "\n", line);
}

/* Also records for the log what the build supports but the system refuses. */
static void add_failed(struct sandbox *lock, const char *what, const char *why) {
    add_off(lock, what, why);
    append(lock->failed, sizeof(lock->failed), "; ", what);
    append(lock->failed, sizeof(lock->failed), ": ", why);
}

#ifdef RAPL_WITH_SANDBOX
/* The kernel itself does not refuse these calls this way; an earlier filter does. */
#define OUTSIDE                                                                                 \
    "refused from outside; SystemCallFilter= of the unit, or the container's seccomp profile, " \
    "has to allow "

static void lock_files(struct sandbox *lock, enum rapl_source source, bool check) {
    char text[64];
    const int version = landlock_set(lock->root, lock->root_file, source,
                                     check ? FILE_RULES_CHECK : FILE_RULES_ANY_TIME);
    lock->rules = version >= 0;
    if (version >= 0) {
        snprintf(text, sizeof(text), "files (Landlock ABI %d)", version);
        add_on(lock, text);
    } else if (version == -ENOSYS || version == -EOPNOTSUPP) {
        add_failed(lock, "files", "the kernel has no Landlock (5.13; landlock in its lsm=)");
    } else if (version == -EPERM) {
        add_failed(lock, "files",
                   OUTSIDE "landlock_create_ruleset, landlock_add_rule and "
                           "landlock_restrict_self");
    } else {
        add_failed(lock, "files", strerror(-version));
    }
}

static void lock_calls(struct sandbox *lock, enum rapl_source source) {
    if (seccomp_filter_missing != NULL) {
        add_off(lock, "system calls", seccomp_filter_missing);
        return;
    }
    const int error = seccomp_filter_set(source);
    lock->calls = error == 0;
    if (error == 0)
        add_on(lock, "system calls");
    else
        add_failed(lock, "system calls", error == -EPERM ? OUTSIDE "seccomp" : strerror(-error));
}

/* Landlock and seccomp both require no_new_privs. */
static void lock_more(struct sandbox *lock, enum rapl_source source, bool check) {
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        add_failed(lock, "no new privileges, files and system calls", strerror(errno));
        return;
    }
    add_on(lock, "no new privileges");
    lock_files(lock, source, check);
    lock_calls(lock, source);
}
#else
static void lock_more(struct sandbox *lock, enum rapl_source source, bool check) {
    (void)source;
    (void)check;
    add_off(lock, "no new privileges, files and system calls",
            "built without (RAPL_SANDBOX=OFF, or RAPL_SANITIZE=ON)");
}
#endif

void sandbox(struct sandbox *lock, const struct capabilities *privileges,
             const struct rapl_options *options, bool check) {
    *lock = (struct sandbox){.root = options->root, .root_file = options->root_file};
    if (capabilities_missing != NULL)
        add_off(lock, "capabilities", capabilities_missing);
    else if (privileges->kept != NULL)
        add_failed(lock, "capabilities", privileges->kept);
    else
        add_on(lock, "capabilities");
    lock_more(lock, options->source, check);
    if (lock->on[0] == '\0')
        add_on(lock, "nothing");
}

/* The root may have appeared after the start. */
static void narrow_files(const struct sandbox *lock, enum rapl_source source) {
    const int root_file = lock->root_file > 0 ? lock->root_file : rapl_open_root(lock->root);
    if (root_file > 0)
        landlock_set(lock->root, root_file, source, FILE_RULES_READS);
    if (root_file > 0 && root_file != lock->root_file)
        close(root_file);
}

void sandbox_narrow(struct sandbox *lock, const struct rapl *rapl) {
    enum rapl_source source;
    if (lock->narrowed || rapl_readable_count(rapl) == 0 ||
        rapl_source_from_name(rapl_source_name(rapl), &source) != 0)
        return;
    lock->narrowed = true;
    /* If narrowing fails, the earlier, wider rules stay in force. */
    if (lock->rules)
        narrow_files(lock, source);
    if (lock->calls)
        seccomp_filter_narrow(source);
}

void sandbox_log(void) {
    char name[64];
    while (seccomp_filter_next_refused(name, sizeof(name)))
        log_line('W',
                 "the system call %s was refused, and it goes on. Fix: report this, please; "
                 "if something is missing until then, build with -DRAPL_SANDBOX=OFF",
                 name);
}
