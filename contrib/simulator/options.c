/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "parse.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef RAPL_VERSION
#define RAPL_VERSION "unknown"
#endif

enum { GO_ON = -1, STATUS_FAILED = 1, STATUS_USAGE = 2 };

enum option_key {
    KEY_MACHINE = 256,
    KEY_LIST,
    KEY_LOAD,
    KEY_LOAD_PERIOD,
    KEY_POWER,
    KEY_BEFORE_WRAP,
    KEY_UPDATE,
    KEY_JITTER,
    KEY_PLAIN,
    KEY_TICK,
    KEY_LEASH,
    KEY_BETWEEN,
    KEY_VERSION
};

static const struct option long_options[] = {
    {"machine", required_argument, NULL, KEY_MACHINE},
    {"list", no_argument, NULL, KEY_LIST},
    {"load", required_argument, NULL, KEY_LOAD},
    {"load-period", required_argument, NULL, KEY_LOAD_PERIOD},
    {"power", required_argument, NULL, KEY_POWER},
    {"before-wrap", required_argument, NULL, KEY_BEFORE_WRAP},
    {"update", required_argument, NULL, KEY_UPDATE},
    {"jitter", required_argument, NULL, KEY_JITTER},
    {"plain", no_argument, NULL, KEY_PLAIN},
    {"tick", required_argument, NULL, KEY_TICK},
    {"leash", no_argument, NULL, KEY_LEASH},
    {"between", required_argument, NULL, KEY_BETWEEN},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, KEY_VERSION},
    {NULL, 0, NULL, 0}};

static const char help[] =
    "Usage: rapl-sim [options] DIRECTORY\n"
    "Serves a simulated machine's powercap tree at DIRECTORY, as the root of sys and proc.\n"
    "\n"
    "  --machine NAME         which machine (laptop)\n"
    "  --list                 print the machines\n"
    "  --load SHAPE           constant, step (0.5 and 1.5 by half periods), wave, or pulse (a\n"
    "                         twentieth of the period at four times the rest) (constant)\n"
    "  --load-period TIME     period of the load (10s)\n"
    "  --power ZONE=WATTS     base power of a zone such as package-0/dram; repeatable\n"
    "  --before-wrap JOULES   every counter starts that far from its wrap\n"
    "  --update TIME          counters move once in this time (1ms)\n"
    "  --jitter TIME          how early or late each update may be (a tenth of --update)\n"
    "  --plain                ordinary files instead of FUSE\n"
    "  --tick TIME            how often plain files are written (10ms)\n"
    "  --leash                end when stdin does, as on SIGTERM\n"
    "  --between BEGAN,T1,T2  print each zone's true joules and mean watts from T1 to T2 on a\n"
    "                         machine that began at BEGAN (ns since 1970), and serve nothing\n"
    "  --help, --version\n"
    "\n"
    "TIME is a number with us, ms or s. DIRECTORY/control takes the commands\n"
    "  remove ZONE | add ZONE | fail ZONE ERRNO | heal ZONE | reset ZONE [JOULES] |\n"
    "  power ZONE WATTS | online LIST\n"
    "and DIRECTORY/truth tells what every zone has really used.\n";

static int refuse(const char *option, const char *value, const char *reason) {
    fprintf(stderr, "rapl-sim: --%s %s: %s\n", option, value, reason);
    return STATUS_USAGE;
}

static bool parse_positive_ns(const char *text, uint64_t *ns) {
    return parse_duration_ns(text, ns) && *ns > 0;
}

