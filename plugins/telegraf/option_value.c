/* SPDX-License-Identifier: MIT */
#include "option_value.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rapl.h"

#define MS_NS UINT64_C(1000000)
#define DAY_NS (UINT64_C(86400000) * MS_NS)

const char *value_read_bool(const char *text, bool *value) {
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(text, words[i]) != 0)
            continue;
        *value = i % 2 == 1;
        return NULL;
    }
    return "is neither yes nor no (true, false, on and off are understood, too)";
}

static bool is_digit(char character) {
    return character >= '0' && character <= '9';
}

/* Reads digits with an optional fraction. Returns the end of the number, or NULL if there are no
 * digits. Fractions of a nanosecond are dropped. */
static const char *read_decimal(const char *text, uint64_t unit_ns, uint64_t *ns) {
    const char *at = text;
    *ns = 0;
    for (; is_digit(*at); at++) {
        if (*ns <= DAY_NS)
            *ns = *ns * 10 + (uint64_t)(*at - '0') * unit_ns;
    }
    if (at == text || *at != '.' || !is_digit(at[1]))
        return at != text ? at : NULL;
    for (at++; is_digit(*at); at++) {
        unit_ns /= 10;
        *ns += (uint64_t)(*at - '0') * unit_ns;
    }
    return at;
}

const char *value_read_duration(const char *text, uint64_t *duration_ns) {
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"ms", MS_NS},
                 {"s", 1000 * MS_NS},
                 {"m", 60000 * MS_NS},
                 {"h", 3600000 * MS_NS},
                 {"d", DAY_NS}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        uint64_t ns;
        const char *end = read_decimal(text, units[i].ns, &ns);
        if (end == NULL || strcmp(end, units[i].name) != 0)
            continue;
        if (ns < MS_NS)
            return "is shorter than 1ms";
        if (ns > DAY_NS)
            return "is longer than a day";
        *duration_ns = ns;
        return NULL;
    }
    return "is not a duration such as 500ms, 1.5s, 10s, 1m, 1h or 1d";
}

const char *value_read_sample_interval(const char *text, uint64_t *interval_ns) {
    *interval_ns = 0;
    if (strcmp(text, "off") == 0 || value_read_duration(text, interval_ns) == NULL)
        return NULL;
    return "is neither off nor a duration of 1ms or more, up to a day";
}

const char *value_read_watts(const char *text, uint64_t *power_uw) {
    char *end;
    const double watts = strtod(text, &end);
    /* strtod() alone would accept a sign, hex, an exponent, inf and nan. */
    const bool plain = text[strspn(text, "0123456789.")] == '\0';
    if (end == text || *end != '\0' || !plain || rapl_max_power_from_watts(watts, power_uw) != 0)
        return "is not a number of watts from 0.001 to 1000000000";
    return NULL;
}

const char *value_read_statistics(const char *text, unsigned int *chosen) {
    char name[16];
    bool all;
    if (value_read_bool(text, &all) == NULL) {
        *chosen = all ? RAPL_STATISTICS_ALL : 0;
        return NULL;
    }
    *chosen = 0;
    for (bool more = true; more;) {
        const size_t length = strcspn(text, ",");
        snprintf(name, sizeof(name), "%.*s", (int)length, text);
        if (rapl_statistics_add(name, chosen) != 0)
            return "is neither yes, no nor a list of min, max, stddev, p50, p95 and p99";
        more = text[length] == ',';
        text += length + (more ? 1 : 0);
    }
    return NULL;
}
