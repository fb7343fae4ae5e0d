/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nonblocking_stdio.h"

static const char *chosen = "EWID";
static unsigned long dropped_count;

void log_choose(const char *levels) {
    chosen = levels;
}

/* Returns whether the line was written. A line fits into PIPE_BUF, so a pipe takes all of it or
 * nothing: pipe(7). If another process fills a shared file first, the timer interrupts the
 * write. */
static bool write_line(const char *line, size_t length) {
    if (!nonblocking_may_write(STDERR_FILENO))
        return false;
    nonblocking_start(STDERR_FILENO);
    const ssize_t written = write(STDERR_FILENO, line, length);
    nonblocking_stop(STDERR_FILENO);
    return written == (ssize_t)length;
}

void log_dropped(void) {
    char line[80];
    if (dropped_count == 0)
        return;
    const int length = snprintf(
        line, sizeof(line), "W! messages dropped because stderr was full: %lu\n", dropped_count);
    if (write_line(line, (size_t)length))
        dropped_count = 0;
}

void log_line(char level, const char *format, ...) {
    if (strchr(chosen, level) == NULL)
        return;
    char line[2300];
    const int room = (int)sizeof(line) - 1; /* leaves room for the newline */
    int length = snprintf(line, sizeof(line), "%c! ", level);
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(line + length, (size_t)(room - length), format, arguments);
    va_end(arguments);
    length = more < room - length ? length + more : room - 1;
    line[length] = '\0';
    /* Text from users or files must not start a second line. */
    rapl_make_printable(line);
    line[length++] = '\n';
    log_dropped();
    if (dropped_count > 0 || !write_line(line, (size_t)length))
        dropped_count++;
}

void log_problems(struct rapl *rapl) {
    struct rapl_problem problem;
    while (rapl_next_problem(rapl, &problem)) {
        char level = problem.severity == RAPL_ERROR     ? 'E'
                     : problem.severity == RAPL_WARNING ? 'W'
                                                        : 'I';
        if (problem.over)
            log_line(level, "Resolved: %s", problem.reason);
        else if (problem.remedy[0] != '\0')
            log_line(level, "%s. Fix: %s", problem.reason, problem.remedy);
        else
            log_line(level, "%s", problem.reason);
    }
}