static int parse_option(struct options *options, int key, char *value) {
    static const char not_time[] = "not a time above 0 such as 500us, 1ms or 10s";
    uint64_t period_ns;

    switch (key) {
    case KEY_MACHINE:
        options->model = machine_find_model(value);
        return options->model != NULL ? GO_ON : refuse("machine", value, "not in --list");
    case KEY_LOAD:
        if (load_parse_shape(value, &options->load.shape))
            return GO_ON;
        return refuse("load", value, "not constant, step, wave or pulse");
    case KEY_LOAD_PERIOD:
        if (!parse_positive_ns(value, &period_ns))
            return refuse("load-period", value, not_time);
        options->load.period_seconds = (double)period_ns / 1e9;
        return GO_ON;
    case KEY_POWER:
        options->powers[options->power_count++] = value;
        return GO_ON;
    case KEY_BEFORE_WRAP:
        options->before_wrap = value;
        if (parse_quantity(value, &options->before_wrap_joules) && options->before_wrap_joules > 0)
            return GO_ON;
        return refuse("before-wrap", value, "not a number of joules above 0");
    case KEY_UPDATE:
        return parse_positive_ns(value, &options->cadence.update_ns)
                   ? GO_ON
                   : refuse("update", value, not_time);
    case KEY_JITTER:
        return parse_duration_ns(value, &options->cadence.jitter_ns)
                   ? GO_ON
                   : refuse("jitter", value, "not a time such as 0ms or 100us");
    case KEY_TICK:
        return parse_positive_ns(value, &options->tick_ns) ? GO_ON
                                                           : refuse("tick", value, not_time);
    case KEY_BETWEEN:
        options->between = parse_instants(value, options->instants);
        return options->between ? GO_ON
                                : refuse("between", value, "not BEGAN,T1,T2 in ns and this order");
    case KEY_PLAIN:
        options->plain = true;
        return GO_ON;
    case KEY_LEASH:
        options->leash = true;
        return GO_ON;
    case KEY_LIST:
        machine_print_models(stdout);
        return EXIT_SUCCESS;
    case KEY_VERSION:
        puts("rapl-sim " RAPL_VERSION);
        return EXIT_SUCCESS;
    case 'h':
        fputs(help, stdout);
        return EXIT_SUCCESS;
    default:
        return STATUS_USAGE; /* getopt_long printed the message */
    }
}

int options_parse(struct options *options, int count, char **arguments) {
    const uint64_t not_given = UINT64_MAX;
    int key;

    *options = (struct options){.model = machine_find_model("laptop"),
                                .load = {LOAD_CONSTANT, 10},
                                .cadence = {.update_ns = 1000000, .jitter_ns = not_given},
                                .tick_ns = 10000000};
    options->powers = calloc((size_t)count, sizeof(*options->powers));
    if (options->powers == NULL)
        return STATUS_FAILED;
    while ((key = getopt_long(count, arguments, "h", long_options, NULL)) != -1) {
        const int status = parse_option(options, key, optarg);
        if (status != GO_ON)
            return status;
    }

    if (options->cadence.jitter_ns == not_given)
        options->cadence.jitter_ns = options->cadence.update_ns / 10;
    if (options->cadence.jitter_ns * 2 >= options->cadence.update_ns &&
        options->cadence.jitter_ns > 0) {
        fputs("rapl-sim: --jitter: must be less than half of --update\n", stderr);
        return STATUS_USAGE;
    }
    if (count - optind > 1) {
        fprintf(stderr, "rapl-sim: %s: only one DIRECTORY can be served\n", arguments[optind + 1]);
        return STATUS_USAGE;
    }
    options->directory = arguments[optind];
    if (options->directory == NULL && !options->between) {
        fputs("rapl-sim: DIRECTORY is missing; see --help\n", stderr);
        return STATUS_USAGE;
    }
    return GO_ON;
}

void options_free(struct options *options) {
    free(options->powers);
    options->powers = NULL;
}

static int apply_power(struct machine *machine, char *argument) {
    char *equals = strrchr(argument, '=');
    struct zone *zone = NULL;
    double watts;

    if (equals == NULL || !parse_quantity(equals + 1, &watts))
        return refuse("power", argument, "not ZONE=WATTS");
    *equals = '\0';
    zone = machine_find_zone(machine, argument);
    *equals = '=';
    if (zone == NULL)
        return refuse("power", argument, "the machine has no such zone");
    if (counter_set_watts(&machine->counters[zone->counter], &machine->load, 0, watts) != 0)
        return STATUS_FAILED;
    return GO_ON;
}

int options_apply(const struct options *options, struct machine *machine) {
    const double joules = options->before_wrap_joules;
    int status = GO_ON;

    if (machine_open(machine, options->model) != 0)
        return STATUS_FAILED;
    machine->load = options->load;
    machine->cadence = options->cadence;
    for (int i = 0; status == GO_ON && i < options->power_count; i++)
        status = apply_power(machine, options->powers[i]);
    for (size_t i = 0; status == GO_ON && joules > 0 && i < machine->counter_count; i++) {
        struct counter *counter = &machine->counters[i];
        if (joules > counter_range_joules(counter))
            status = refuse("before-wrap", options->before_wrap, "more than a counter's range");
        else
            counter_start_before_wrap(counter, joules);
    }
    if (status != GO_ON)
        machine_close(machine);
    return status;
}
