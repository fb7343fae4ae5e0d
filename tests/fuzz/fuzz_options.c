/* SPDX-License-Identifier: MIT */
/* The command line of rapl-execd. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "options.h"

#define WORDS 64

struct words {
    char *list[WORDS + 1];
    int count;
};

static void __attribute__((format(printf, 2, 3)))
add_word(struct words *words, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    HOLDS(words->count < WORDS);
    HOLDS(vasprintf(&words->list[words->count++], format, arguments) >= 0);
    va_end(arguments);
    words->list[words->count] = NULL;
}

static void free_words(struct words *words) {
    for (int i = 0; i < words->count; i++)
        free(words->list[i]);
}

static void check_values(const struct execd_options *options) {
    const uint64_t day_ns = UINT64_C(24) * 3600 * 1000000000;
    HOLDS(options->interval_ns == 0 ||
          (options->interval_ns >= 1000000 && options->interval_ns <= day_ns));
    HOLDS(options->mode != EXECD_ONCE || options->interval_ns == 0 ||
          options->interval_ns >= 50000000);
    HOLDS(options->rapl.max_power_uw == 0 ||
          (options->rapl.max_power_uw >= 1000 && options->rapl.max_power_uw <= 1000000000000000));
    HOLDS(options->rapl.sample_interval_ns == 0 || (options->rapl.sample_interval_ns >= 1000000 &&
                                                    options->rapl.sample_interval_ns <= day_ns));
    HOLDS(options->interval_ns == 0 || options->rapl.sample_interval_ns <= options->interval_ns);
    HOLDS((options->rapl.statistics & ~(unsigned int)RAPL_STATISTICS_ALL) == 0);
    HOLDS(options->fields.statistics == options->rapl.statistics);
    HOLDS(options->rapl.root == NULL || options->rapl.root[0] != '\0');
    for (size_t i = 0; i < options->rapl.include_count; i++)
        HOLDS(options->rapl.include[i][0] != '\0');
    for (size_t i = 0; i < options->rapl.exclude_count; i++)
        HOLDS(options->rapl.exclude[i][0] != '\0');
    for (size_t i = 0; i < options->tag_count; i++) {
        HOLDS(line_check_tag(options->tags[i].key, options->tags[i].value) == NULL);
        HOLDS(strchr(options->tags[i].key, '=') == NULL);
        for (size_t j = 0; j < i; j++)
            HOLDS(strcmp(options->tags[i].key, options->tags[j].key) != 0);
    }
}

static const char *const statistics[] = {"min", "max", "stddev", "p50", "p95", "p99"};

static void print_statistics(unsigned int chosen, struct words *words) {
    char list[64] = "";
    for (size_t i = 0; i < COUNT_OF(statistics); i++) {
        if ((chosen & 1U << i) == 0)
            continue;
        strcat(list, list[0] != '\0' ? "," : "");
        strcat(list, statistics[i]);
    }
    add_word(words, "--statistics=%s", chosen != 0 ? list : "no");
}

static void add_duration(struct words *words, const char *name, uint64_t ns) {
    add_word(words, "%s=%" PRIu64 ".%09" PRIu64 "s", name, ns / 1000000000, ns % 1000000000);
}

/* Prints the same options in full. */
static void print(const struct execd_options *options, struct words *words) {
    static const char *const sources[] = {"auto", "powercap", "perf", "msr"};
    static const char *const no_yes[] = {"no", "yes"};
    const struct rapl_options *core = &options->rapl;
    add_word(words, "rapl-execd");
    if (options->mode == EXECD_ONCE || options->mode == EXECD_CHECK)
        add_word(words, options->mode == EXECD_ONCE ? "--once" : "--check");
    if (options->debug)
        add_word(words, "--debug");
    if (options->quiet)
        add_word(words, "--quiet");
    if (options->interval_ns != 0)
        add_duration(words, "--interval", options->interval_ns);
    if (core->max_power_uw != 0)
        add_word(words, "--max-power=%" PRIu64 ".%06" PRIu64, core->max_power_uw / 1000000,
                 core->max_power_uw % 1000000);
    if (core->root != NULL)
        add_word(words, "--root=%s", core->root);
    add_word(words, "--source=%s", sources[core->source]);
    add_word(words, "--energy=%s", no_yes[options->fields.energy]);
    add_word(words, "--total=%s", no_yes[core->total]);
    add_word(words, "--health=%s", no_yes[options->fields.health]);
    add_word(words, "--cores=%s", no_yes[core->cores]);
    if (core->sample_interval_ns != 0)
        add_duration(words, "--sample-interval", core->sample_interval_ns);
    else
        add_word(words, "--sample-interval=off");
    print_statistics(core->statistics, words);
    for (size_t i = 0; i < core->include_count; i++)
        add_word(words, "--include=%s", core->include[i]);
    for (size_t i = 0; i < core->exclude_count; i++)
        add_word(words, "--exclude=%s", core->exclude[i]);
    for (size_t i = 0; i < options->tag_count; i++)
        add_word(words, "--tag=%s=%s", options->tags[i].key, options->tags[i].value);
}

static bool equal_lists(const char *const *a, size_t a_count, const char *const *b,
                        size_t b_count) {
    bool equal = a_count == b_count;
    for (size_t i = 0; equal && i < a_count; i++)
        equal = strcmp(a[i], b[i]) == 0;
    return equal;
}

