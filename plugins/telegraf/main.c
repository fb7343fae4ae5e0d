/* SPDX-License-Identifier: MIT */
/* rapl-execd: energy and power as line protocol, whenever Telegraf asks for it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
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
#include "start_memory.h"
#include "ticks.h"
#include "version.h"

#define ONCE_INTERVAL_NS UINT64_C(1000000000)
/* Counters that move seldom: a file that a host writes for its guests moves each 5 s. */
#define POWER_LONGEST_NS UINT64_C(12000000000)
/* A counter that has not moved for longer is shown as such: most move once a second at least. */
#define CHECK_LONGEST_NS UINT64_C(1200000000)
/* After a sample that found no memory. */
#define RETRY_NS UINT64_C(1000000000)

/* Files of ours must not become stdin, stdout or stderr where those are closed. */
static void keep_standard_files(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd > STDERR_FILENO)
        close(fd);
}

/* Takes a report and puts it into the writer: the number of series in it, or a negative errno. */
static int format_report(struct rapl *rapl, struct line_writer *writer, bool debug) {
    const struct rapl_report *report = NULL;
    const uint64_t begin_ns = debug ? clock_now_ns() : 0;
    int error = rapl_report(rapl, &report);
    if (error == 0)
        error = line_writer_format(writer, report);
    log_problems(rapl);
    if (error != 0)
        return error;
    if (debug)
        log_line('D', "%zu series in %llu us", writer->series_count,
                 (unsigned long long)((clock_now_ns() - begin_ns) / 1000));
    return (int)writer->series_count;
}

/* Waits for what the prompt waits for, but no longer than until counters have to be read: whether
 * they were. */
static bool wait_or_sample(struct rapl *rapl, struct prompt *prompt, uint64_t timeout_ns) {
    const uint64_t due_ns = rapl_sample_due_ns(rapl);
    const uint64_t now_ns = clock_now_ns();
    if (due_ns == 0 || (timeout_ns != UINT64_MAX && due_ns > now_ns + timeout_ns)) {
        prompt_wait(prompt, timeout_ns);
        return false;
    }
    if (due_ns > now_ns) {
        prompt_wait(prompt, due_ns - now_ns);
        return false;
    }
    if (rapl_sample(rapl) != 0)
        prompt_wait(prompt, RETRY_NS);
    return true;
}

static void wait_and_sample(struct rapl *rapl, struct prompt *prompt, uint64_t timeout_ns) {
    if (wait_or_sample(rapl, prompt, timeout_ns))
        log_problems(rapl);
}

/* The status, where the prompt says that it is over. */
static int end_of_prompts(const struct prompt *prompt) {
    if (prompt->error == 0)
        return EXIT_SUCCESS;
    log_line('E', "cannot wait for prompts: %s", strerror(-prompt->error));
    return EXIT_FAILURE;
}

static void sample_until(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns) {
    for (uint64_t now = clock_now_ns(); now < end_ns && !prompt->stop; now = clock_now_ns())
        wait_and_sample(rapl, prompt, end_ns - now);
}

/* Until no counter is left of which more will be known by then. */
static void wait_for_power(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns) {
    for (uint64_t now = clock_now_ns(); now < end_ns && !prompt->stop && rapl_expects_power(rapl);
         now = clock_now_ns())
        wait_and_sample(rapl, prompt, end_ns - now);
}

/* How many selected counters that read have moved, or have not. */
static size_t count_moved(const struct rapl *rapl, bool moved) {
    struct rapl_zone zone;
    size_t count = 0;
    for (size_t i = 0; i < rapl_zone_count(rapl); i++) {
        rapl_zone(rapl, i, &zone);
        count += zone.error == 0 && zone.reported && zone.mirrors == NULL && zone.moved == moved;
    }
    return count;
}

/* Until every counter has moved, and has power. Problems are left to the table. */
static void wait_for_table(struct rapl *rapl, struct prompt *prompt, uint64_t longest_ns) {
    uint64_t end_ns = longest_ns;
    for (uint64_t now = clock_now_ns(); now < end_ns && !prompt->stop; now = clock_now_ns()) {
        wait_or_sample(rapl, prompt, end_ns - now);
        const uint64_t ready_ns = rapl_power_ready_ns(rapl);
        if (count_moved(rapl, false) == 0)
            end_ns = ready_ns < longest_ns ? ready_ns : longest_ns;
    }
}

