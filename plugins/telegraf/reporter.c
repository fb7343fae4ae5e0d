/* SPDX-License-Identifier: MIT */
#include "reporter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "monotonic.h"
#include "stdout_write.h"
#include "waiting.h"

#define ONCE_INTERVAL_NS UINT64_C(1000000000)

/* Takes a report and formats it. Returns the number of series in it, or a negative errno. */
static int format_report(const struct reporter *reporter, uint64_t *stalls) {
    struct line_writer *writer = reporter->writer;
    const struct rapl_report *report = NULL;
    const uint64_t begin_ns = reporter->options->debug ? clock_now_ns() : 0;
    int error = rapl_report(reporter->rapl, &report);
    if (error == 0) {
        *stalls = report->health.stalls;
        error = line_writer_format(writer, report);
    }
    log_dropped();
    log_problems(reporter->rapl);
    if (error != 0)
        return error;
    if (reporter->options->debug)
        log_line('D', "%zu series in %llu us", writer->series_count,
                 (unsigned long long)((clock_now_ns() - begin_ns) / 1000));
    return (int)writer->series_count;
}

/* Returns the exit status once prompts have ended. */
static int end_of_prompts(const struct prompt *prompt) {
    if (prompt->error == 0)
        return EXIT_SUCCESS;
    log_line('E', "cannot wait for prompts: %s", strerror(-prompt->error));
    return EXIT_FAILURE;
}

/* --- one report ------------------------------------------------------------------------------ */

static const char *explain_nothing(const struct rapl *rapl) {
    if (rapl_readable_count(rapl) == 0)
        return "no energy counter can be read; rapl-execd --check shows what was found";
    if (count_moved(rapl, true) == 0 && count_moved(rapl, false) > 0)
        return "no energy counter has moved since the start, which no machine that runs does. Fix: "
               "in a virtual machine, measure on its host, or give it counters that count "
               "(QEMU 9.1 and later: -accel kvm,rapl=true); on others, see whether another source "
               "counts: rapl-execd --check --source=msr";
    return "no selected zone produced a power value in this time";
}

/* Waits for power, until end_ns at most, and then reports as format_report() does. The report
 * itself may find that counters move seldom and need up to 20 updates for power: then it is
 * repeated. */
static int format_power(const struct reporter *reporter, uint64_t *stalls, uint64_t end_ns) {
    struct rapl *rapl = reporter->rapl;
    uint64_t ready_ns = 0;
    int result = 0;
    do {
        wait_for_power(rapl, reporter->prompt, end_ns);
        ready_ns = rapl_power_ready_ns(rapl);
        wait_until(rapl, reporter->prompt, ready_ns < end_ns ? ready_ns : end_ns);
        if (reporter->prompt->stop)
            return 0;
        result = format_report(reporter, stalls);
        ready_ns = rapl_power_ready_ns(rapl);
    } while (result == 0 && clock_now_ns() < ready_ns && clock_now_ns() < end_ns);
    return result;
}

int reporter_run_once(const struct reporter *reporter) {
    struct prompt *prompt = reporter->prompt;
    const uint64_t chosen_ns = reporter->options->interval_ns;
    const uint64_t interval_ns = chosen_ns != 0 ? chosen_ns : ONCE_INTERVAL_NS;
    const uint64_t end_ns = clock_now_ns() + POWER_LONGEST_NS;
    uint64_t stalls = 0;
    uint64_t stalls_before = 0;
    int result = 0;
    /* On a machine that stalls, reads may take too long for power over one interval. */
    do {
        stalls_before = stalls;
        wait_until(reporter->rapl, prompt, clock_now_ns() + interval_ns);
        result = format_power(reporter, &stalls, end_ns);
    } while (result >= 0 && stalls > stalls_before && !prompt->stop &&
             clock_now_ns() + interval_ns < end_ns);
    if (prompt->stop)
        return end_of_prompts(prompt);
    const bool lacks =
        stalls > stalls_before || (clock_now_ns() >= end_ns && rapl_expects_power(reporter->rapl));
    if (result > 0 && lacks)
        log_line('W', "some zones have no power, because reading them took too long. Fix: "
                      "rapl-execd --once --interval=10s");
    if (result > 0) {
        result = stdout_write(prompt, reporter->writer->text, reporter->writer->length);
        return result == 0 ? EXIT_SUCCESS : output_fail(result);
    }
    if (result == 0)
        log_line('E', "nothing to report: %s", explain_nothing(reporter->rapl));
    else
        log_line('E', "cannot report: %s", strerror(-result));
    return EXIT_FAILURE;
}

