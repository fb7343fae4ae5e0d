/* SPDX-License-Identifier: MIT */
#include "problem/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "problem/problem_cause.h"
#include "system/clock.h"
#include "system/error.h"

/* Least time between two reports of a cause that comes and goes. A problem that lasts for STAYS_NS
 * is reported earlier. */
#define REPORT_AGAIN_NS (UINT64_C(3600) * NS_PER_SECOND)
#define STAYS_NS (UINT64_C(60) * NS_PER_SECOND)

static bool is_event(enum problem_cause cause) {
    return problem_cause_row(cause)->end == ENDS_AT_ONCE;
}

static bool has_end(enum problem_cause cause) {
    return problem_cause_row(cause)->end == ENDS_WITH_PASS;
}

static bool is_by_subject(enum problem_cause cause) {
    return problem_cause_row(cause)->by_subject;
}

static bool is_time_to_report(const struct problem *problem) {
    return problem->reported_ns == 0 ||
           clock_boottime_ns() - problem->reported_ns >= REPORT_AGAIN_NS;
}

void problems_begin(struct problems *problems, enum problem_pass pass) {
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        if (problem_cause_row(problem->cause)->pass == pass)
            problem->seen = false;
    }
}

void problems_end(struct problems *problems, enum problem_pass pass) {
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        if (problem_cause_row(problem->cause)->pass != pass || problem->seen || !problem->present)
            continue;
        /* Keep it until it is reported: there can be several sweeps between two calls of
         * problems_next(). */
        if (!has_end(problem->cause) && !problem->reported && is_time_to_report(problem))
            continue;
        problem->end_to_report = problem->reported && has_end(problem->cause);
        problem->present = false;
        problem->reported = false;
    }
}

static struct problem *find(struct problems *problems, enum problem_cause cause, int error,
                            const char *subject) {
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        if (problem->cause == cause && problem->error == error &&
            (!is_by_subject(cause) || strcmp(problem->subject, subject) == 0))
            return problem;
    }
    return NULL;
}

/* Without memory, the earlier subject stays. */
static void name_subject(struct problem *problem, const char *subject) {
    if (strcmp(problem->subject, subject) == 0)
        return;
    char *copy = strdup(subject);
    if (copy == NULL)
        return;
    free(problem->subject);
    problem->subject = copy;
}

/* Finds a record if its cause already has PROBLEM_SUBJECTS_MAX: one that is over and may be used
 * again, or the last one, to which the subject is added (with_it). NULL: there is room. */
static struct problem *find_room(struct problems *problems, enum problem_cause cause,
                                 const char *subject, bool *with_it) {
    struct problem *last = NULL;
    size_t count = 0;
    *with_it = false;
    for (size_t i = 0; i < problems->count && is_by_subject(cause); i++) {
        struct problem *problem = &problems->list[i];
        if (problem->cause != cause)
            continue;
        last = problem;
        count++;
    }
    if (count < PROBLEM_SUBJECTS_MAX)
        return NULL;
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        if (problem->cause != cause || problem->present || problem->end_to_report ||
            !is_time_to_report(problem))
            continue;
        name_subject(problem, subject);
        return problem;
    }
    *with_it = true;
    return last;
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

void problems_raise(struct problems *problems, enum problem_cause cause, int error,
                    const char *subject) {
    bool with_it = false;
    struct problem *problem = find(problems, cause, error, subject);
    if (problem == NULL)
        problem = find_room(problems, cause, subject, &with_it);
    if (problem == NULL)
        problem = append(problems, cause, error, subject);
    if (problem == NULL)
        return;
    if (!problem->present) {
        if (!with_it)
            name_subject(problem, subject);
        problem->others = 0;
        problem->present = true;
        problem->since_ns = clock_realtime_ns();
        problem->began_ns = clock_boottime_ns();
        problem->end_to_report = false;
        problem->seen = false;
    }
    if (!problem->seen)
        problem->count = problem->others = 0;
    problem->seen = true;
    problem->count++;
    problem->others += with_it ? 1 : 0;
}

void problems_raise_left_out(struct problems *problems, int error, size_t left_out,
                             const char *first, size_t most) {
    char subject[256];
    snprintf(subject, sizeof(subject), "%zu counters are left out, such as %s: at most %zu %s",
             left_out, first, most,
             error == ZONE_WITHOUT_FILE ? "open files are for counters here" : "are read");
    problems_raise(problems, PROBLEM_LEFT_OUT, error, subject);
}

/* Errors that are only a warning: the processor lacks the counter, or the interval is too long. */
static bool is_expected(int error) {
    return error == -ENOENT || error == ZONE_COUNTS_NOTHING || error == PERF_COUNT_UNDECIDED ||
           error == UNIT_NOT_KNOWN;
}

static enum rapl_severity judge(const struct problem *problem) {
    const bool is_warning = (problem->cause == PROBLEM_MODEL && problem->error == 0) ||
                            (problem->cause == PROBLEM_ENERGY && is_expected(problem->error));
    return is_warning ? RAPL_WARNING : problem_cause_row(problem->cause)->severity;
}

static bool is_due(const struct problem *problem, uint64_t now_ns) {
    return problem->present && !problem->reported &&
           (is_time_to_report(problem) ||
            (!is_event(problem->cause) && now_ns - problem->began_ns >= STAYS_NS));
}

bool problems_next(struct problems *problems, struct rapl_problem *next) {
    const uint64_t now_ns = clock_boottime_ns();
    for (size_t i = 0; i < problems->count; i++) {
        struct problem *problem = &problems->list[i];
        const bool over = problem->end_to_report;
        if (!over && !is_due(problem, now_ns))
            continue;
        problem_word(problems, problem);
        if (over) {
            problems->remedy[0] = '\0';
            problem->end_to_report = false;
        } else {
            problem->reported = true;
            problem->reported_ns = now_ns;
        }
        /* An event is over once it is reported. */
        if (is_event(problem->cause))
            problem->present = problem->reported = false;
        *next = (struct rapl_problem){.severity = over ? RAPL_INFO : judge(problem),
                                      .reason = problems->reason,
                                      .remedy = problems->remedy,
                                      .since_ns = problem->since_ns,
                                      .over = over};
        return true;
    }
    return false;
}

const char *problems_root(const struct problems *problems) {
    return strcmp(problems->root, "/") != 0 ? problems->root : "";
}

const char *problems_first_reason(struct problems *problems) {
    for (size_t i = 0; i < problems->count; i++) {
        if (!problems->list[i].present || is_event(problems->list[i].cause))
            continue;
        problem_word(problems, &problems->list[i]);
        return problems->reason;
    }
    return NULL;
}

void problems_free(struct problems *problems) {
    for (size_t i = 0; i < problems->count; i++)
        free(problems->list[i].subject);
    free(problems->list);
    problems->list = NULL;
    problems->count = 0;
}
