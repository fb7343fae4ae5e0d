/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "Usage: rapl-execd [OPTION]...\n"
    "Energy and power of the CPUs (RAPL) as InfluxDB line protocol, for Telegraf's execd input.\n"
    "\n"
    "Reports when prompted: by a newline on stdin (signal = \"STDIN\"), by SIGHUP, SIGUSR1 or\n"
    "SIGUSR2, or by its own clock with --interval (signal = \"none\"). Ends with stdin.\n"
    "\n"
    "      --once               two samples a second apart, one report of power, and exit\n"
    "      --check              a table of what is found and what is missing, and exit\n"
    "      --interval=DURATION  report by its own clock; with --once, the time between samples\n"
    "      --source=SOURCE      auto, powercap, perf or msr [auto]\n"
    "      --root=FOLDER        folder that holds sys and proc [HOST_MOUNT_PREFIX, else /]\n"
    "      --include=PATTERN    report only what matches: package-0, '*/dram', total [all]\n"
    "      --exclude=PATTERN    leave out what matches; wins over --include\n"
    "      --max-power=WATTS    power above which a step is no energy [from the limits]\n"
    "      --sample-interval=DURATION  also samples inside the interval, at least 1ms [off]\n"
    "      --energy=yes|no      energy_joules [yes]\n"
    "      --total=yes|no       the sum of packages and dram [yes]\n"
    "      --health=yes|no      measurement rapl_health [no]\n"
    "      --statistics=yes|no|LIST  of those samples: min,max,stddev,p50,p95,p99 [yes]\n"
    "      --cores=yes|no       single cores, where the source has them [no]\n"
    "      --tag=KEY=VALUE      a tag for every line; repeatable\n"
    "      --debug              messages that begin with D!\n"
    "      --help, --version\n"
    "\n"
    "DURATION: 500ms, 10s, 1m. Options that take PATTERN are repeatable.\n"
    "Exit status: 0; 1 if --once or --check finds nothing to read; 2 for a wrong option.\n";

enum option_id {
    OPTION_ONCE = 256,
    OPTION_CHECK,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_DEBUG,
    OPTION_INTERVAL,
    OPTION_SOURCE,
    OPTION_ROOT,
    OPTION_INCLUDE,
    OPTION_EXCLUDE,
    OPTION_MAX_POWER,
    OPTION_SAMPLE_INTERVAL,
    OPTION_ENERGY,
    OPTION_TOTAL,
    OPTION_HEALTH,
    OPTION_STATISTICS,
    OPTION_CORES,
    OPTION_TAG,
};

static const struct option long_options[] = {
    {"once", no_argument, NULL, OPTION_ONCE},
    {"check", no_argument, NULL, OPTION_CHECK},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"debug", no_argument, NULL, OPTION_DEBUG},
    {"interval", required_argument, NULL, OPTION_INTERVAL},
    {"source", required_argument, NULL, OPTION_SOURCE},
    {"root", required_argument, NULL, OPTION_ROOT},
    {"include", required_argument, NULL, OPTION_INCLUDE},
    {"exclude", required_argument, NULL, OPTION_EXCLUDE},
    {"max-power", required_argument, NULL, OPTION_MAX_POWER},
    {"sample-interval", required_argument, NULL, OPTION_SAMPLE_INTERVAL},
    {"energy", required_argument, NULL, OPTION_ENERGY},
    {"total", required_argument, NULL, OPTION_TOTAL},
    {"health", required_argument, NULL, OPTION_HEALTH},
    {"statistics", required_argument, NULL, OPTION_STATISTICS},
    {"cores", required_argument, NULL, OPTION_CORES},
    {"tag", required_argument, NULL, OPTION_TAG},
    {NULL, 0, NULL, 0},
};

/* The reader of one value: NULL, or what is wrong with it. */
static const char *read_yes_no(const char *text, bool *yes) {
    *yes = strcmp(text, "yes") == 0;
    return *yes || strcmp(text, "no") == 0 ? NULL : "is neither yes nor no";
}

