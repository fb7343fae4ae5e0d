/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A header, and under it one row per zone. */
enum { COLUMN_ID, COLUMN_NAME, COLUMN_UNIT, COLUMN_RANGE, COLUMN_CEILING, COLUMN_READS, COLUMNS };

struct row {
    char cells[COLUMNS][96];
};

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

static void fill_row(const struct rapl_zone *zone, struct row *row) {
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
    word_state(zone, row->cells[COLUMN_READS], size);
}

static void widen(const struct row *row, int widths[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++) {
        const int width = (int)strlen(row->cells[i]);
        if (width > widths[i])
            widths[i] = width;
    }
}

static void print_row(const struct row *row, const int widths[COLUMNS]) {
    for (int i = 0; i < COLUMNS; i++) {
        const bool number = i == COLUMN_UNIT || i == COLUMN_RANGE || i == COLUMN_CEILING;
        if (i == COLUMN_READS)
            printf("%s\n", row->cells[i]);
        else
            printf("%*s  ", number ? widths[i] : -widths[i], row->cells[i]);
    }
}

static void print_zones(const struct rapl *rapl) {
    static const struct row header = {
        .cells = {"KERNEL ID", "ZONE", "UNIT", "RANGE", "CEILING", "READS"}};
    const size_t count = rapl_zone_count(rapl);
    int widths[COLUMNS] = {0};
    struct rapl_zone zone;
    struct row row;
    widen(&header, widths);
    for (size_t i = 0; i < count; i++) {
        rapl_zone(rapl, i, &zone);
        fill_row(&zone, &row);
        widen(&row, widths);
    }
    if (count > 0)
        print_row(&header, widths);
    for (size_t i = 0; i < count; i++) {
        rapl_zone(rapl, i, &zone);
        fill_row(&zone, &row);
        print_row(&row, widths);
    }
}

/* Nothing of a processor that has no such filter. */
static void print_filter(const struct rapl *rapl) {
    bool filtering = false;
    const int error = rapl_energy_filter(rapl, &filtering);
    if (error == -ENOTSUP)
        return;
    if (error != 0)
        printf("filter   cannot be read from the registers: %s\n", rapl_error_text(error));
    else
        printf("filter   %s\n", filtering
                                    ? "on: the processor blurs its counters (SGX); means over "
                                      "seconds hold, short ones do not"
                                    : "off");
}

static void print_lock(const struct lock_in *locked) {
    const char *line = locked->off;
    printf("locked   %s\n", locked->on);
    while (line[0] != '\0') {
        const size_t length = strcspn(line, "\n");
        printf("         %.*s\n", (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
}

bool check_print(struct rapl *rapl, const char *rights, const struct lock_in *locked) {
    const size_t readable = rapl_readable_count(rapl);
    struct rapl_problem problem;
    const char *reason = rapl_source_reason(rapl);
    printf("source   %s, below %s\n", readable > 0 ? rapl_source_name(rapl) : "none that reads",
           rapl_root(rapl));
    if (reason[0] != '\0')
        printf("         %s\n", reason);
    printf("vendor   %s%s\n", rapl_vendor(rapl),
           rapl_is_virtual(rapl) ? ", in a virtual machine" : "");
    printf("rights   %s\n", rights);
    print_lock(locked);
    print_filter(rapl);
    printf("energy   %zu of %zu zones can be read\n\n", readable, rapl_zone_count(rapl));
    print_zones(rapl);
    while (rapl_next_problem(rapl, &problem)) {
        if (problem.severity == RAPL_INFO)
            continue; /* the source, above */
        printf("\n%s\n", problem.reason);
        if (problem.remedy[0] != '\0')
            printf("  to mend it: %s\n", problem.remedy);
    }
    return readable > 0;
}