static int fail_to_write(int error) {
    if (error != -EPIPE)
        log_line('E', "cannot write to stdout: %s", strerror(-error));
    return EXIT_FAILURE;
}

static int run_check(struct rapl *rapl, struct prompt *prompt, const char *rights,
                     const struct lock_in *locked) {
    const struct rapl_report *report = NULL;
    char *text = NULL;
    size_t length = 0;
    wait_for_table(rapl, prompt, clock_now_ns() + CHECK_LONGEST_NS);
    if (rapl_report(rapl, &report) != 0)
        report = NULL;
    FILE *out = open_memstream(&text, &length);
    int status = out != NULL ? check_print(out, rapl, report, rights, locked) : EXIT_FAILURE;
    const bool is_whole = out != NULL && fclose(out) == 0;
    const int error = is_whole ? output_write(prompt, text, length) : -ENOMEM;
    if (error != 0)
        status = fail_to_write(error);
    free(text);
    return status;
}

/* What needs no counters. */
static int inform(const struct execd_options *options) {
    errno = 0;
    if (options->mode == EXECD_HELP)
        options_print_help(stdout);
    else
        version_print(stdout);
    return fflush(stdout) == 0 && !ferror(stdout) ? EXIT_SUCCESS : fail_to_write(-errno);
}

static const char *explain_nothing(const struct rapl *rapl) {
    if (rapl_readable_count(rapl) == 0)
        return "no energy counter can be read; rapl-execd --check shows what was found";
    if (count_moved(rapl, true) == 0 && count_moved(rapl, false) > 0)
        return "no energy counter has moved since the start, which no machine that runs does. To "
               "mend: in a virtual machine, measure on its host, or give it counters that count "
               "(QEMU 9.1 and later: -accel kvm,rapl=true); on others, see whether another source "
               "counts: rapl-execd --check --source=msr";
    return "no selected zone produced a power value in this time";
}

/* Takes a report that has power, where there is any by then; as format_report(). What a report
 * reads may show that its counters move seldom, so that their power takes up to 20 updates. */
static int format_power(struct rapl *rapl, struct line_writer *writer, struct prompt *prompt,
                        bool debug, uint64_t end_ns) {
    uint64_t ready_ns = 0;
    int result = 0;
    do {
        wait_for_power(rapl, prompt, end_ns);
        ready_ns = rapl_power_ready_ns(rapl);
        sample_until(rapl, prompt, ready_ns < end_ns ? ready_ns : end_ns);
        if (prompt->stop)
            return 0;
        result = format_report(rapl, writer, debug);
        ready_ns = rapl_power_ready_ns(rapl);
    } while (result == 0 && clock_now_ns() < ready_ns && clock_now_ns() < end_ns);
    return result;
}

static int run_once(struct rapl *rapl, struct line_writer *writer, struct prompt *prompt,
                    const struct execd_options *options) {
    const uint64_t begin_ns = clock_now_ns();
    const uint64_t end_ns =
        begin_ns + (options->interval_ns != 0 ? options->interval_ns : ONCE_INTERVAL_NS);
    sample_until(rapl, prompt, end_ns);
    int result = format_power(rapl, writer, prompt, options->debug, begin_ns + POWER_LONGEST_NS);
    if (prompt->stop)
        return end_of_prompts(prompt);
    if (result > 0) {
        result = output_write(prompt, writer->text, writer->length);
        return result == 0 ? EXIT_SUCCESS : fail_to_write(result);
    }
    if (result == 0)
        log_line('E', "nothing to report: %s", explain_nothing(rapl));
    else
        log_line('E', "cannot report: %s", strerror(-result));
    return EXIT_FAILURE;
}

/*
 * A report that could only be empty, for want of energy, is put off until power is known. So is the
 * first, for as long as counters that move often need: Telegraf prompts at once, and "telegraf
 * --test" never again, so that nobody would see watts. Once stdin has ended, it is not put off for
 * counters that move seldom.
 */
static uint64_t put_off_until_ns(const struct rapl *rapl, const struct execd_options *options,
                                 const struct prompt *prompt, bool first, uint64_t begin_ns) {
    const bool empty = !options->fields.energy && !options->fields.health;
    const bool waits = empty && !prompt->stop;
    if (waits && rapl_expects_power(rapl) && clock_now_ns() < begin_ns + POWER_LONGEST_NS)
        return begin_ns + POWER_LONGEST_NS;
    return first || empty ? rapl_power_ready_ns(rapl) : 0;
}

