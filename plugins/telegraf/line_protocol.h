/* SPDX-License-Identifier: MIT */
/* Formats a report as InfluxDB line protocol. */
#ifndef RAPL_LINE_PROTOCOL_H
#define RAPL_LINE_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "rapl.h"

struct tag {
    char *key;
    char *value;
};

/* Returns what is wrong with a user's tag, as text that follows its name; NULL: nothing. */
const char *line_check_tag(const char *key, const char *value);

/* Fields that lines contain besides power. */
struct line_fields {
    bool energy;
    bool health;             /* a separate line */
    unsigned int statistics; /* bits of enum rapl_statistic; any adds the sample count */
};

struct line_writer {
    const struct tag *tags;
    size_t tag_count;
    struct line_fields fields;
    char **prefixes; /* measurement and tags, made once; indexed by series */
    size_t prefix_count;
    char *health_prefix;
    char end[24];   /* the timestamp that ends every line of the last report */
    size_t longest; /* upper bound of the length of a report */
    char *text;
    size_t text_size;
    size_t length;       /* of the last report */
    size_t series_count; /* series in the last report */
};

/* The tags are borrowed and must outlive the writer. */
void line_writer_open(struct line_writer *writer, const struct tag *tags, size_t tag_count,
                      struct line_fields fields);

/* Formats the report into text and length; length is 0 if the report is empty. -ENOMEM. */
int line_writer_format(struct line_writer *writer, const struct rapl_report *report);

void line_writer_close(struct line_writer *writer);

#endif
