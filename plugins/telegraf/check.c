/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monotonic.h"
#include "stdout_write.h"
#include "waiting.h"

/* Counters that have not moved by then are shown as such: most move at least once a second. */
#define LONGEST_NS UINT64_C(1200000000)

/* The table has a header and one row per zone. */
enum {
    COLUMN_ID,
    COLUMN_NAME,
    COLUMN_UNIT,
    COLUMN_RANGE,
    COLUMN_CEILING,
    COLUMN_POWER,
    COLUMN_READS,
    COLUMNS
};

struct row {
    char cells[COLUMNS][96];
};

/* Prints one line and makes it printable: the names of the root and of files are chosen by
 * users. */
static void __attribute__((format(printf, 2, 3))) print_line(FILE *out, const char *format, ...) {
    char line[PATH_MAX + 2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    rapl_make_printable(line);
    fprintf(out, "%s\n", line);
}

static const struct rapl_value *find_value(const struct rapl_report *report, const char *name) {
    for (size_t i = 0; report != NULL && i < report->value_count; i++) {
        if (strcmp(report->values[i].name, name) == 0)
            return &report->values[i];
    }
    return NULL;
}

static void word_power(const struct rapl_value *value, char *text, size_t size) {
    if (value != NULL && value->has_power)
        snprintf(text, size, "%" PRIu64 ".%03" PRIu64 " W", value->power_uw / 1000000,
                 value->power_uw / 1000 % 1000);
    else
        snprintf(text, size, "-");
}

static void word_state(const struct rapl_zone *zone, char *text, size_t size) {
    if (zone->error != 0)
        snprintf(text, size, "no: %s", rapl_error_text(zone->error));
    else if (zone->mirrors != NULL)
        snprintf(text, size, "yes, shown by %s", zone->mirrors);
    else if (!zone->reported)
        snprintf(text, size, "yes, not selected");
    else
        snprintf(text, size, "yes%s%s", zone->corrected ? ", unit corrected" : "",
                 zone->moved ? "" : ", has not moved so far");
}

static void fill_row(const struct rapl_zone *zone, const struct rapl_report *report,
                     struct row *row) {
    const bool shows = zone->error == 0 && zone->reported && zone->mirrors == NULL;
    const size_t size = sizeof(row->cells[0]);
    snprintf(row->cells[COLUMN_ID], size, "%s", zone->id);
    snprintf(row->cells[COLUMN_NAME], size, "%s", zone->name);
    snprintf(row->cells[COLUMN_UNIT], size, "-");
    snprintf(row->cells[COLUMN_RANGE], size, "-");
    snprintf(row->cells[COLUMN_CEILING], size, "-");
    if (zone->range_uj > 0) {
        snprintf(row->cells[COLUMN_UNIT], size, "%" PRIu64 ".%03" PRIu64 " uJ",
                 zone->unit_nj / 1000, zone->unit_nj % 1000);
        snprintf(row->cells[COLUMN_RANGE], size, "%" PRIu64 ".%" PRIu64 " J",
                 zone->range_uj / 1000000, zone->range_uj / 100000 % 10);
    }
    if (zone->ceiling_uw > 0)
        snprintf(row->cells[COLUMN_CEILING], size, "%" PRIu64 " W", zone->ceiling_uw / 1000000);
    word_power(shows ? find_value(report, zone->name) : NULL, row->cells[COLUMN_POWER], size);
    word_state(zone, row->cells[COLUMN_READS], size);
}

static void widen(const struct row *row, int widths[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++) {
        const int width = (int)strlen(row->cells[i]);
        if (width > widths[i])
            widths[i] = width;
    }
}

static void print_row(FILE *out, const struct row *row, const int widths[COLUMNS]) {
    char line[sizeof(row->cells) + (size_t)2 * COLUMNS];
    int length = 0;
    for (int i = 0; i < COLUMN_READS; i++) {
        const bool is_number = i >= COLUMN_UNIT;
        length += snprintf(line + length, sizeof(line) - (size_t)length, "%*s  ",
                           is_number ? widths[i] : -widths[i], row->cells[i]);
    }
    print_line(out, "%s%s", line, row->cells[COLUMN_READS]);
}

static void print_zones(FILE *out, const struct rapl *rapl, const struct rapl_report *report) {
    static const struct row header = {
        .cells = {"KERNEL ID", "ZONE", "UNIT", "RANGE", "CEILING", "POWER", "READS"}};
    const size_t count = rapl_zone_count(rapl);
    int widths[COLUMNS] = {0};
    struct rapl_zone zone;
    struct row row;
    widen(&header, widths);
    for (size_t i = 0; i < count; i++) {
        rapl_zone(rapl, i, &zone);
        fill_row(&zone, report, &row);
        widen(&row, widths);
    }
    if (count > 0)
        print_row(out, &header, widths);
    for (size_t i = 0; i < count; i++) {
        rapl_zone(rapl, i, &zone);
        fill_row(&zone, report, &row);
        print_row(out, &row, widths);
    }
}

/* Prints nothing if the processor has no energy filter. */
static void print_filter(FILE *out, const struct rapl *rapl) {
    bool filtering = false;
    const int error = rapl_energy_filter(rapl, &filtering);
    if (error == -ENOTSUP)
        return;
    if (error != 0)
        print_line(out, "filter   cannot be read from the registers: %s", rapl_error_text(error));
    else
        print_line(out, "filter   %s",
                   filtering ? "on: the processor blurs its counters (SGX); means over "
                               "seconds hold, short ones do not"
                             : "off");
}

static void print_lock(FILE *out, const struct sandbox *locked) {
    const char *line = locked->off;
    print_line(out, "locked   %s", locked->on);
    while (line[0] != '\0') {
        const size_t length = strcspn(line, "\n");
        print_line(out, "         %.*s", (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

static void print_total(FILE *out, const struct rapl_report *report) {
    char power[32];
    const struct rapl_value *total = find_value(report, "total");
    if (total == NULL || !total->has_power)
        return;
    word_power(total, power, sizeof(power));
    print_line(out, "total    %s", power);
}

static void print_problems(FILE *out, struct rapl *rapl) {
    struct rapl_problem problem;
    while (rapl_next_problem(rapl, &problem)) {
        if (problem.severity == RAPL_INFO)
            continue; /* The source is already printed above. */
        print_line(out, "%s", "");
        print_line(out, "%s", problem.reason);
        if (problem.remedy[0] != '\0')
            print_line(out, "  fix: %s", problem.remedy);
    }
}

/* report: NULL if memory ran out. */
static int find_status(const struct rapl *rapl, const struct rapl_report *report) {
    struct rapl_zone zone;
    if (rapl_readable_count(rapl) == 0)
        return EXIT_FAILURE;
    for (size_t i = 0; i < rapl_zone_count(rapl); i++) {
        rapl_zone(rapl, i, &zone);
        if (zone.failed)
            return CHECK_SOME_FAILED;
    }
    const bool nothing_is_selected = report != NULL && report->value_count == 0;
    return nothing_is_selected ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int print_all(FILE *out, struct rapl *rapl, const struct rapl_report *report,
                     const char *rights, const struct sandbox *locked) {
    const size_t readable = rapl_readable_count(rapl);
    const char *reason = rapl_source_reason(rapl);
    print_line(out, "source   %s, below %s",
               readable > 0 ? rapl_source_name(rapl) : "none that reads", rapl_root(rapl));
    if (reason[0] != '\0')
        print_line(out, "         %s", reason);
    print_line(out, "vendor   %s%s", rapl_vendor(rapl),
               rapl_is_virtual(rapl) ? ", in a virtual machine" : "");
    print_line(out, "rights   %s", rights);
    print_lock(out, locked);
    print_filter(out, rapl);
    print_line(out, "energy   %zu of %zu zones can be read", readable, rapl_zone_count(rapl));
    print_total(out, report);
    print_line(out, "%s", "");
    print_zones(out, rapl, report);
    print_problems(out, rapl);
    return find_status(rapl, report);
}

int check_run(struct rapl *rapl, struct prompt *prompt, const char *rights,
              const struct sandbox *locked) {
    const struct rapl_report *report = NULL;
    char *text = NULL;
    size_t length = 0;
    wait_for_table(rapl, prompt, clock_now_ns() + LONGEST_NS);
    if (rapl_report(rapl, &report) != 0)
        report = NULL;
    FILE *out = open_memstream(&text, &length);
    int status = out != NULL ? print_all(out, rapl, report, rights, locked) : EXIT_FAILURE;
    const bool is_whole = out != NULL && fclose(out) == 0;
    const int error = is_whole ? stdout_write(prompt, text, length) : -ENOMEM;
    if (error != 0)
        status = output_fail(error);
    free(text);
    return status;
}
