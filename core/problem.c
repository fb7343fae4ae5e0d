/* SPDX-License-Identifier: MIT */
#include "problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "sysfs.h"

/* A cause that comes and goes is told at most this often, unless it stays for a minute. */
#define TELL_AGAIN_NS (UINT64_C(3600) * NS_PER_SECOND)
#define STAYS_NS (UINT64_C(60) * NS_PER_SECOND)

/* Told of by themselves: no pass ends them. */
static bool is_event(enum problem_cause cause) {
    return cause >= PROBLEM_DUPLICATE;
}

/* One per file or zone, rather than one for all that it strikes. */
static bool is_told_by_subject(enum problem_cause cause) {
    return is_event(cause) || cause == PROBLEM_GONE || cause == PROBLEM_GONE_FROM_TOTAL;
}

static bool has_end(enum problem_cause cause) {
    return cause < PROBLEM_JUMPED;
}

void problems_begin(struct problems *problems, enum problem_cause first, enum problem_cause last) {
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        if (problem->cause >= first && problem->cause <= last)
            problem->seen = false;
    }
}

void problems_end(struct problems *problems, enum problem_cause first, enum problem_cause last) {
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        if (problem->cause < first || problem->cause > last || problem->seen || !problem->present)
            continue;
        problem->tell_over = problem->told && has_end(problem->cause);
        problem->present = false;
        problem->told = false;
    }
}

static struct problem *find(struct problems *problems, enum problem_cause cause, int error,
                            const char *subject) {
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        if (problem->cause == cause && problem->error == error &&
            (!is_told_by_subject(cause) || strcmp(problem->subject, subject) == 0))
            return problem;
    }
    return NULL;
}

static struct problem *append(struct problems *problems, enum problem_cause cause, int error,
                              const char *subject) {
    char *copy = strdup(subject);
    struct problem *list =
        copy != NULL ? realloc(problems->list, (problems->count + 1) * sizeof(*list)) : NULL;
    if (list == NULL) {
        free(copy);
        return NULL;
    }
    problems->list = list;
    struct problem *problem = &list[problems->count++];
    *problem = (struct problem){.cause = cause, .error = error, .subject = copy};
    return problem;
}

/* Without memory the earlier one stays. */
static void name_subject(struct problem *problem, const char *subject) {
    if (strcmp(problem->subject, subject) == 0)
        return;
    char *copy = strdup(subject);
    if (copy == NULL)
        return;
    free(problem->subject);
    problem->subject = copy;
}

void problems_raise(struct problems *problems, enum problem_cause cause, int error,
                    const char *subject) {
    struct problem *problem = find(problems, cause, error, subject);
    if (problem == NULL)
        problem = append(problems, cause, error, subject);
    if (problem == NULL)
        return;
    if (!problem->present) {
        name_subject(problem, subject);
        problem->present = true;
        problem->since_ns = clock_realtime_ns();
        problem->began_ns = clock_boottime_ns();
        problem->tell_over = false;
        problem->seen = false;
    }
    if (!problem->seen)
        problem->count = 0;
    problem->seen = true;
    problem->count++;
}

const char *problem_word_error(int error) {
    switch (error) {
    case SYSFS_NOT_REGULAR:
        return "is not a regular file";
    case SYSFS_TOO_LONG:
        return "is too long to be an attribute of the kernel";
    case SYSFS_EMPTY:
        return "is empty";
    case SYSFS_NOT_A_NUMBER:
        return "does not hold a number";
    case SYSFS_OUT_OF_RANGE:
        return "holds a number of more than 64 bits";
    case ZONE_WITHOUT_RANGE:
        return "is not the range of a counter";
    case ZONE_WITHOUT_PARENT:
        return "its parent zone cannot be identified";
    default:
        return strerror(-error);
    }
}

static void word_file_limit(struct problems *problems) {
    snprintf(
        problems->remedy, sizeof(problems->remedy),
        "too many files are open (LimitNOFILE= of the unit is for good): sudo prlimit --pid %d "
        "--nofile=65536",
        (int)getpid());
}

