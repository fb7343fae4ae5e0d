/* SPDX-License-Identifier: MIT */
/* rapl-execd: prints energy and power as line protocol whenever Telegraf asks for it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "fd_limit.h"
#include "line_protocol.h"
#include "log.h"
#include "nonblocking_stdio.h"
#include "options.h"
#include "prompt.h"
#include "rapl.h"
#include "reporter.h"
#include "sandbox/capabilities.h"
#include "sandbox/sandbox.h"
#include "stdout_write.h"
#include "trim_memory.h"
#include "version.h"

/* Telegraf may send the first prompt as soon as exec has succeeded. Until the signal is blocked, it
 * would end the program. */
__attribute__((constructor)) static void hold_signals(void) {
    prompt_hold_signals();
}

/* Fills closed stdin, stdout and stderr, so that files opened later do not take their place. */
static void keep_standard_files(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Gives up the rights that counters do not need, before any text of the kernel is read. */
static int lock(struct execd_options *options, struct capabilities *privileges,
                struct sandbox *locked) {
    char warning[512];
    if (rapl_root_warning(options->rapl.root, warning, sizeof(warning)))
        log_line('W', "%s", warning);
    options->root = rapl_find_root(options->rapl.root);
    if (options->root == NULL)
        return -ENOMEM;
    options->rapl.root = options->root;
    const int root_file = rapl_open_root(options->rapl.root);
    options->rapl.root_file = root_file > 0 ? root_file : 0;
    capabilities_open(privileges, rapl_root_is_own(options->rapl.root));
    options->rapl.privilege = privileges->rapl;
    sandbox(locked, privileges, &options->rapl, options->mode == EXECD_CHECK);
    return 0;
}

/* Runs the modes that need no counters. */
static int inform(const struct execd_options *options) {
    errno = 0;
    if (options->mode == EXECD_HELP)
        options_print_help(stdout);
    else
        version_print(stdout);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : output_fail(-errno);
}

/* Returns the exit status, as the next function does. */
static int report(struct execd_options *options, struct rapl *rapl, struct prompt *prompt,
                  struct sandbox *locked) {
    const bool once = options->mode == EXECD_ONCE;
    struct line_writer writer;
    if (locked->failed[0] != '\0')
        log_line('I', "sandbox incomplete, continuing: %s", locked->failed);
    if (options->debug)
        log_line('D', "%zu of %zu zones read, source %s, root %s", rapl_readable_count(rapl),
                 rapl_zone_count(rapl), rapl_source_name(rapl), rapl_root(rapl));
    log_problems(rapl);
    options->fields.energy = options->fields.energy && !once;
    line_writer_open(&writer, options->tags, options->tag_count, options->fields);
    sandbox_narrow(locked, rapl);
    trim_memory();
    const struct reporter reporter = {rapl, &writer, prompt, options, locked};
    const int status = once ? reporter_run_once(&reporter) : reporter_run(&reporter);
    line_writer_close(&writer);
    return status;
}

static int measure(struct execd_options *options) {
    const bool prompted = options->mode == EXECD_RUN;
    struct prompt prompt = {.signals = -1, .timer = -1};
    struct capabilities privileges = {.raised = NULL};
    struct sandbox locked;
    struct rapl *rapl = NULL;
    int status = EXIT_FAILURE;
    int error = prompt_open(&prompt, prompted ? options->interval_ns : 0, prompted);
    if (error == 0) {
        nonblocking_spare(STDOUT_FILENO);
        nonblocking_spare(STDERR_FILENO);
        options->rapl.file_limit = fd_limit_raise();
        error = lock(options, &privileges, &locked);
    }
    if (error == 0)
        error = rapl_open(&options->rapl, &rapl);
    if (error != 0) {
        log_line('E', "cannot start: %s", strerror(-error));
        goto close_prompt;
    }
    if (options->mode == EXECD_CHECK)
        status = check_run(rapl, &prompt, privileges.rights, &locked);
    else
        status = report(options, rapl, &prompt, &locked);
    sandbox_log();
    rapl_close(rapl);
close_prompt:
    prompt_close(&prompt);
    capabilities_close(&privileges);
    return status;
}

int main(int count, char **words) {
    struct execd_options options;
    char problem[512] = "out of memory";
    int status = EXIT_FAILURE;

    keep_standard_files();
    /* write(2) to a file at its size limit then fails instead (setrlimit(2)) */
    signal(SIGXFSZ, SIG_IGN);
    const int error = options_parse(count, words, &options, problem, sizeof(problem));
    if (options.quiet || options.mode == EXECD_ONCE)
        log_choose(options.debug ? "EWD" : "EW");
    if (error != 0) {
        log_line('E', "%s; rapl-execd --help lists the options", problem);
        status = error == -EINVAL ? 2 : EXIT_FAILURE;
    } else if (options.mode == EXECD_HELP || options.mode == EXECD_VERSION) {
        status = inform(&options);
    } else {
        status = measure(&options);
    }
    log_dropped();
    if (status != EXIT_SUCCESS && options.mode == EXECD_RUN)
        output_finish();
    options_free(&options);
    return status;
}