static const char *read_duration(const char *text, uint64_t *duration_ns) {
    static const struct {
        const char *unit;
        uint64_t ns;
    } units[] = {{"ms", UINT64_C(1000000)},
                 {"s", UINT64_C(1000000000)},
                 {"m", UINT64_C(60000000000)},
                 {"h", UINT64_C(3600000000000)}};
    const char *wrong = "is not a duration such as 500ms, 10s or 1m";
    const uint64_t most_ns = UINT64_C(24) * 3600 * 1000000000;
    uint64_t number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        number = number * 10 + (uint64_t)(*at - '0');
        if (number > most_ns)
            return "is longer than a day";
    }
    if (at == text)
        return wrong;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(at, units[i].unit) != 0)
            continue;
        if (number == 0)
            return "is no time at all";
        if (number > most_ns / units[i].ns)
            return "is longer than a day";
        *duration_ns = number * units[i].ns;
        return NULL;
    }
    return wrong;
}

static const char *read_watts(const char *text, uint64_t *power_uw) {
    char *end;
    double watts = strtod(text, &end);
    bool plain = text[strspn(text, "0123456789.")] == '\0'; /* no sign, hex, exponent, inf, nan */
    if (end == text || *end != '\0' || !plain || rapl_max_power_from_watts(watts, power_uw) != 0)
        return "is not a number of watts from 0.001 to 1000000000";
    return NULL;
}

static const char *read_source(const char *text, enum rapl_source *source) {
    return rapl_source_from_name(text, source) == 0
               ? NULL
               : "is not a source: use auto, powercap, perf or msr";
}

static const char *add_tag(struct execd_options *options, const char *text) {
    const char *equals = strchr(text, '=');
    if (equals == NULL)
        return "is not KEY=VALUE";
    struct tag *tags = realloc(options->tags, (options->tag_count + 1) * sizeof(*tags));
    if (tags == NULL)
        return "does not fit into memory";
    options->tags = tags;
    struct tag *tag = &tags[options->tag_count++];
    *tag = (struct tag){.key = strndup(text, (size_t)(equals - text)), .value = strdup(equals + 1)};
    if (tag->key == NULL || tag->value == NULL)
        return "does not fit into memory";
    for (size_t i = 0; i + 1 < options->tag_count; i++) {
        if (strcmp(tags[i].key, tag->key) == 0)
            return "has a key that was given before";
    }
    return line_check_tag(tag->key, tag->value);
}

/* Every duration is at least 1 ms, the least that there is. */
static const char *read_sample_interval(const char *text, uint64_t *interval_ns) {
    *interval_ns = 0;
    if (strcmp(text, "off") == 0)
        return NULL;
    return read_duration(text, interval_ns) == NULL
               ? NULL
               : "is neither off nor a duration of 1ms or more";
}