static void check_same(const struct execd_options *a, const struct execd_options *b) {
    HOLDS(a->mode == b->mode && a->debug == b->debug && a->quiet == b->quiet &&
          a->interval_ns == b->interval_ns);
    HOLDS(a->fields.energy == b->fields.energy && a->fields.health == b->fields.health);
    HOLDS(a->fields.statistics == b->fields.statistics);
    HOLDS(a->rapl.sample_interval_ns == b->rapl.sample_interval_ns);
    HOLDS(a->rapl.statistics == b->rapl.statistics);
    HOLDS(a->rapl.source == b->rapl.source && a->rapl.max_power_uw == b->rapl.max_power_uw);
    HOLDS(a->rapl.total == b->rapl.total && a->rapl.cores == b->rapl.cores);
    HOLDS((a->rapl.root == NULL) == (b->rapl.root == NULL));
    HOLDS(a->rapl.root == NULL || strcmp(a->rapl.root, b->rapl.root) == 0);
    HOLDS(equal_lists(a->rapl.include, a->rapl.include_count, b->rapl.include,
                      b->rapl.include_count));
    HOLDS(equal_lists(a->rapl.exclude, a->rapl.exclude_count, b->rapl.exclude,
                      b->rapl.exclude_count));
    HOLDS(a->tag_count == b->tag_count);
    for (size_t i = 0; i < a->tag_count; i++)
        HOLDS(strcmp(a->tags[i].key, b->tags[i].key) == 0 &&
              strcmp(a->tags[i].value, b->tags[i].value) == 0);
}

/* A duration alone: a number and a unit, from a millisecond to a day. Digits below a nanosecond may
 * be lost. */
static void check_duration(const char *text) {
    static const struct {
        const char *pattern;
        long double ns;
    } units[] = {{"[0-9]+(\\.[0-9]+)?ms", 1e6L},
                 {"[0-9]+(\\.[0-9]+)?s", 1e9L},
                 {"[0-9]+(\\.[0-9]+)?m", 60e9L},
                 {"[0-9]+(\\.[0-9]+)?h", 3600e9L},
                 {"[0-9]+(\\.[0-9]+)?d", 86400e9L}};
    static const char *const names[] = {"--interval", "--sample-interval"};
    const long double doubt = 10;
    long double expected = 0;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (matches(text, units[i].pattern))
            expected = strtold(text, NULL) * units[i].ns;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct words words = {.count = 0};
        struct execd_options options;
        char problem[512] = "";
        const bool off = i == 1 && strcmp(text, "off") == 0;
        add_word(&words, "rapl-execd");
        add_word(&words, "%s=%s", names[i], text);
        const int error =
            options_parse(words.count, words.list, &options, problem, sizeof(problem));
        const uint64_t read_ns = i == 0 ? options.interval_ns : options.rapl.sample_interval_ns;
        if (error == 0 && off)
            HOLDS(read_ns == 0);
        else if (error == 0)
            HOLDS((long double)read_ns <= expected + doubt &&
                  (long double)read_ns >= expected - doubt);
        else
            HOLDS(!off && (expected < 1e6L + doubt || expected > 86400e9L - doubt));
        options_free(&options);
        free_words(&words);
    }
}

static int find_boolean(const char *text) {
    static const char *const list[] = {"no", "yes", "false", "true", "off", "on"};
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        if (strcmp(text, list[i]) == 0)
            return i % 2 == 1 ? 1 : 0;
    }
    return -1;
}

/* Statistics alone: a boolean, or names, which may be repeated. */
static void check_statistics(const char *text) {
    static const char list[] = "(min|max|stddev|p50|p95|p99)(,(min|max|stddev|p50|p95|p99))*";
    struct words words = {.count = 0};
    struct execd_options options;
    char problem[512] = "";
    char *padded = NULL;
    const int boolean = find_boolean(text);
    unsigned int expected = boolean == 1 ? RAPL_STATISTICS_ALL : 0;
    HOLDS(asprintf(&padded, ",%s,", text) >= 0);
    const bool is_list = matches(text, list);
    for (size_t i = 0; is_list && i < COUNT_OF(statistics); i++) {
        char name[16];
        snprintf(name, sizeof(name), ",%s,", statistics[i]);
        expected |= strstr(padded, name) != NULL ? 1U << i : 0;
    }
    add_word(&words, "rapl-execd");
    add_word(&words, "--statistics=%s", text);
    const int error = options_parse(words.count, words.list, &options, problem, sizeof(problem));
    HOLDS((error == 0) == (is_list || boolean >= 0));
    HOLDS(error != 0 || options.rapl.statistics == expected);
    options_free(&options);
    free(padded);
    free_words(&words);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct words words = {.count = 0};
    struct words printed = {.count = 0};
    struct execd_options options;
    struct execd_options again;
    char problem[512] = "";
    char *value = take_text(&input);
    check_duration(value);
    check_statistics(value);
    free(value);
    add_word(&words, "rapl-execd");
    while (input.left > 0 && words.count < 24)
        words.list[words.count++] = take_text(&input);
    words.list[words.count] = NULL;
    const int error = options_parse(words.count, words.list, &options, problem, sizeof(problem));
    HOLDS(error == 0 || error == -EINVAL);
    HOLDS((error == 0) == (problem[0] == '\0'));
    if (error == 0 && options.mode != EXECD_HELP && options.mode != EXECD_VERSION) {
        check_values(&options);
        print(&options, &printed);
        HOLDS(options_parse(printed.count, printed.list, &again, problem, sizeof(problem)) == 0);
        check_same(&options, &again);
        options_free(&again);
    }
    options_free(&options);
    free_words(&words);
    free_words(&printed);
    return 0;
}
