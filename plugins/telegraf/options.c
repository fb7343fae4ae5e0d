/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "option_value.h"

/* --- the value of each option ----------------------------------------------------------------- */

/* Returns NULL, or text that says what is wrong with the value. */
typedef const char *read_value(struct execd_options *options, const char *text);

static const char *read_once(struct execd_options *options, const char *text) {
    (void)text;
    options->mode = EXECD_ONCE;
    return NULL;
}

static const char *read_check(struct execd_options *options, const char *text) {
    (void)text;
    options->mode = EXECD_CHECK;
    return NULL;
}

static const char *read_help(struct execd_options *options, const char *text) {
    (void)text;
    options->mode = EXECD_HELP;
    return NULL;
}

static const char *read_version(struct execd_options *options, const char *text) {
    (void)text;
    options->mode = EXECD_VERSION;
    return NULL;
}

static const char *read_quiet(struct execd_options *options, const char *text) {
    (void)text;
    options->quiet = true;
    return NULL;
}

static const char *read_debug(struct execd_options *options, const char *text) {
    (void)text;
    options->debug = true;
    return NULL;
}

static const char *read_interval(struct execd_options *options, const char *text) {
    return value_read_duration(text, &options->interval_ns);
}

static const char *read_source(struct execd_options *options, const char *text) {
    return rapl_source_from_name(text, &options->rapl.source) == 0
               ? NULL
               : "is not a source: use auto, powercap, perf or msr";
}

static const char *read_root(struct execd_options *options, const char *text) {
    options->rapl.root = text;
    return text[0] != '\0' ? NULL : "is empty";
}

static const char *add_pattern(const char **patterns, size_t *count, const char *text) {
    patterns[(*count)++] = text;
    return text[0] != '\0' ? NULL : "is empty";
}

static const char *read_include(struct execd_options *options, const char *text) {
    return add_pattern(options->include, &options->rapl.include_count, text);
}

static const char *read_exclude(struct execd_options *options, const char *text) {
    return add_pattern(options->exclude, &options->rapl.exclude_count, text);
}

static const char *read_max_power(struct execd_options *options, const char *text) {
    return value_read_watts(text, &options->rapl.max_power_uw);
}

static const char *read_sample_interval(struct execd_options *options, const char *text) {
    return value_read_sample_interval(text, &options->rapl.sample_interval_ns);
}

static const char *read_statistics(struct execd_options *options, const char *text) {
    return value_read_statistics(text, &options->rapl.statistics);
}

static const char *read_energy(struct execd_options *options, const char *text) {
    return value_read_bool(text, &options->fields.energy);
}

static const char *read_total(struct execd_options *options, const char *text) {
    return value_read_bool(text, &options->rapl.total);
}

static const char *read_health(struct execd_options *options, const char *text) {
    return value_read_bool(text, &options->fields.health);
}

static const char *read_cores(struct execd_options *options, const char *text) {
    return value_read_bool(text, &options->rapl.cores);
}

