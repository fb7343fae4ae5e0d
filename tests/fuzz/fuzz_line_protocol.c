/* SPDX-License-Identifier: MIT */
/* Reports with any content as line protocol, parsed by the rules that InfluxDB documents. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "line_protocol.h"
#include "zone/zone.h"

#define TAGS 4
#define VALUES 6
#define KEYS 16

/* --- reading back ---------------------------------------------------------------------------- */

struct pair {
    char key[512];
    char value[512];
};

struct line {
    char measurement[64];
    struct pair tags[KEYS];
    size_t tag_count;
    struct pair fields[KEYS];
    size_t field_count;
    uint64_t time_ns;
};

/* Reads up to the first unescaped end character. A backslash before any other character is
 * literal. */
static const char *read_escaped(const char *at, const char *ends, char text[512]) {
    size_t length = 0;
    for (; *at != '\0' && strchr(ends, *at) == NULL; at++) {
        if (*at == '\\' && at[1] != '\0' && strchr(", =", at[1]) != NULL)
            at++;
        HOLDS((unsigned char)*at >= 0x20 && *at != 0x7f && length + 1 < 512);
        text[length++] = *at;
    }
    text[length] = '\0';
    HOLDS(length > 0);
    return at;
}

static const char *read_pairs(const char *at, struct pair *pairs, size_t *count) {
    HOLDS(*count < KEYS);
    struct pair *pair = &pairs[(*count)++];
    at = read_escaped(at, ",= ", pair->key);
    HOLDS(*at == '=');
    at = read_escaped(at + 1, ", ", pair->value);
    return *at == ',' ? read_pairs(at + 1, pairs, count) : at;
}

static const char *read_line(const char *at, struct line *line) {
    char text[512];
    char *end;
    *line = (struct line){.tag_count = 0};
    at = read_escaped(at, ", ", text);
    snprintf(line->measurement, sizeof(line->measurement), "%.60s", text);
    HOLDS(*at == ',');
    at = read_pairs(at + 1, line->tags, &line->tag_count);
    HOLDS(*at == ' ');
    at = read_pairs(at + 1, line->fields, &line->field_count);
    HOLDS(*at == ' ' && at[1] >= '0' && at[1] <= '9');
    line->time_ns = strtoull(at + 1, &end, 10);
    HOLDS(*end == '\n');
    for (size_t i = 1; i < line->tag_count; i++)
        HOLDS(strcmp(line->tags[i - 1].key, line->tags[i].key) < 0);
    return end + 1;
}

static const char *find(const struct pair *pairs, size_t count, const char *key) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(pairs[i].key, key) == 0)
            return pairs[i].value;
    }
    return NULL;
}

/* --- comparison with the input ---------------------------------------------------------------- */

static void check_id(const struct line *line, const char *key, int id) {
    char text[16];
    const char *value = find(line->tags, line->tag_count, key);
    snprintf(text, sizeof(text), "%d", id);
    HOLDS(id == RAPL_NO_ID ? value == NULL : value != NULL && strcmp(value, text) == 0);
}

static void check_user_tags(const struct line *line, const struct tag *tags, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const char *value = find(line->tags, line->tag_count, tags[i].key);
        HOLDS(value != NULL && strcmp(value, tags[i].value) == 0);
    }
}

static void check_watts(const char *text, uint64_t power_uw) {
    static const char pattern[] = "(0|[1-9][0-9]*)\\.[0-9]{3}";
    HOLDS(text != NULL && matches(text, pattern));
    /* of at most 2^63 uW */
    const uint64_t read_uw =
        strtoull(text, NULL, 10) * 1000000 + strtoull(strchr(text, '.') + 1, NULL, 10) * 1000;
    HOLDS(read_uw <= power_uw + 500 && power_uw <= read_uw + 500);
}

