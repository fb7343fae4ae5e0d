/* SPDX-License-Identifier: MIT */
#include "control.h"

#include "parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Carries out one command. Returns NULL, or what is wrong with it. */
typedef const char *apply(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                          const char *value);

static bool is_below(const struct machine *machine, const struct zone *zone,
                     const struct zone *above) {
    return zone->parent >= 0 && &machine->zones[zone->parent] == above;
}

static const char *apply_remove(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                                const char *value) {
    (void)elapsed_ns;
    (void)value;
    if (!zone->present)
        return "it is removed already";
    for (size_t i = 0; i < machine->zone_count; i++) {
        struct zone *other = &machine->zones[i];
        if (other == zone || is_below(machine, other, zone)) {
            other->present = false;
            other->generation++;
        }
    }
    return NULL;
}

static const char *apply_add(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                             const char *value) {
    (void)elapsed_ns;
    (void)value;
    if (zone->present)
        return "it is there already";
    if (zone->parent >= 0 && !machine->zones[zone->parent].present)
        return "the zone around it is removed";
    for (size_t i = 0; i < machine->zone_count; i++) {
        struct zone *other = &machine->zones[i];
        if (other == zone || is_below(machine, other, zone))
            other->present = true;
    }
    return NULL;
}

static const char *apply_fail(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                              const char *value) {
    int number;

    (void)machine;
    (void)elapsed_ns;
    if (!parse_errno(value, &number))
        return "not an errno";
    zone->fault = number;
    return NULL;
}

static const char *apply_heal(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                              const char *value) {
    (void)machine;
    (void)elapsed_ns;
    (void)value;
    zone->fault = 0;
    return NULL;
}

static const char *apply_reset(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                               const char *value) {
    double joules = 0;

    if (value != NULL && !parse_quantity(value, &joules))
        return "not a number of joules";
    counter_reset(&machine->counters[zone->counter], &machine->load, elapsed_ns, joules);
    return NULL;
}

static const char *apply_power(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                               const char *value) {
    struct counter *counter = &machine->counters[zone->counter];
    double watts;

    if (!parse_quantity(value, &watts))
        return "not a number of watts";
    return counter_set_watts(counter, &machine->load, elapsed_ns, watts) == 0 ? NULL
                                                                              : "out of memory";
}

static const char *apply_online(struct machine *machine, struct zone *zone, uint64_t elapsed_ns,
                                const char *value) {
    (void)zone;
    (void)elapsed_ns;
    if (strspn(value, "0123456789,-") != strlen(value) || strlen(value) >= sizeof(machine->online))
        return "not a list of CPUs";
    snprintf(machine->online, sizeof(machine->online), "%s", value);
    return NULL;
}

enum need { NEED_NOTHING, NEED_VALUE, TAKE_VALUE };

static const struct command {
    const char *name;
    apply *apply;
    bool takes_zone;
    enum need need;
} commands[] = {
    {"remove", apply_remove, true, NEED_NOTHING}, {"add", apply_add, true, NEED_NOTHING},
    {"fail", apply_fail, true, NEED_VALUE},       {"heal", apply_heal, true, NEED_NOTHING},
    {"reset", apply_reset, true, TAKE_VALUE},     {"power", apply_power, true, NEED_VALUE},
    {"online", apply_online, false, NEED_VALUE},
};

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static const char *apply_words(struct machine *machine, uint64_t elapsed_ns, bool can_fail,
                               const struct command *command, char **rest) {
    const char *zone_name = command->takes_zone ? strtok_r(NULL, " \t\r", rest) : NULL;
    const char *value = command->need == NEED_NOTHING ? NULL : strtok_r(NULL, " \t\r", rest);
    struct zone *zone = zone_name == NULL ? NULL : machine_find_zone(machine, zone_name);

    if (command->takes_zone && zone_name == NULL)
        return "it needs a zone";
    if (command->takes_zone && zone == NULL)
        return "no such zone";
    if (command->need == NEED_VALUE && value == NULL)
        return "it needs a value";
    if (strtok_r(NULL, " \t\r", rest) != NULL)
        return "too many words";
    if (!can_fail && command->apply == apply_fail)
        return "plain files cannot fail, only FUSE can";
    return command->apply(machine, zone, elapsed_ns, value);
}

int control_apply(struct machine *machine, uint64_t elapsed_ns, bool can_fail, const char *line) {
    const char *problem = NULL;
    char *copy = strdup(line);
    char *rest = NULL;
    const char *name;

    if (copy == NULL)
        return -ENOMEM;
    name = strtok_r(copy, " \t\r", &rest);
    if (name != NULL) {
        const struct command *command = find_command(name);
        problem = command == NULL ? "no such command"
                                  : apply_words(machine, elapsed_ns, can_fail, command, &rest);
    }
    free(copy);
    if (problem != NULL) {
        fprintf(stderr, "rapl-sim: bad command '%s': %s\n", line, problem);
        return -EINVAL;
    }
    return 0;
}

int control_apply_lines(struct machine *machine, uint64_t elapsed_ns, bool can_fail, char *text) {
    char *rest = NULL;
    int result = 0;

    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        const int error = control_apply(machine, elapsed_ns, can_fail, line);
        if (error != 0)
            result = error;
    }
    return result;
}
