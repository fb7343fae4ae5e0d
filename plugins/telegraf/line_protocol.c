/* SPDX-License-Identifier: MIT */
#include "line_protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Space for the fields of a line: two numbers of 20 digits, their names and a timestamp.
 * STATISTICS_MAX is added for the statistics and their sample count. */
#define FIELDS_MAX 160
#define STATISTICS_MAX ((RAPL_STATISTICS + 1) * (size_t)48)
#define HEALTH_FIELDS_MAX 360

/* --- tags ------------------------------------------------------------------------------------ */

static bool holds_control(const char *text) {
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    }
    return false;
}

static bool ends_in_backslash(const char *text) {
    return text[0] != '\0' && text[strlen(text) - 1] == '\\';
}

/* If a text contains an escaped character, Telegraf's parser also turns \" into " (escape.go). */
static bool loses_backslash(const char *text) {
    return strstr(text, "\\\"") != NULL && strpbrk(text, ", =") != NULL;
}

/* Reserved: the tags and fields of this plugin, the tag that Telegraf adds, and the names that
 * InfluxDB uses itself. */
static bool is_taken(const char *key) {
    static const char *const taken[] = {"domain",
                                        "package_id",
                                        "die_id",
                                        "core_id",
                                        "zone_id",
                                        "source",
                                        "host",
                                        "energy_joules",
                                        "power_watts",
                                        "power_min_watts",
                                        "power_max_watts",
                                        "power_p50_watts",
                                        "power_p95_watts",
                                        "power_p99_watts",
                                        "power_stddev_watts",
                                        "samples",
                                        "time",
                                        "_field",
                                        "_measurement"};
    const struct rapl_health none = {.source = NULL};
    struct rapl_count counts[RAPL_HEALTH_COUNTS];
    bool found = false;
    rapl_health_list(&none, counts);
    for (size_t i = 0; i < RAPL_HEALTH_COUNTS; i++)
        found = found || strcmp(key, counts[i].name) == 0;
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        found = found || strcmp(key, taken[i]) == 0;
    return found;
}

const char *line_check_tag(const char *key, const char *value) {
    if (key[0] == '\0')
        return "has no key";
    if (value[0] == '\0')
        return "has an empty value, which line protocol cannot hold";
    if (is_taken(key))
        return "has a key that is set by rapl-execd, Telegraf or InfluxDB itself";
    if (holds_control(key) || holds_control(value))
        return "holds a newline or control character";
    if (ends_in_backslash(key) || ends_in_backslash(value))
        return "ends in a backslash, which line protocol cannot hold";
    if (loses_backslash(key) || loses_backslash(value))
        return "holds \\\" and one of comma, space and =: Telegraf would lose the backslash";
    return NULL;
}

struct tag_view {
    const char *key;
    const char *value;
};

static int compare_tags(const void *a, const void *b) {
    return strcmp(((const struct tag_view *)a)->key, ((const struct tag_view *)b)->key);
}

static void write_escaped(FILE *to, const char *text) {
    for (; *text != '\0'; text++) {
        if (*text == ',' || *text == '=' || *text == ' ')
            fputc('\\', to);
        fputc(*text, to);
    }
}

/* Returns "measurement,tags " with the tags sorted by bytes; NULL if memory ran out. */
static char *make_prefix(const char *measurement, struct tag_view *tags, size_t count) {
    char *prefix = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&prefix, &size);
    if (to == NULL)
        return NULL;
    qsort(tags, count, sizeof(*tags), compare_tags);
    fputs(measurement, to);
    for (size_t i = 0; i < count; i++) {
        fputc(',', to);
        write_escaped(to, tags[i].key);
        fputc('=', to);
        write_escaped(to, tags[i].value);
    }
    fputc(' ', to);
    bool failed = ferror(to) != 0;
    if (fclose(to) == 0 && !failed)
        return prefix;
    free(prefix);
    return NULL;
}

#define ID_SIZE ((size_t)16)

static void add_id(struct tag_view *tags, size_t *count, const char *key, int id,
                   char text[ID_SIZE]) {
    if (id == RAPL_NO_ID)
        return;
    snprintf(text, ID_SIZE, "%d", id);
    tags[(*count)++] = (struct tag_view){.key = key, .value = text};
}

/* Merges the tags of this plugin and of the user into the prefix of a line. */
static char *make_line_prefix(const struct line_writer *writer, const char *measurement,
                              const struct tag_view *own, size_t own_count) {
    struct tag_view *tags = calloc(own_count + writer->tag_count + 1, sizeof(*tags));
    if (tags == NULL)
        return NULL;
    memcpy(tags, own, own_count * sizeof(*own));
    for (size_t i = 0; i < writer->tag_count; i++)
        tags[own_count + i] =
            (struct tag_view){.key = writer->tags[i].key, .value = writer->tags[i].value};
    char *prefix = make_prefix(measurement, tags, own_count + writer->tag_count);
    free(tags);
    return prefix;
}

static char *make_series_prefix(const struct line_writer *writer, const struct rapl_value *value) {
    char ids[3][ID_SIZE];
    struct tag_view tags[5] = {{.key = "domain", .value = value->domain}};
    size_t count = 1;
    add_id(tags, &count, "package_id", value->package_id, ids[0]);
    add_id(tags, &count, "die_id", value->die_id, ids[1]);
    add_id(tags, &count, "core_id", value->core_id, ids[2]);
    if (value->zone_id != NULL)
        tags[count++] = (struct tag_view){.key = "zone_id", .value = value->zone_id};
    return make_line_prefix(writer, "rapl", tags, count);
}