static const char *read_statistics(const char *text, unsigned int *chosen) {
    char name[16];
    bool yes;
    if (read_yes_no(text, &yes) == NULL) {
        *chosen = yes ? RAPL_STATISTICS_ALL : 0;
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

static const char *add_pattern(const char **patterns, size_t *count, const char *text) {
    patterns[(*count)++] = text;
    return text[0] != '\0' ? NULL : "is empty";
}

static const char *read_option(struct execd_options *options, int id, const char *text) {
    switch (id) {
    case OPTION_INTERVAL:
        return read_duration(text, &options->interval_ns);
    case OPTION_SOURCE:
        return read_source(text, &options->rapl.source);
    case OPTION_ROOT:
        options->rapl.root = text;
        return text[0] != '\0' ? NULL : "is empty";
    case OPTION_INCLUDE:
        return add_pattern(options->include, &options->rapl.include_count, text);
    case OPTION_EXCLUDE:
        return add_pattern(options->exclude, &options->rapl.exclude_count, text);
    case OPTION_MAX_POWER:
        return read_watts(text, &options->rapl.max_power_uw);
    case OPTION_SAMPLE_INTERVAL:
        return read_sample_interval(text, &options->rapl.sample_interval_ns);
    case OPTION_ENERGY:
        return read_yes_no(text, &options->fields.energy);
    case OPTION_TOTAL:
        return read_yes_no(text, &options->rapl.total);
    case OPTION_HEALTH:
        return read_yes_no(text, &options->fields.health);
    case OPTION_STATISTICS:
        return read_statistics(text, &options->rapl.statistics);
    case OPTION_CORES:
        return read_yes_no(text, &options->rapl.cores);
    default:
        return add_tag(options, text);
    }
}

static const char *name_option(int id) {
    for (size_t i = 0; long_options[i].name != NULL; i++) {
        if (long_options[i].val == id)
            return long_options[i].name;
    }
    return "?";
}

int options_parse(int count, char *const *words, struct execd_options *options, char *problem,
                  size_t problem_size) {
    static const uint64_t once_least_ns = UINT64_C(50000000);
    *options = (struct execd_options){.rapl = RAPL_OPTIONS_DEFAULT, .fields.energy = true};
    options->include = calloc((size_t)count + 1, sizeof(*options->include));
    options->exclude = calloc((size_t)count + 1, sizeof(*options->exclude));
    if (options->include == NULL || options->exclude == NULL)
        return -ENOMEM;
    options->rapl.include = options->include;
    options->rapl.exclude = options->exclude;
    opterr = 0;
    optind = 0; /* GNU: start afresh, so that it can be called again */
    for (;;) {
        const char *wrong = NULL;
        const char *word = words[optind > 0 ? optind : 1]; /* the one under way */
        const int id = getopt_long(count, words, "+:", long_options, NULL);
        if (id == -1)
            break;
        switch (id) {
        case '?':
            if (optopt >= OPTION_ONCE)
                snprintf(problem, problem_size, "--%s takes no value", name_option(optopt));
            else
                snprintf(problem, problem_size,
                         "%s is not an option, or not the only one it "
                         "could be short for",
                         word);
            return -EINVAL;
        case ':':
            snprintf(problem, problem_size, "--%s needs a value", name_option(optopt));
            return -EINVAL;
        case OPTION_ONCE:
            options->mode = EXECD_ONCE;
            break;
        case OPTION_CHECK:
            options->mode = EXECD_CHECK;
            break;
        case OPTION_HELP:
            options->mode = EXECD_HELP;
            return 0;
        case OPTION_VERSION:
            options->mode = EXECD_VERSION;
            return 0;
        case OPTION_DEBUG:
            options->debug = true;
            break;
        default:
            wrong = read_option(options, id, optarg);
        }
        if (wrong != NULL) {
            snprintf(problem, problem_size, "--%s '%s' %s", name_option(id), optarg, wrong);
            return -EINVAL;
        }
    }
    if (optind < count) {
        snprintf(problem, problem_size, "'%s' is not an option", words[optind]);
        return -EINVAL;
    }
    if (options->interval_ns != 0 && options->rapl.sample_interval_ns > options->interval_ns) {
        snprintf(problem, problem_size, "--sample-interval is longer than --interval");
        return -EINVAL;
    }
    options->fields.statistics = options->rapl.statistics;
    if (options->mode == EXECD_ONCE && options->interval_ns != 0 &&
        options->interval_ns < once_least_ns) {
        snprintf(problem, problem_size, "--interval is too short for --once: power needs 50ms");
        return -EINVAL;
    }
    return 0;
}

void options_free(struct execd_options *options) {
    for (size_t i = 0; i < options->tag_count; i++) {
        free(options->tags[i].key);
        free(options->tags[i].value);
    }
    free(options->tags);
    free(options->include);
    free(options->exclude);
    *options = (struct execd_options){.mode = EXECD_RUN};
}
