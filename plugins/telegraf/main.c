/* SPDX-License-Identifier: MIT */
/* rapl-execd: energy and power as line protocol, whenever Telegraf asks for it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "file_limit.h"
#include "line_protocol.h"
#include "lock_in.h"
#include "log.h"
#include "options.h"
#include "output.h"
#include "privileges.h"
#include "prompt.h"
#include "rapl.h"
#include "reporter.h"
#include "start_memory.h"
#include "ticks.h"
#include "waiting.h"

/* A counter that has not moved for longer is shown as such: most move once a second at least. */
#define CHECK_LONGEST_NS UINT64_C(1200000000)

/* Telegraf may send the first prompt as soon as exec has succeeded, and until the signal is blocked
 * it ends the program. */
__attribute__((constructor)) static void hold_signals(void) {
    prompt_hold_signals();
}

/* Files of ours must not become stdin, stdout or stderr where those are closed. */
static void keep_standard_files(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Gives up what counters do not ask for, before the first text of the kernel's is read. */
static void lock(struct execd_options *options, struct privileges *privileges,
                 struct lock_in *locked) {
    options->rapl.root = rapl_find_root(options->rapl.root);
    const int root_file = rapl_open_root(options->rapl.root);
    options->rapl.root_file = root_file > 0 ? root_file : 0;
    privileges_open(privileges, rapl_root_is_own(options->rapl.root));
    options->rapl.privilege = privileges->rapl;
    lock_in(locked, privileges, &options->rapl, options->mode == EXECD_CHECK);
}

int main(int count, char **words) {
    struct execd_options options;
    struct line_writer writer = {.text = NULL};
    struct prompt prompt = {.signals = -1, .timer = -1};
    struct privileges privileges = {.raised = NULL};
    struct lock_in locked;
    struct rapl *rapl = NULL;
    char problem[512] = "out of memory";
    int status = EXIT_FAILURE;

    keep_standard_files();
    int error = options_parse(count, words, &options, problem, sizeof(problem));
    if (error != 0) {
        log_line('E', "%s; rapl-execd --help lists the options", problem);
        status = error == -EINVAL ? 2 : EXIT_FAILURE;
        goto free_options;
    }
    if (options.mode == EXECD_HELP || options.mode == EXECD_VERSION) {
        if (options.mode == EXECD_HELP)
            fputs(options_help, stdout);
        else
            puts("rapl-execd " RAPL_VERSION);
        status = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        goto free_options;
    }
    const bool once = options.mode == EXECD_ONCE;
    const bool prompted = options.mode == EXECD_RUN;
    error = prompt_open(&prompt, prompted ? options.interval_ns : 0, prompted);
    if (error == 0) {
        if (options.mode != EXECD_CHECK) /* stdio gives up where a file does not block */
            ticks_spare(STDOUT_FILENO);
        ticks_spare(STDERR_FILENO);
        options.rapl.file_limit = file_limit_raise();
        lock(&options, &privileges, &locked);
        error = rapl_open(&options.rapl, &rapl);
    }
    if (error != 0) {
        log_line('E', "cannot start: %s", strerror(-error));
        goto close_prompt;
    }
    if (options.mode == EXECD_CHECK) {
        wait_for_moves(rapl, &prompt, clock_now_ns() + CHECK_LONGEST_NS);
        prompt_release_ends(); /* who reads the table may stop reading */
        const bool reads = check_print(rapl, privileges.rights, &locked);
        status = fflush(stdout) == 0 && reads ? EXIT_SUCCESS : EXIT_FAILURE;
        lock_in_log();
        goto close_rapl;
    }
    if (locked.failed[0] != '\0')
        log_line('I', "not locked in as it could be, and it goes on: %s", locked.failed);
    if (options.debug)
        log_line('D', "%zu of %zu zones read, source %s, root %s", rapl_readable_count(rapl),
                 rapl_zone_count(rapl), rapl_source_name(rapl), rapl_root(rapl));
    log_problems(rapl);
    options.fields.energy = options.fields.energy && !once;
    line_writer_open(&writer, options.tags, options.tag_count, options.fields);
    lock_in_narrow(&locked, rapl);
    start_memory_release();
    const struct reporter reporter = {rapl, &writer, &prompt, &options, &locked};
    status = once ? reporter_run_once(&reporter) : reporter_run(&reporter);
    lock_in_log();
    line_writer_close(&writer);

close_rapl:
    rapl_close(rapl);
close_prompt:
    prompt_close(&prompt);
free_options:
    log_dropped();
    if (status != EXIT_SUCCESS && options.mode == EXECD_RUN)
        output_finish();
    options_free(&options);
    privileges_close(&privileges);
    return status;
}
