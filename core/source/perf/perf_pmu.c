/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_pmu.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system/error.h"
#include "system/sysfs.h"
#include "system/topology.h"
#include "zone/zone.h"

#define EVENT_PREFIX "energy-"

/* Most unknown events; known ones come on top. */
#define EVENTS_MAX 64

/* --- parsers --------------------------------------------------------------------------------- */

static const char *skip_digits(const char *text) {
    return text + strspn(text, "0123456789");
}

/* Reads at most two digits. */
static const char *read_bit(const char *text, unsigned int *bit) {
    const char *end = skip_digits(text);
    if (end == text || end - text > 2)
        return NULL;
    *bit = (unsigned int)strtoul(text, NULL, 10);
    return *bit < 64 ? end : NULL;
}

int pmu_parse_format(const char *text, struct pmu_field *field) {
    static const char key[] = "config:";
    if (strncmp(text, key, strlen(key)) != 0)
        return PMU_NOT_A_FORMAT;
    text = read_bit(text + strlen(key), &field->first);
    field->last = field->first;
    if (text != NULL && *text == '-')
        text = read_bit(text + 1, &field->last);
    return text != NULL && *text == '\0' && field->first <= field->last ? 0 : PMU_NOT_A_FORMAT;
}

int pmu_parse_event(const char *text, struct pmu_field field, uint64_t *config) {
    static const char key[] = "event=";
    if (strncmp(text, key, strlen(key)) != 0)
        return PMU_NOT_AN_EVENT;
    text += strlen(key);
    const bool hexadecimal = text[0] == '0' && text[1] == 'x';
    const char *digits = hexadecimal ? text + 2 : text;
    const size_t length = strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789");
    /* The most digits that always fit into 64 bits. */
    if (length == 0 || length > (hexadecimal ? 16 : 19) || digits[length] != '\0')
        return PMU_NOT_AN_EVENT;
    const uint64_t number = strtoull(digits, NULL, hexadecimal ? 16 : 10);
    const unsigned int width = field.last - field.first + 1;
    if (width < 64 && number >> width != 0)
        return PMU_NOT_AN_EVENT;
    *config = number << field.first;
    return 0;
}

/* Most decimal digits that always fit into 128 bits. */
#define DIGITS_MAX 38

/* A decimal number as digits * 10^exponent. */
struct decimal {
    rapl_uint128 digits;
    int exponent;
};

static const char *read_digits(const char *text, struct decimal *decimal, int exponent_each) {
    for (; *text >= '0' && *text <= '9'; text++) {
        const rapl_uint128 most = ~(rapl_uint128)0;
        const unsigned int digit = (unsigned int)(*text - '0');
        if (decimal->digits > (most - digit) / 10)
            return NULL;
        decimal->digits = decimal->digits * 10 + digit;
        decimal->exponent += exponent_each;
        if (decimal->exponent < -2 * DIGITS_MAX)
            return NULL;
    }
    return text;
}

static int read_decimal(const char *text, struct decimal *decimal) {
    *decimal = (struct decimal){.digits = 0};
    const char *begin = text;
    text = read_digits(text, decimal, 0);
    if (text == NULL || text == begin)
        return PMU_NOT_A_SCALE;
    if (*text == '.') {
        begin = text + 1;
        text = read_digits(begin, decimal, -1);
        if (text == NULL || text == begin)
            return PMU_NOT_A_SCALE;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        const bool negative = *text == '-';
        text += *text == '-' || *text == '+' ? 1 : 0;
        begin = text;
        text = skip_digits(text);
        if (text == begin || text - begin > 2)
            return PMU_NOT_A_SCALE;
        const int exponent = (int)strtol(begin, NULL, 10);
        decimal->exponent += negative ? -exponent : exponent;
    }
    return *text == '\0' && decimal->digits != 0 ? 0 : PMU_NOT_A_SCALE;
}