/* A command comes last, so that it can be copied to the end of the line. */
static void word_energy_remedy(struct problems *problems, const struct problem *problem) {
    const char *root = strcmp(problems->root, "/") != 0 ? problems->root : "";
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    switch (problem->error) {
    case -EACCES:
    case -EPERM:
        if (geteuid() == 0)
            snprintf(text, size,
                     "root lacks CAP_DAC_READ_SEARCH here; where that is a unit's "
                     "CapabilityBoundingSet=, add it there; in a container: docker run --cap-add "
                     "DAC_READ_SEARCH");
        else
            snprintf(text, size,
                     "let the group read it, until the driver is loaded again (README, "
                     "Privileges, makes it stay): sudo find %s/sys/devices/virtual/powercap/ "
                     "-name energy_uj -exec chgrp %u {} + -exec chmod g+r {} +",
                     root, (unsigned int)getegid());
        break;
    case -EMFILE:
        word_file_limit(problems);
        break;
    case -ENOENT:
        snprintf(text, size,
                 "it has no counter here: leave it out with --exclude (rapl-execd) or Zone "
                 "(collectd)");
        break;
    case -ENODEV:
    case -ENXIO:
        snprintf(text, size, "its driver has no counter for it now: sudo modprobe intel_rapl_msr");
        break;
    case -EINVAL:
    case -EIO:
        snprintf(text, size, "the driver could not read the counter, and says why in: sudo dmesg");
        break;
    default:
        snprintf(text, size, "see what stands there: sudo head -c 200 %s/%s", root,
                 problem->subject);
        break;
    }
}

static void word_remedy(struct problems *problems, const struct problem *problem) {
    static const char root_options[] = "Root (collectd) or --root (rapl-execd)";
    static const char power_options[] = "MaxPower (collectd) or --max-power (rapl-execd)";
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    text[0] = '\0';
    switch (problem->cause) {
    case PROBLEM_ROOT:
        snprintf(text, size, "set %s, or HOST_MOUNT_PREFIX, to the folder that holds sys and proc",
                 root_options);
        break;
    case PROBLEM_CLASS:
        if (problem->error == -EMFILE)
            word_file_limit(problems);
        else if (problem->error != -ENOENT)
            snprintf(text, size, "see who may enter it: ls -ld %s/%s",
                     strcmp(problems->root, "/") != 0 ? problems->root : "", problem->subject);
        else
            snprintf(text, size,
                     "a kernel without CONFIG_POWERCAP, as most virtual machines have, shows no "
                     "counters; in a container, show it those of the host: docker run -v "
                     "/:/host:ro,rslave -e HOST_MOUNT_PREFIX=/host");
        break;
    case PROBLEM_NO_ZONES:
        snprintf(text, size,
                 "a virtual machine has no counters (measure on its host); elsewhere "
                 "load the driver: sudo modprobe intel_rapl_msr");
        break;
    case PROBLEM_MASKED:
        snprintf(text, size,
                 "containers hide the folder it points to; show it that of the host: docker run "
                 "-v /:/host:ro,rslave -e HOST_MOUNT_PREFIX=/host");
        break;
    case PROBLEM_NAME:
    case PROBLEM_RANGE:
        snprintf(text, size, "see what stands there: sudo head -c 200 %s/%s",
                 strcmp(problems->root, "/") != 0 ? problems->root : "", problem->subject);
        break;
    case PROBLEM_LIMIT:
        snprintf(text, size, "if the ceiling that --check shows does not fit, set %s",
                 power_options);
        break;
    case PROBLEM_SELECTION:
        snprintf(text, size, "see the names that patterns are held against: rapl-execd --check");
        break;
    case PROBLEM_ENERGY:
        word_energy_remedy(problems, problem);
        break;
    case PROBLEM_GONE:
    case PROBLEM_GONE_FROM_TOTAL:
        snprintf(text, size,
                 "it is looked for at every report; if its CPUs are online, load the driver: sudo "
                 "modprobe intel_rapl_msr");
        break;
    case PROBLEM_JUMPED:
        snprintf(text, size, "if the machine can draw that much, set %s", power_options);
        break;
    case PROBLEM_UNDECIDED:
        snprintf(text, size, "report more often, or set %s to what the machine can draw",
                 power_options);
        break;
    case PROBLEM_DUPLICATE:
    case PROBLEM_PARTED:
        break;
    }
}