/* Returns the number of fields. */
static size_t check_statistics(const struct line *line, unsigned int chosen,
                               const struct rapl_value *value) {
    const struct rapl_statistics *given = &value->statistics;
    const struct {
        enum rapl_statistic bit;
        const char *key;
        uint64_t power_uw;
    } known[] = {{RAPL_STATISTIC_MIN, "power_min_watts", given->min_uw},
                 {RAPL_STATISTIC_MAX, "power_max_watts", given->max_uw},
                 {RAPL_STATISTIC_STDDEV, "power_stddev_watts", given->stddev_uw},
                 {RAPL_STATISTIC_P50, "power_p50_watts", given->p50_uw},
                 {RAPL_STATISTIC_P95, "power_p95_watts", given->p95_uw},
                 {RAPL_STATISTIC_P99, "power_p99_watts", given->p99_uw}};
    char text[32];
    size_t told = 0;
    if (!value->has_statistics || chosen == 0)
        return 0;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if ((chosen & known[i].bit) == 0 || given->samples == 0)
            continue;
        check_watts(find(line->fields, line->field_count, known[i].key), known[i].power_uw);
        told++;
    }
    const char *samples = find(line->fields, line->field_count, "samples");
    snprintf(text, sizeof(text), "%" PRIu64 "i", given->samples);
    HOLDS(samples != NULL && strcmp(samples, text) == 0);
    return told + 1;
}

static void check_value(const struct line *line, const struct line_writer *writer,
                        const struct rapl_value *value, uint64_t time_ns) {
    static const char joules_pattern[] = "(0|[1-9][0-9]*)\\.[0-9]{6}";
    char text[64];
    HOLDS(strcmp(line->measurement, "rapl") == 0 && line->time_ns == time_ns);
    const char *domain = find(line->tags, line->tag_count, "domain");
    HOLDS(domain != NULL && strcmp(domain, value->domain) == 0);
    check_id(line, "package_id", value->package_id);
    check_id(line, "die_id", value->die_id);
    check_id(line, "core_id", value->core_id);
    HOLDS(line->tag_count == writer->tag_count + 1 + (value->package_id != RAPL_NO_ID) +
                                 (value->die_id != RAPL_NO_ID) + (value->core_id != RAPL_NO_ID));
    const char *joules = find(line->fields, line->field_count, "energy_joules");
    const char *watts = find(line->fields, line->field_count, "power_watts");
    HOLDS((joules != NULL) == writer->fields.energy && (watts != NULL) == value->has_power);
    HOLDS(line->field_count == (joules != NULL ? 1U : 0U) + (watts != NULL ? 1U : 0U) +
                                   check_statistics(line, writer->fields.statistics, value));
    if (joules != NULL) {
        snprintf(text, sizeof(text), "%" PRIu64 ".%06" PRIu64, value->energy_uj / 1000000,
                 value->energy_uj % 1000000);
        HOLDS(matches(joules, joules_pattern) && strcmp(joules, text) == 0);
    }
    if (watts != NULL)
        check_watts(watts, value->power_uw);
}

static void check_health(const struct line *line, const struct rapl_report *report) {
    struct rapl_count counts[RAPL_HEALTH_COUNTS];
    char text[32];
    rapl_health_list(&report->health, counts);
    HOLDS(strcmp(line->measurement, "rapl_health") == 0 && line->time_ns == report->time_ns);
    HOLDS(line->field_count == RAPL_HEALTH_COUNTS);
    for (size_t i = 0; i < RAPL_HEALTH_COUNTS; i++) {
        const char *count = find(line->fields, line->field_count, counts[i].name);
        snprintf(text, sizeof(text), "%" PRIu64 "i", counts[i].count);
        HOLDS(count != NULL && strcmp(count, text) == 0);
    }
}

static void check_text(const struct line_writer *writer, const struct rapl_report *report) {
    struct line line;
    char *text = strndup(writer->length > 0 ? writer->text : "", writer->length);
    HOLDS(text != NULL && strlen(text) == writer->length);
    const char *at = text;
    size_t lines = 0;
    for (size_t i = 0; i < report->value_count; i++) {
        if (!writer->fields.energy && !report->values[i].has_power)
            continue;
        at = read_line(at, &line);
        check_value(&line, writer, &report->values[i], report->time_ns);
        check_user_tags(&line, writer->tags, writer->tag_count);
        lines++;
    }
    HOLDS(writer->series_count == lines);
    if (writer->fields.health) {
        at = read_line(at, &line);
        check_health(&line, report);
        check_user_tags(&line, writer->tags, writer->tag_count);
    }
    HOLDS(*at == '\0');
    free(text);
}