static rapl_uint128 find_divisor(rapl_uint128 a, rapl_uint128 b) {
    while (b != 0) {
        const rapl_uint128 rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Rounds to a fraction with a 32-bit numerator and a power of two as denominator, exact to
 * 2^-32. */
static int round_fraction(rapl_uint128 numerator, rapl_uint128 denominator,
                          struct tick_scale *scale) {
    unsigned int shift = 0;
    /* Both keep their first 64 bits if the result is in range. */
    while (numerator >> 96 != 0 || denominator >> 96 != 0) {
        numerator >>= 1;
        denominator >>= 1;
    }
    if (numerator == 0 || denominator == 0)
        return PMU_NOT_A_SCALE;
    for (; numerator < denominator << 31; shift++)
        numerator <<= 1;
    rapl_uint128 rounded = (numerator + denominator / 2) / denominator;
    if (rounded > UINT32_MAX && shift > 0) {
        rounded /= 2;
        shift--;
    }
    if (rounded > UINT32_MAX || shift > 63)
        return PMU_NOT_A_SCALE;
    *scale =
        (struct tick_scale){.numerator_uj = (uint32_t)rounded, .denominator = UINT64_C(1) << shift};
    return 0;
}

int pmu_parse_scale(const char *text, struct tick_scale *scale) {
    struct decimal decimal;
    int error = read_decimal(text, &decimal);
    if (error != 0)
        return error;
    rapl_uint128 numerator = decimal.digits;
    rapl_uint128 denominator = 1;
    int exponent = decimal.exponent + 6; /* joules to microjoules */
    if (exponent < -DIGITS_MAX)
        return PMU_NOT_A_SCALE;
    for (; exponent < 0; exponent++)
        denominator *= 10;
    for (; exponent > 0; exponent--) {
        if (numerator > UINT64_MAX)
            return PMU_NOT_A_SCALE;
        numerator *= 10;
    }
    const rapl_uint128 divisor = find_divisor(numerator, denominator);
    numerator /= divisor;
    denominator /= divisor;
    if (numerator > UINT32_MAX || denominator > UINT64_MAX)
        return round_fraction(numerator, denominator, scale);
    *scale = (struct tick_scale){.numerator_uj = (uint32_t)numerator,
                                 .denominator = (uint64_t)denominator};
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

/* State while a PMU is loaded. */
struct loading {
    int root;
    const char *name; /* name of the PMU */
    struct pmu *pmu;
    struct problems *problems;
    char path[512]; /* the file that was loaded last */
    char line[SYSFS_TEXT_SIZE];
};

static int load_line(struct loading *loading, const char *file, const char *suffix) {
    snprintf(loading->path, sizeof(loading->path), PMU_FOLDER "/%s/%s%s", loading->name, file,
             suffix);
    return sysfs_load_line(loading->root, loading->path, loading->line, sizeof(loading->line));
}

/* Raises a problem and returns 0: the item is skipped. Returns the error if memory or descriptors
 * have run short. */
static int leave_out(struct loading *loading, int error) {
    if (error == 0 || sysfs_ran_short(error))
        return error;
    problems_raise(loading->problems, PROBLEM_PMU_FILE, error, loading->path);
    return 0;
}

static int load_type(struct loading *loading) {
    struct stat status;
    uint64_t type = 0;
    snprintf(loading->path, sizeof(loading->path), PMU_FOLDER "/%s/type", loading->name);
    int file = sysfs_open(loading->root, loading->path);
    if (file < 0)
        return file;
    int error = sysfs_read_number(file, &type);
    if (error == 0 && type > UINT32_MAX)
        error = SYSFS_OUT_OF_RANGE;
    /* The kernel gives out the lowest free type, so a new registration may get the same one. Its
     * file has another inode. */
    if (error == 0 && fstat(file, &status) == 0)
        loading->pmu->registration = (uint64_t)status.st_ino;
    close(file);
    loading->pmu->type = (uint32_t)type;
    return error;
}

/* The bits of config that event= sets; without this file, all of them. */
static int load_format(struct loading *loading, struct pmu_field *field) {
    *field = (struct pmu_field){.first = 0, .last = 63};
    int error = load_line(loading, "format/event", "");
    if (error == -ENOENT)
        return 0;
    return error == 0 ? pmu_parse_format(loading->line, field) : error;
}

/* Grows by powers of two, because a few bytes of text can list thousands of CPUs. */
static int append_cpu(void *context, unsigned int number) {
    struct pmu *pmu = context;
    const size_t count = pmu->cpu_count;
    if ((count & (count - 1)) == 0) {
        unsigned int *cpus = realloc(pmu->cpus, (count > 0 ? 2 * count : 1) * sizeof(*cpus));
        if (cpus == NULL)
            return -ENOMEM;
        pmu->cpus = cpus;
    }
    pmu->cpus[pmu->cpu_count++] = number;
    return 0;
}

static int load_cpus(struct loading *loading) {
    snprintf(loading->path, sizeof(loading->path), PMU_FOLDER "/%s/cpumask", loading->name);
    int error = topology_load_list(loading->root, loading->path, append_cpu, loading->pmu);
    if (error == -ENOENT)
        return 0;
    if (error != 0)
        loading->pmu->cpu_count = 0;
    return leave_out(loading, error == -EINVAL ? SYSFS_NOT_A_NUMBER : error);
}

static int load_event(struct loading *loading, const char *name, struct pmu_field field) {
    struct pmu *pmu = loading->pmu;
    struct pmu_event event = {.name = NULL};
    char file[300];
    snprintf(file, sizeof(file), "events/%s", name);
    int error = load_line(loading, file, ".unit");
    if (error == 0 && strcmp(loading->line, "Joules") != 0)
        error = PMU_NOT_JOULES;
    if (error == 0)
        error = load_line(loading, file, ".scale");
    if (error == 0)
        error = pmu_parse_scale(loading->line, &event.scale);
    if (error == 0)
        error = load_line(loading, file, "");
    if (error == 0)
        error = pmu_parse_event(loading->line, field, &event.config);
    if (error == 0 && strlen(name) - strlen(EVENT_PREFIX) >= ZONE_TEXT_SIZE)
        error = SYSFS_TOO_LONG;
    if (error != 0)
        return leave_out(loading, error);
    struct pmu_event *events = realloc(pmu->events, (pmu->event_count + 1) * sizeof(*events));
    if (events == NULL)
        return -ENOMEM;
    pmu->events = events;
    event.name = strdup(name);
    event.path = strdup(loading->path);
    if (event.name == NULL || event.path == NULL) {
        free(event.name);
        free(event.path);
        return -ENOMEM;
    }
    events[pmu->event_count++] = event;
    return 0;
}

/* Order of events. Every machine has the package counter, which leads the group. */
static const char *const known_events[] = {"energy-pkg", "energy-cores", "energy-gpu",
                                           "energy-ram"};
#define KNOWN_EVENTS (sizeof(known_events) / sizeof(known_events[0]))

static size_t rank_event(const char *name) {
    size_t rank = 0;
    while (rank < KNOWN_EVENTS && strcmp(known_events[rank], name) != 0)
        rank++;
    return rank;
}

static bool is_known(const char *name) {
    return rank_event(name) < KNOWN_EVENTS || strcmp(name, "energy-psys") == 0 ||
           strcmp(name, "energy-core") == 0;
}

static int compare_events(const void *a, const void *b) {
    const struct pmu_event *left = a;
    const struct pmu_event *right = b;
    const size_t left_rank = rank_event(left->name);
    const size_t right_rank = rank_event(right->name);
    return left_rank != right_rank ? (left_rank < right_rank ? -1 : 1)
                                   : strcmp(left->name, right->name);
}

/* energy-pkg is an event; energy-pkg.scale is an attribute of it. */
static bool is_event(const char *name) {
    return strncmp(name, EVENT_PREFIX, strlen(EVENT_PREFIX)) == 0 &&
           name[strlen(EVENT_PREFIX)] != '\0' && name[strspn(name, SYSFS_NAME_CHARACTERS)] == '\0';
}

static int load_events(struct loading *loading) {
    struct pmu_field field;
    snprintf(loading->path, sizeof(loading->path), PMU_FOLDER "/%s/events", loading->name);
    int fd = sysfs_open_folder(loading->root, loading->path);
    if (fd == -ENOENT)
        return 0;
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        int error = fd >= 0 ? -errno : fd;
        if (fd >= 0)
            close(fd);
        return leave_out(loading, error);
    }
    int format_error = load_format(loading, &field);
    int error = 0;
    size_t unknown = 0;
    while (error == 0) {
        errno = 0;
        const struct dirent *entry = readdir(folder);
        if (entry == NULL) {
            /* A truncated list would remove events. */
            error = -errno;
            break;
        }
        if (!is_event(entry->d_name))
            continue;
        if (loading->pmu->event_names++ == 0 && format_error != 0)
            error = leave_out(loading, format_error);
        if (!is_known(entry->d_name) && unknown++ >= EVENTS_MAX)
            continue;
        if (error == 0 && format_error == 0)
            error = load_event(loading, entry->d_name, field);
    }
    closedir(folder);
    if (error == 0 && unknown > EVENTS_MAX) {
        snprintf(loading->path, sizeof(loading->path), PMU_FOLDER "/%s/events", loading->name);
        error = leave_out(loading, PMU_TOO_MANY_EVENTS);
    }
    if (loading->pmu->event_count > 1)
        qsort(loading->pmu->events, loading->pmu->event_count, sizeof(struct pmu_event),
              compare_events);
    return error;
}

int pmu_load(int root, const char *name, struct pmu *pmu, struct problems *problems) {
    struct loading loading = {.root = root, .name = name, .pmu = pmu, .problems = problems};
    *pmu = (struct pmu){.present = false};
    int error = load_type(&loading);
    if (error == -ENOENT)
        return error;
    if (error != 0)
        return leave_out(&loading, error);
    pmu->present = true;
    error = load_cpus(&loading);
    if (error == 0)
        error = load_events(&loading);
    if (error != 0)
        pmu_free(pmu);
    return error;
}

void pmu_free(struct pmu *pmu) {
    for (size_t i = 0; i < pmu->event_count; i++) {
        free(pmu->events[i].name);
        free(pmu->events[i].path);
    }
    free(pmu->events);
    free(pmu->cpus);
    *pmu = (struct pmu){.present = false};
}