static void word_reason(struct problems *problems, const struct problem *problem) {
    const char *root = strcmp(problems->root, "/") != 0 ? problems->root : "";
    const char *what = problem->subject;
    const char *error = problem_word_error(problem->error);
    char others[32] = "";
    char *text = problems->reason;
    const size_t size = sizeof(problems->reason);
    if (problem->count > 1 && !is_told_by_subject(problem->cause))
        snprintf(others, sizeof(others), " (and %u more)", problem->count - 1);
    switch (problem->cause) {
    case PROBLEM_ROOT:
        snprintf(text, size, "%s: %s", what, error);
        break;
    case PROBLEM_CLASS:
        snprintf(text, size, "%s/%s: %s", root, what, error);
        break;
    case PROBLEM_NO_ZONES:
        snprintf(text, size, "%s/%s holds no RAPL zone", root, what);
        break;
    case PROBLEM_MASKED:
        snprintf(text, size, "%s/%s%s: the link leads nowhere", root, what, others);
        break;
    case PROBLEM_NAME:
        snprintf(text, size, "%s/%s%s: %s; the zone is left out", root, what, others, error);
        break;
    case PROBLEM_RANGE:
        snprintf(text, size, "%s/%s%s: %s; an interval in which it wraps is left out", root, what,
                 others, error);
        break;
    case PROBLEM_LIMIT:
        snprintf(text, size, "%s/%s%s: %s; the zone's ceiling does without it", root, what, others,
                 error);
        break;
    case PROBLEM_SELECTION:
        snprintf(text, size, "no zone is selected: %s", what);
        break;
    case PROBLEM_ENERGY:
        snprintf(text, size, "%s/%s%s: %s", root, what, others, error);
        break;
    case PROBLEM_GONE:
        snprintf(text, size, "%s has gone", what);
        break;
    case PROBLEM_GONE_FROM_TOTAL:
        snprintf(text, size, "%s has gone; total goes on without its power", what);
        break;
    case PROBLEM_DUPLICATE:
        snprintf(text, size, "%s is there more than once; the lowest zone is reported", what);
        break;
    case PROBLEM_PARTED:
        snprintf(text, size,
                 "the zones of %s showed the same counter and now differ; each is a series of its "
                 "own from now on",
                 what);
        break;
    case PROBLEM_JUMPED:
        snprintf(text, size,
                 "%s%s stepped further than its ceiling allows; the interval is left out", what,
                 others);
        break;
    case PROBLEM_UNDECIDED:
        snprintf(text, size,
                 "%s%s may have wrapped more than once between two reads; the interval is left out",
                 what, others);
        break;
    }
}

static enum rapl_severity judge(const struct problem *problem) {
    switch (problem->cause) {
    case PROBLEM_ROOT:
    case PROBLEM_CLASS:
    case PROBLEM_NO_ZONES:
    case PROBLEM_MASKED:
    case PROBLEM_SELECTION:
        return RAPL_ERROR;
    case PROBLEM_ENERGY:
        return problem->error == -ENOENT ? RAPL_WARNING : RAPL_ERROR;
    default:
        return RAPL_WARNING;
    }
}

static bool is_due(const struct problem *problem, uint64_t now_ns) {
    return problem->present && !problem->told &&
           (problem->told_ns == 0 || now_ns - problem->told_ns >= TELL_AGAIN_NS ||
            (!is_event(problem->cause) && now_ns - problem->began_ns >= STAYS_NS));
}

bool problems_next(struct problems *problems, struct rapl_problem *told) {
    const uint64_t now_ns = clock_boottime_ns();
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        const bool over = problem->tell_over;
        if (!over && !is_due(problem, now_ns))
            continue;
        word_reason(problems, problem);
        word_remedy(problems, problem);
        if (over) {
            problems->remedy[0] = '\0';
            problem->tell_over = false;
        } else {
            problem->told = true;
            problem->told_ns = now_ns;
        }
        /* An event is over once it is told. */
        if (is_event(problem->cause))
            problem->present = problem->told = false;
        *told = (struct rapl_problem){.severity = over ? RAPL_INFO : judge(problem),
                                      .reason = problems->reason,
                                      .remedy = problems->remedy,
                                      .since_ns = problem->since_ns,
                                      .over = over};
        return true;
    }
    return false;
}

void problems_free(struct problems *problems) {
    for (size_t i = 0; i < problems->count; i++)
        free(problems->list[i].subject);
    free(problems->list);
    *problems = (struct problems){.list = NULL};
}