static int run(struct rapl *rapl, struct line_writer *writer, struct prompt *prompt,
               const struct execd_options *options, struct lock_in *locked) {
    const uint64_t begin_ns = clock_now_ns();
    bool out_of_memory = false;
    bool first = true;
    if (isatty(STDIN_FILENO) && options->interval_ns == 0)
        log_line('I', "Waiting for a newline on stdin: each gives a report (--once gives one, "
                      "--check a table)");
    while (!prompt->stop || prompt->asked) {
        uint64_t timeout_ns = UINT64_MAX;
        if (prompt->asked) {
            const uint64_t ready_ns = put_off_until_ns(rapl, options, prompt, first, begin_ns);
            const uint64_t now = ready_ns > 0 ? clock_now_ns() : 0;
            timeout_ns = ready_ns > now ? ready_ns - now : 0;
        }
        if (timeout_ns > 0) {
            wait_and_sample(rapl, prompt, timeout_ns);
            continue;
        }
        prompt->asked = false;
        first = false;
        int result = format_report(rapl, writer, options->debug);
        lock_in_narrow(locked, rapl);
        lock_in_log();
        if (result >= 0 && writer->length > 0)
            result = output_write(prompt, writer->text, writer->length);
        if (result == -EPIPE || result == -ECANCELED)
            return end_of_prompts(prompt);
        if (result == -ENOMEM && !out_of_memory)
            log_line('E', "cannot report: %s", strerror(-result));
        out_of_memory = result == -ENOMEM;
        if (result < 0 && result != -ENOMEM)
            return fail_to_write(result);
    }
    return end_of_prompts(prompt);
}

/* Gives up what counters do not ask for, before the first text of the kernel's is read. */
static int lock(struct execd_options *options, struct privileges *privileges,
                struct lock_in *locked) {
    char warning[512];
    if (rapl_root_warning(options->rapl.root, warning, sizeof(warning)))
        log_line('W', "%s", warning);
    options->root = rapl_find_root(options->rapl.root);
    if (options->root == NULL)
        return -ENOMEM;
    options->rapl.root = options->root;
    const int root_file = rapl_open_root(options->rapl.root);
    options->rapl.root_file = root_file > 0 ? root_file : 0;
    privileges_open(privileges, rapl_root_is_own(options->rapl.root));
    options->rapl.privilege = privileges->rapl;
    lock_in(locked, privileges, &options->rapl, options->mode == EXECD_CHECK);
    return 0;
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
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of write(2) (setrlimit(2)) */
    int error = options_parse(count, words, &options, problem, sizeof(problem));
    if (error != 0) {
        log_line('E', "%s; rapl-execd --help lists the options", problem);
        status = error == -EINVAL ? 2 : EXIT_FAILURE;
        goto free_options;
    }
    if (options.mode == EXECD_HELP || options.mode == EXECD_VERSION) {
        status = inform(&options);
        goto free_options;
    }
    const bool once = options.mode == EXECD_ONCE;
    if (options.quiet || once)
        log_choose(options.debug ? "EWD" : "EW");
    const bool prompted = options.mode == EXECD_RUN;
    error = prompt_open(&prompt, prompted ? options.interval_ns : 0, prompted);
    if (error == 0) {
        ticks_spare(STDOUT_FILENO);
        options.rapl.file_limit = file_limit_raise();
        error = lock(&options, &privileges, &locked);
    }
    if (error == 0) {
        error = rapl_open(&options.rapl, &rapl);
    }
    if (error != 0) {
        log_line('E', "cannot start: %s", strerror(-error));
        goto close_prompt;
    }
    if (options.mode == EXECD_CHECK) {
        status = run_check(rapl, &prompt, privileges.rights, &locked);
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
    status = once ? run_once(rapl, &writer, &prompt, &options)
                  : run(rapl, &writer, &prompt, &options, &locked);
    lock_in_log();
    line_writer_close(&writer);

close_rapl:
    rapl_close(rapl);
close_prompt:
    prompt_close(&prompt);
free_options:
    options_free(&options);
    privileges_close(&privileges);
    return status;
}