static const char *read_tag(struct execd_options *options, const char *text) {
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

/* --- the options ------------------------------------------------------------------------------ */

static const struct option_row {
    const char *name;
    char letter; /* short form; 0: none */
    /* value as shown by --help; NULL: takes none; "[=…]": optional, defaults to yes */
    const char *value;
    const char *help;
    read_value *read;
} rows[] = {
    {"once", 0, NULL, "two samples a second apart, one report of power, and exit", read_once},
    {"check", 0, NULL, "a table of what is found and what is missing, and exit", read_check},
    {"interval", 0, "=DURATION", "report by its own clock; with --once, the time between samples",
     read_interval},
    {"source", 0, "=SOURCE", "auto, powercap, perf or msr [auto]", read_source},
    {"root", 0, "=FOLDER", "holds sys, proc, dev [HOST_MOUNT_PREFIX or HOST_SYS, else /]",
     read_root},
    {"include", 0, "=PATTERN", "report only what matches: package-0, '*/dram', total [all]",
     read_include},
    {"exclude", 0, "=PATTERN", "leave out what matches; wins over --include", read_exclude},
    {"max-power", 0, "=WATTS", "power above which a step is no energy [from the limits]",
     read_max_power},
    {"sample-interval", 0, "=DURATION", "also samples inside the interval, at least 1ms [off]",
     read_sample_interval},
    {"statistics", 0, "[=LIST]", "of those samples: yes, no or min,max,stddev,p50,p95,p99 [yes]",
     read_statistics},
    {"energy", 0, "[=BOOLEAN]", "energy_joules [yes]", read_energy},
    {"total", 0, "[=BOOLEAN]", "the sum of packages and dram [yes]", read_total},
    {"health", 0, "[=BOOLEAN]", "measurement rapl_health [no]", read_health},
    {"cores", 0, "[=BOOLEAN]", "single cores, where the source has them [no]", read_cores},
    {"tag", 0, "=KEY=VALUE", "a tag for every line", read_tag},
    {"quiet", 0, NULL, "no messages that begin with I!; --once has none", read_quiet},
    {"debug", 0, NULL, "messages that begin with D!", read_debug},
    {"help", 'h', NULL, "this text", read_help},
    {"version", 'V', NULL, "version, commit and build options", read_version},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* getopt_long() returns ROW_ID plus the row, which is above every letter. */
#define ROW_ID 256

static const char help_begin[] =
    "Usage: rapl-execd [OPTION]...\n"
    "Energy and power of the CPUs (RAPL) as InfluxDB line protocol, for Telegraf's execd input.\n"
    "\n"
    "Reports when prompted: by a newline on stdin (signal = \"STDIN\"), by SIGHUP, SIGUSR1 or\n"
    "SIGUSR2, or by its own clock with --interval (signal = \"none\"). Ends with stdin.\n"
    "\n";

static const char help_end[] =
    "\n"
    "BOOLEAN: yes, true, on, no, false, off; the option alone means yes.\n"
    "DURATION: 500ms, 1.5s, 10s, 1m, 1h, 1d. PATTERN and KEY=VALUE: the option is repeatable.\n"
    "Exit status: 0; 1 if --once or --check finds nothing to read, or stdout cannot be written;\n"
    "2 for a wrong option; 3 if --check finds a zone that cannot be read. A signal to end ends\n"
    "--once and --check by that signal.\n";

void options_print_help(FILE *file) {
    fputs(help_begin, file);
    for (size_t i = 0; i < ROWS; i++) {
        char name[40];
        char letter[] = "-?, ";
        letter[1] = rows[i].letter;
        snprintf(name, sizeof(name), "--%s%s", rows[i].name,
                 rows[i].value != NULL ? rows[i].value : "");
        fprintf(file, "  %4s%-26s  %s\n", rows[i].letter != 0 ? letter : "", name, rows[i].help);
    }
    fputs(help_end, file);
}

/* Fills getopt's tables. long_options needs room for all rows and the terminator. */
static void list_options(struct option *long_options, char *letters) {
    *letters++ = '+'; /* stop at the first word that is not an option */
    *letters++ = ':'; /* return ':' if a value is missing */
    for (size_t i = 0; i < ROWS; i++) {
        const char *value = rows[i].value;
        long_options[i] = (struct option){.name = rows[i].name, .val = ROW_ID + (int)i};
        if (value != NULL)
            long_options[i].has_arg = value[0] == '[' ? optional_argument : required_argument;
        if (rows[i].letter != 0)
            *letters++ = rows[i].letter;
    }
    *letters = '\0';
    long_options[ROWS] = (struct option){.name = NULL};
}

static const struct option_row *find_row(int id) {
    for (size_t i = 0; i < ROWS; i++) {
        if (id == ROW_ID + (int)i || (id != 0 && id == rows[i].letter))
            return &rows[i];
    }
    return NULL;
}

/* Reads an option with an optional value. The next word is taken as the value if it is a valid one;
 * otherwise the option counts as given without a value. */
static const char *read_optional(const struct option_row *row, struct execd_options *options,
                                 int count, char *const *words) {
    if (optind < count && row->read(options, words[optind]) == NULL) {
        optind++;
        return NULL;
    }
    return row->read(options, "yes");
}

/* Handles one option that getopt_long() found. -EINVAL with the reason in problem. */
static int parse_option(int id, const char *word, int count, char *const *words,
                        struct execd_options *options, char *problem, size_t problem_size) {
    const struct option_row *row = find_row(id == '?' || id == ':' ? optopt : id);
    if (row == NULL) {
        snprintf(problem, problem_size,
                 "%s is not an option, or not the only one it could be short for", word);
        return -EINVAL;
    }
    if (id == '?' || id == ':') {
        snprintf(problem, problem_size, "--%s %s", row->name,
                 id == ':' ? "needs a value" : "takes no value");
        return -EINVAL;
    }
    const bool is_alone = optarg == NULL && row->value != NULL;
    const char *wrong =
        is_alone ? read_optional(row, options, count, words) : row->read(options, optarg);
    if (wrong == NULL)
        return 0;
    snprintf(problem, problem_size, "--%s '%s' %s", row->name, optarg, wrong);
    return -EINVAL;
}

/* Checks the options against each other. Returns what is wrong; NULL: nothing. */
static const char *judge_together(const struct execd_options *options) {
    static const uint64_t once_least_ns = UINT64_C(50000000);
    if (options->interval_ns == 0)
        return NULL;
    if (options->rapl.sample_interval_ns > options->interval_ns)
        return "--sample-interval is longer than --interval";
    if (options->mode == EXECD_ONCE && options->interval_ns < once_least_ns)
        return "--interval is too short for --once: power needs 50ms";
    return NULL;
}

static bool ends_parsing(const struct execd_options *options) {
    return options->mode == EXECD_HELP || options->mode == EXECD_VERSION;
}

int options_parse(int count, char *const *words, struct execd_options *options, char *problem,
                  size_t problem_size) {
    struct option long_options[ROWS + 1];
    char letters[ROWS + 3];
    int error = 0;
    *options = (struct execd_options){.rapl = RAPL_OPTIONS_DEFAULT, .fields.energy = true};
    options->include = calloc((size_t)count + 1, sizeof(*options->include));
    options->exclude = calloc((size_t)count + 1, sizeof(*options->exclude));
    if (options->include == NULL || options->exclude == NULL)
        return -ENOMEM;
    options->rapl.include = options->include;
    options->rapl.exclude = options->exclude;
    list_options(long_options, letters);
    opterr = 0;
    optind = 0; /* GNU getopt: restart, so that this function can be called again */
    while (error == 0 && !ends_parsing(options)) {
        const char *word = words[optind > 0 ? optind : 1]; /* the word being parsed */
        const int id = getopt_long(count, words, letters, long_options, NULL);
        if (id == -1)
            break;
        error = parse_option(id, word, count, words, options, problem, problem_size);
    }
    if (error != 0 || ends_parsing(options))
        return error;
    if (optind < count) {
        snprintf(problem, problem_size, "'%s' is not an option", words[optind]);
        return -EINVAL;
    }
    options->fields.statistics = options->rapl.statistics;
    const char *wrong = judge_together(options);
    if (wrong == NULL)
        return 0;
    snprintf(problem, problem_size, "%s", wrong);
    return -EINVAL;
}

void options_free(struct execd_options *options) {
    for (size_t i = 0; i < options->tag_count; i++) {
        free(options->tags[i].key);
        free(options->tags[i].value);
    }
    free(options->tags);
    free(options->root);
    free(options->include);
    free(options->exclude);
    *options = (struct execd_options){.mode = EXECD_RUN};
}
