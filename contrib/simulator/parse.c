/* SPDX-License-Identifier: MIT */
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool starts_number(const char *text) {
    return isdigit((unsigned char)text[0]) || (text[0] == '.' && isdigit((unsigned char)text[1]));
}

bool parse_duration_ns(const char *text, uint64_t *ns) {
    static const struct {
        const char *suffix;
        double factor;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
    char *end;
    double value;

    if (!starts_number(text))
        return false;
    value = strtod(text, &end);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(end, units[i].suffix) == 0 && value * units[i].factor <= 1e15) {
            *ns = (uint64_t)llround(value * units[i].factor);
            return true;
        }
    }
    return false;
}

bool parse_quantity(const char *text, double *value) {
    char *end;

    if (!starts_number(text))
        return false;
    *value = strtod(text, &end);
    return *end == '\0' && *value <= 1e12;
}

bool parse_instants(const char *text, uint64_t instants[3]) {
    for (int i = 0; i < 3; i++) {
        char *end;

        if (!isdigit((unsigned char)*text))
            return false;
        errno = 0;
        instants[i] = strtoull(text, &end, 10);
        if (errno != 0 || *end != (i < 2 ? ',' : '\0'))
            return false;
        text = end + 1;
    }
    return instants[0] <= instants[1] && instants[1] < instants[2];
}

bool parse_errno(const char *text, int *number) {
    static const struct {
        const char *name;
        int number;
    } names[] = {{"EPERM", EPERM},   {"ENOENT", ENOENT},   {"EINTR", EINTR},
                 {"EIO", EIO},       {"ENXIO", ENXIO},     {"EAGAIN", EAGAIN},
                 {"ENOMEM", ENOMEM}, {"EACCES", EACCES},   {"EBUSY", EBUSY},
                 {"ENODEV", ENODEV}, {"EINVAL", EINVAL},   {"EMFILE", EMFILE},
                 {"ENOSYS", ENOSYS}, {"ENODATA", ENODATA}, {"ETIMEDOUT", ETIMEDOUT}};
    char *end;
    long value;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, text) == 0) {
            *number = names[i].number;
            return true;
        }
    }
    value = strtol(text, &end, 10);
    /* The kernel accepts only errors from 1 to 511 from a FUSE server. */
    if (end == text || *end != '\0' || value < 1 || value > 511)
        return false;
    *number = (int)value;
    return true;
}