/* --- input ------------------------------------------------------------------------------------ */

/* Only tags that the command line accepts. */
static size_t take_tags(struct input *input, struct tag tags[TAGS]) {
    size_t count = 0;
    for (size_t i = take_byte(input) % (TAGS + 1); i > 0; i--) {
        struct tag tag = {.key = take_text(input), .value = take_text(input)};
        bool fits = line_check_tag(tag.key, tag.value) == NULL && strlen(tag.key) < 200 &&
                    strlen(tag.value) < 200;
        for (size_t j = 0; j < count; j++)
            fits = fits && strcmp(tags[j].key, tag.key) != 0;
        if (fits) {
            tags[count++] = tag;
        } else {
            free(tag.key);
            free(tag.value);
        }
    }
    return count;
}

static int take_id(struct input *input) {
    const uint8_t kind = take_byte(input);
    if (kind % 4 == 0)
        return RAPL_NO_ID;
    return kind % 4 == 1 ? kind : (int)(take_number(input) & INT32_MAX);
}

/* A series keeps its identity: the writer may remember it from the last report. */
static void take_series(struct input *input, struct rapl_value *value, size_t series,
                        struct zone_identity *identity) {
    char *name = take_text(input);
    if (zone_identify(name, NULL, identity) != 0)
        HOLDS(zone_identify("dram", NULL, identity) == 0);
    free(name);
    *value = (struct rapl_value){.series = series,
                                 .name = identity->domain,
                                 .parent = "",
                                 .domain = identity->domain,
                                 .package_id = take_id(input),
                                 .die_id = take_id(input),
                                 .core_id = take_id(input)};
}

static uint64_t take_power(struct input *input, uint8_t kind) {
    return take_number(input) >> (1 + kind % 63);
}

static void take_numbers(struct input *input, struct rapl_value *value) {
    const uint8_t kind = take_byte(input);
    value->has_power = kind % 2 != 0;
    value->energy_uj = take_number(input) >> kind % 64;
    value->power_uw = take_power(input, kind);
    value->has_statistics = kind % 4 == 3;
    if (!value->has_statistics)
        return;
    value->statistics = (struct rapl_statistics){.samples = take_number(input) >> kind % 64,
                                                 .min_uw = take_power(input, kind),
                                                 .max_uw = take_power(input, kind),
                                                 .stddev_uw = take_power(input, kind),
                                                 .p50_uw = take_power(input, kind),
                                                 .p95_uw = take_power(input, kind),
                                                 .p99_uw = take_power(input, kind)};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct tag tags[TAGS];
    struct zone_identity identities[VALUES];
    struct rapl_value known[VALUES];
    struct line_writer writer;
    const uint8_t kind = take_byte(&input);
    const size_t tag_count = take_tags(&input, tags);
    const size_t count = take_byte(&input) % (VALUES + 1);
    for (size_t i = 0; i < count; i++)
        take_series(&input, &known[i], i, &identities[i]);
    line_writer_open(&writer, tags, tag_count,
                     (struct line_fields){
                         .energy = kind % 2 != 0, .health = kind % 4 >= 2, .statistics = kind / 4});
    /* Each series is in some of the reports. */
    for (int i = 0; i < 3; i++) {
        struct rapl_value values[VALUES];
        struct rapl_report report = {.time_ns = take_number(&input) >> 1, .values = values};
        report.health =
            (struct rapl_health){"powercap", take_number(&input) >> 1, 1, 2, 3, 4, 5, 6, 7, 8, 9};
        const uint8_t silent = take_byte(&input);
        for (size_t j = 0; j < count; j++) {
            take_numbers(&input, &known[j]);
            if ((silent >> j & 1) == 0)
                values[report.value_count++] = known[j];
        }
        HOLDS(line_writer_format(&writer, &report) == 0);
        check_text(&writer, &report);
    }
    line_writer_close(&writer);
    for (size_t i = 0; i < tag_count; i++) {
        free(tags[i].key);
        free(tags[i].value);
    }
    return 0;
}
