/* SPDX-License-Identifier: MIT */
/* The text of a problem with any error and subject, and its line in the log. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "log.h"
#include "problem/problem.h"

/* Returns what log_line() writes to stderr. */
static char *log_to_memory(const char *text) {
    static char line[8192];
    fflush(stderr);
    int file = memfd_create("log", MFD_CLOEXEC);
    int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    HOLDS(file >= 0 && before >= 0 && dup2(file, STDERR_FILENO) == STDERR_FILENO);
    log_line('W', "%s", text);
    HOLDS(dup2(before, STDERR_FILENO) == STDERR_FILENO);
    const ssize_t length = pread(file, line, sizeof(line) - 1, 0);
    close(before);
    close(file);
    HOLDS(length >= 0);
    line[length] = '\0';
    return line;
}

/* The log has one line for any text; a text that is already one line stays unchanged. */
static void check_log(const char *text) {
    char *line = log_to_memory(text);
    const size_t length = strlen(line);
    HOLDS(length >= 4 && strncmp(line, "W! ", 3) == 0 && line[length - 1] == '\n');
    line[length - 1] = '\0';
    HOLDS(is_printable(line));
    if (strlen(text) < 2000)
        HOLDS(strlen(line + 3) == strlen(text));
    if (strlen(text) < 2000 && is_printable(text))
        HOLDS(strcmp(line + 3, text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static const int errors[] = {0,       -ENOENT,  -EACCES, -EPERM, -EIO,     -ENODEV,  -ENOTSUP,
                                 -ERANGE, -ENOLINK, -EINVAL, -ETIME, -EBADMSG, -EUNATCH, -ENOMSG};
    struct input input = {bytes, size};
    struct problems problems = {.root = "/"};
    struct rapl_problem problem;
    const uint8_t kind = take_byte(&input);
    problems.is_virtual = kind % 2 != 0;
    problems.has_driver = kind % 4 >= 2;
    problems.perf_paranoid = kind >= 128 ? PROBLEM_PARANOID_UNKNOWN : kind % 8 - 1;
    problems.module = kind % 16 >= 8 ? "intel_rapl_msr" : NULL;
    problems.is_root = kind % 32 >= 16;
    problems.lacks_rapl = kind % 64 >= 32;
    problems.capabilities = (uint64_t)kind * UINT64_C(0x0101010101010101);
    problems.host.confinement = (enum host_confinement)(kind % (HOST_APPARMOR + 1));
    problems.host.lacks_driver = kind % 128 >= 64;
    char *root = take_text(&input);
    char *withheld = take_text(&input);
    if (root[0] != '\0')
        problems.root = root;
    if (withheld[0] != '\0')
        problems.withheld = withheld;
    while (input.left > 0) {
        const enum problem_cause cause =
            (enum problem_cause)(take_byte(&input) % (PROBLEM_PARTED + 1));
        const int error = errors[take_byte(&input) % COUNT_OF(errors)];
        const unsigned int times = 1 + take_byte(&input) % 3;
        char *subject = take_text(&input);
        for (unsigned int i = 0; i < times; i++) {
            if (cause == PROBLEM_LEFT_OUT) /* its subject is a sentence of its own */
                problems_raise_left_out(&problems, error, times, subject, i);
            else
                problems_raise(&problems, cause, error, subject);
        }
        free(subject);
    }
    for (int pass = 0; pass < 2; pass++) {
        while (problems_next(&problems, &problem)) {
            HOLDS(problem.reason[0] != '\0' || problem.severity == RAPL_INFO);
            HOLDS(is_printable(problem.reason) && is_printable(problem.remedy));
            check_log(problem.reason);
            check_log(problem.remedy[0] != '\0' ? problem.remedy : "none");
        }
        for (enum problem_pass of = PASS_ROOT; of <= PASS_SWEEP; of++) {
            problems_begin(&problems, of);
            problems_end(&problems, of);
        }
    }
    check_log(root[0] != '\0' ? root : "root");
    problems_free(&problems);
    free(root);
    free(withheld);
    return 0;
}