/* --- a report for each prompt ---------------------------------------------------------------- */

/*
 * Returns until when a report is delayed; 0: not at all. Without fields for energy or health, a
 * report without power would be empty, so it waits for power. The first report waits as long as
 * counters that move often need: Telegraf prompts at once, and "telegraf --test" never again, so
 * the user would not see any watts. After stdin has ended, no report waits for counters that move
 * seldom.
 */
static uint64_t put_off_until_ns(const struct reporter *reporter, bool first, uint64_t begin_ns) {
    const struct line_fields *fields = &reporter->options->fields;
    const bool empty = !fields->energy && !fields->health;
    const bool waits = empty && !reporter->prompt->stop;
    if (waits && rapl_expects_power(reporter->rapl) && clock_now_ns() < begin_ns + POWER_LONGEST_NS)
        return begin_ns + POWER_LONGEST_NS;
    return first || empty ? rapl_power_ready_ns(reporter->rapl) : 0;
}

/* Returns the time until the next report; UINT64_MAX: until a prompt. A report requested before
 * stdin ended is the last one and is delayed like others. One that was not requested is not
 * delayed. */
static uint64_t time_to_report_ns(const struct reporter *reporter, bool first, uint64_t begin_ns) {
    if (!reporter->prompt->asked)
        return reporter->prompt->stop ? 0 : UINT64_MAX;
    const uint64_t ready_ns = put_off_until_ns(reporter, first, begin_ns);
    const uint64_t now_ns = ready_ns > 0 ? clock_now_ns() : 0;
    return ready_ns > now_ns ? ready_ns - now_ns : 0;
}

/* Errors are those of stdout_write(), and -ENOMEM. */
static int give_report(const struct reporter *reporter) {
    uint64_t stalls;
    const int result = format_report(reporter, &stalls);
    sandbox_narrow(reporter->locked, reporter->rapl);
    sandbox_log();
    if (result < 0 || reporter->writer->length == 0)
        return result < 0 ? result : 0;
    return stdout_write(reporter->prompt, reporter->writer->text, reporter->writer->length);
}

/* Returns whether any prompt can be expected. */
static bool begin(const struct reporter *reporter) {
    struct prompt *prompt = reporter->prompt;
    prompt_look(prompt);
    if (prompt->stop && !prompt->asked && prompt->error == 0)
        log_line('I', "stdin is at its end, so nothing can ask for a report. Fix: "
                      "rapl-execd --interval=10s reports by its own clock, --once once");
    else if (isatty(STDIN_FILENO) && reporter->options->interval_ns == 0)
        log_line('I', "Waiting for a newline on stdin: each gives a report (--once gives one, "
                      "--check a table)");
    return !prompt->stop || prompt->asked;
}

int reporter_run(const struct reporter *reporter) {
    struct prompt *prompt = reporter->prompt;
    const uint64_t begin_ns = clock_now_ns();
    bool out_of_memory = false;
    bool first = true;
    bool goes_on = begin(reporter);
    while (goes_on) {
        const uint64_t timeout_ns = time_to_report_ns(reporter, first, begin_ns);
        if (timeout_ns > 0) {
            wait_for_prompt(reporter->rapl, prompt, timeout_ns);
            continue;
        }
        goes_on = !prompt->stop;
        prompt->asked = false;
        first = false;
        const int result = give_report(reporter);
        if (result == -EPIPE || result == -ECANCELED)
            return end_of_prompts(prompt);
        if (result == -ENOMEM && !out_of_memory)
            log_line('E', "cannot report: %s", strerror(-result));
        out_of_memory = result == -ENOMEM;
        if (result < 0 && result != -ENOMEM)
            return output_fail(result);
    }
    output_finish();
    return end_of_prompts(prompt);
}