static char *make_health_prefix(const struct line_writer *writer, const char *source) {
    const struct tag_view tag = {.key = "source", .value = source};
    return make_line_prefix(writer, "rapl_health", &tag, 1);
}

/* --- lines ----------------------------------------------------------------------------------- */

void line_writer_open(struct line_writer *writer, const struct tag *tags, size_t tag_count,
                      struct line_fields fields) {
    *writer = (struct line_writer){.tags = tags, .tag_count = tag_count, .fields = fields};
}

static int grow_text(struct line_writer *writer, size_t more) {
    writer->longest += more;
    if (writer->longest <= writer->text_size)
        return 0;
    char *text = realloc(writer->text, writer->longest);
    if (text == NULL)
        return -ENOMEM;
    writer->text = text;
    writer->text_size = writer->longest;
    return 0;
}

/* Makes the prefix of a series when it is first seen. -ENOMEM. */
static int meet_series(struct line_writer *writer, const struct rapl_value *value) {
    if (value->series < writer->prefix_count && writer->prefixes[value->series] != NULL)
        return 0;
    if (value->series >= writer->prefix_count) {
        char **prefixes = realloc(writer->prefixes, (value->series + 1) * sizeof(*prefixes));
        if (prefixes == NULL)
            return -ENOMEM;
        for (size_t i = writer->prefix_count; i <= value->series; i++)
            prefixes[i] = NULL;
        writer->prefixes = prefixes;
        writer->prefix_count = value->series + 1;
    }
    char *prefix = make_series_prefix(writer, value);
    if (prefix == NULL || grow_text(writer, strlen(prefix) + FIELDS_MAX + STATISTICS_MAX) != 0) {
        free(prefix);
        return -ENOMEM;
    }
    writer->prefixes[value->series] = prefix;
    return 0;
}

static char *put_number(char *to, uint64_t number, int least_digits) {
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || count < least_digits);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

/* Writes a fixed-point number: number / one as whole.fraction. */
static char *put_fraction(char *to, uint64_t number, uint64_t one, int digits) {
    to = put_number(to, number / one, 1);
    *to++ = '.';
    return put_number(to, number % one, digits);
}

static char *put_watts(char *to, uint64_t power_uw) {
    return put_fraction(to, power_uw / 1000 + (power_uw % 1000 >= 500 ? 1 : 0), 1000, 3);
}

static char *put_statistics(const struct line_writer *writer, const struct rapl_value *value,
                            char *to) {
    struct rapl_power powers[RAPL_STATISTICS];
    const size_t count = rapl_statistics_list(value, writer->fields.statistics, powers);
    for (size_t i = 0; i < count; i++) {
        to = stpcpy(to, ",power_");
        to = stpcpy(to, powers[i].name);
        to = stpcpy(to, "_watts=");
        to = put_watts(to, powers[i].power_uw);
    }
    to = stpcpy(to, ",samples=");
    to = put_number(to, value->statistics.samples, 1);
    *to++ = 'i';
    return to;
}

static char *put_value(struct line_writer *writer, const struct rapl_value *value, char *to) {
    if (!writer->fields.energy && !value->has_power)
        return to;
    writer->series_count++;
    to = stpcpy(to, writer->prefixes[value->series]);
    if (writer->fields.energy) {
        to = stpcpy(to, "energy_joules=");
        to = put_fraction(to, value->energy_uj, 1000000, 6);
    }
    if (writer->fields.energy && value->has_power)
        *to++ = ',';
    if (value->has_power) {
        to = stpcpy(to, "power_watts=");
        to = put_watts(to, value->power_uw);
    }
    if (value->has_statistics && writer->fields.statistics != 0)
        to = put_statistics(writer, value, to);
    return stpcpy(to, writer->end);
}

static char *put_health(const struct line_writer *writer, const struct rapl_report *report,
                        char *to) {
    struct rapl_count counts[RAPL_HEALTH_COUNTS];
    rapl_health_list(&report->health, counts);
    to = stpcpy(to, writer->health_prefix);
    for (size_t i = 0; i < RAPL_HEALTH_COUNTS; i++) {
        if (i > 0)
            *to++ = ',';
        to = stpcpy(to, counts[i].name);
        *to++ = '=';
        to = put_number(to, counts[i].count, 1);
        *to++ = 'i';
    }
    return stpcpy(to, writer->end);
}

int line_writer_format(struct line_writer *writer, const struct rapl_report *report) {
    writer->length = 0;
    writer->series_count = 0;
    for (size_t i = 0; i < report->value_count; i++) {
        int error = meet_series(writer, &report->values[i]);
        if (error != 0)
            return error;
    }
    if (writer->fields.health && writer->health_prefix == NULL) {
        char *prefix = make_health_prefix(writer, report->health.source);
        if (prefix == NULL || grow_text(writer, strlen(prefix) + HEALTH_FIELDS_MAX) != 0) {
            free(prefix);
            return -ENOMEM;
        }
        writer->health_prefix = prefix;
    }
    *writer->end = ' ';
    stpcpy(put_number(writer->end + 1, report->time_ns, 1), "\n");
    char *to = writer->text;
    for (size_t i = 0; i < report->value_count; i++)
        to = put_value(writer, &report->values[i], to);
    if (writer->fields.health)
        to = put_health(writer, report, to);
    writer->length = to != NULL ? (size_t)(to - writer->text) : 0;
    return 0;
}

void line_writer_close(struct line_writer *writer) {
    for (size_t i = 0; i < writer->prefix_count; i++)
        free(writer->prefixes[i]);
    free(writer->prefixes);
    free(writer->health_prefix);
    free(writer->text);
    *writer = (struct line_writer){.text = NULL};
}
