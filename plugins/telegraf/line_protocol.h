/* SPDX-License-Identifier: MIT */
/* A report as InfluxDB line protocol. */
#ifndef RAPL_LINE_PROTOCOL_H
#define RAPL_LINE_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "rapl.h"

struct tag {
    char *key;
    char *value;
};

/* What is wrong with a tag of the user's, as words that follow its name; NULL: nothing. */
const char *line_check_tag(const char *key, const char *value);

/* What lines hold, beside power. */
struct line_fields {
    bool energy;
    bool health;             /* a line of its own */
    unsigned int statistics; /* bits of enum rapl_statistic; the number of samples with them */
};

struct line_writer {
    const struct tag *tags;
    size_t tag_count;
    struct line_fields fields;
    char **prefixes; /* by series: measurement and tags, made once */
    size_t prefix_count;
    char *health_prefix;
    char end[24];   /* of every line of the last report: its time */
    size_t longest; /* what one report can take at most */
    char *text;
    size_t text_size;
    size_t length;       /* of the last report */
    size_t series_count; /* in it */
};

/* The tags stay the caller's, and must outlive the writer. */
void line_writer_open(struct line_writer *writer, const struct tag *tags, size_t tag_count,
                      struct line_fields fields);

/* Puts the report into text and length: nothing where it has nothing to say. -ENOMEM. */
int line_writer_format(struct line_writer *writer, const struct rapl_report *report);

void line_writer_close(struct line_writer *writer);

#endif
