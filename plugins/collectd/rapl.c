/* SPDX-License-Identifier: MIT */
/* The collectd read plugin for energy and power of CPUs. The work is done by the core (rapl.h). */
#include "collectd.h"

#include "plugin.h"
#include "utils/common/common.h"

#include <errno.h>
#include <sys/resource.h>

#include "rapl.h"

#define PLUGIN "rapl"

static struct {
    struct rapl_options core;
    char *root;
    char **zones;
    size_t zone_count;
    bool ignore_selected;
    bool report_energy;
    bool report_health;
} config = {.core = RAPL_OPTIONS_DEFAULT, .report_energy = true};

/* The stock types of the values. */
enum type { TYPE_POWER, TYPE_ENERGY, TYPE_COUNT, TYPE_DERIVE, TYPES };
static struct {
    const char *name;
    bool is_known; /* in types.db; otherwise collectd would log an error for each value */
} types[TYPES] = {{.name = "power"}, {.name = "energy"}, {.name = "count"}, {.name = "derive"}};

static struct rapl *rapl;
static struct rapl_sampler *sampler; /* NULL until counters have to be read between reports */

/* --- configuration --------------------------------------------------------------------------- */

/* Logs a wrong option. It must not keep collectd from starting, so its default is used. The cf_util
 * functions log what they refuse themselves. */
static void refuse(const char *key, const char *why) {
    ERROR(PLUGIN " plugin: option \"%s\" %s; its default is used.", key, why);
}

static void configure_string(oconfig_item_t *item, char **text) {
    char *value = NULL;
    if (cf_util_get_string(item, &value) != 0)
        return;
    if (value[0] == '\0') {
        refuse(item->key, "is empty");
        sfree(value);
        return;
    }
    sfree(*text);
    *text = value;
}

static void configure_yes_no(oconfig_item_t *item, bool *yes) {
    bool value = *yes;
    if (cf_util_get_boolean(item, &value) == 0)
        *yes = value;
}

static void configure_source(oconfig_item_t *item) {
    char *name = NULL;
    configure_string(item, &name);
    if (name == NULL)
        return;
    enum rapl_source source = RAPL_SOURCE_AUTO;
    if (rapl_source_from_name(name, &source) != 0)
        refuse(item->key, "names no source (use auto, powercap, perf or msr)");
    else
        config.core.source = source;
    sfree(name);
}

static void add_zone(const char *key, const char *pattern) {
    char **zones = realloc(config.zones, (config.zone_count + 1) * sizeof(*zones));
    if (zones != NULL)
        config.zones = zones;
    char *copy = zones != NULL ? strdup(pattern) : NULL;
    if (copy != NULL)
        zones[config.zone_count++] = copy;
    else
        refuse(key, "does not fit into memory");
}

static void configure_zone(oconfig_item_t *item) {
    bool all_good = item->values_num > 0;
    for (int i = 0; i < item->values_num; i++) {
        const oconfig_value_t *value = &item->values[i];
        if (value->type == OCONFIG_TYPE_STRING && value->value.string[0] != '\0')
            add_zone(item->key, value->value.string);
        else
            all_good = false;
    }
    if (!all_good)
        ERROR(PLUGIN " plugin: option \"%s\" takes patterns in quotes; what is none is ignored.",
              item->key);
}

static void configure_max_power(oconfig_item_t *item) {
    double watts = 0;
    if (cf_util_get_double(item, &watts) == 0 &&
        rapl_max_power_from_watts(watts, &config.core.max_power_uw) != 0)
        refuse(item->key, "is not a number of watts from 0.001 to 1000000000");
}

static void configure_sample_interval(oconfig_item_t *item) {
    double seconds = 0;
    if (cf_util_get_double(item, &seconds) != 0)
        return;
    if (seconds == 0)
        config.core.sample_interval_ns = 0;
    else if (!(seconds >= 0.001 && seconds <= 86400))
        refuse(item->key, "is neither 0 nor a number of seconds from 0.001 on");
    else
        config.core.sample_interval_ns = (uint64_t)(seconds * 1e9 + 0.5);
}

/* Accepts a boolean, or names of statistics. */
static void configure_statistics(oconfig_item_t *item) {
    unsigned int chosen = 0;
    for (int i = 0; i < item->values_num; i++) {
        if (item->values[i].type == OCONFIG_TYPE_STRING &&
            rapl_statistics_add(item->values[i].value.string, &chosen) == 0)
            continue;
        bool all = true;
        if (item->values_num > 1)
            refuse(item->key, "names a statistic that there is not (use min, max, stddev, p50, p95 "
                              "and p99)");
        else if (cf_util_get_boolean(item, &all) == 0)
            config.core.statistics = all ? RAPL_STATISTICS_ALL : 0;
        return;
    }
    config.core.statistics = chosen;
}

static int rapl_config(oconfig_item_t *block) {
    for (int i = 0; i < block->children_num; i++) {
        oconfig_item_t *item = block->children + i;
        if (strcasecmp("Source", item->key) == 0)
            configure_source(item);
        else if (strcasecmp("Root", item->key) == 0)
            configure_string(item, &config.root);
        else if (strcasecmp("Zone", item->key) == 0)
            configure_zone(item);
        else if (strcasecmp("IgnoreSelected", item->key) == 0)
            configure_yes_no(item, &config.ignore_selected);
        else if (strcasecmp("MaxPower", item->key) == 0)
            configure_max_power(item);
        else if (strcasecmp("SampleInterval", item->key) == 0)
            configure_sample_interval(item);
        else if (strcasecmp("ReportEnergy", item->key) == 0)
            configure_yes_no(item, &config.report_energy);
        else if (strcasecmp("ReportTotal", item->key) == 0)
            configure_yes_no(item, &config.core.total);
        else if (strcasecmp("ReportHealth", item->key) == 0)
            configure_yes_no(item, &config.report_health);
        else if (strcasecmp("ReportStatistics", item->key) == 0)
            configure_statistics(item);
        else if (strcasecmp("ReportCores", item->key) == 0)
            configure_yes_no(item, &config.core.cores);
        else
            ERROR(PLUGIN " plugin: there is no option \"%s\"; it is passed over.", item->key);
    }
    return 0;
}

/* --- dispatch -------------------------------------------------------------------------------- */

static void rapl_submit(const struct rapl_report *report, const char *plugin_instance,
                        enum type type, const char *type_instance, value_t value) {
    value_list_t list = VALUE_LIST_INIT;
    if (!types[type].is_known)
        return;
    list.values = &value;
    list.values_len = 1;
    list.time = NS_TO_CDTIME_T(report->time_ns);
    sstrncpy(list.plugin, PLUGIN, sizeof(list.plugin));
    sstrncpy(list.plugin_instance, plugin_instance, sizeof(list.plugin_instance));
    sstrncpy(list.type, types[type].name, sizeof(list.type));
    sstrncpy(list.type_instance, type_instance, sizeof(list.type_instance));
    plugin_dispatch_values(&list);
}

static void submit_health(const struct rapl_report *report) {
    struct rapl_count counts[RAPL_HEALTH_COUNTS];
    rapl_health_list(&report->health, counts);
    rapl_submit(report, "", TYPE_COUNT, counts[0].name,
                (value_t){.gauge = (gauge_t)counts[0].count});
    for (size_t i = 1; i < RAPL_HEALTH_COUNTS; i++)
        rapl_submit(report, "", TYPE_DERIVE, counts[i].name,
                    (value_t){.derive = (derive_t)counts[i].count});
}

static void log_problems(void) {
    struct rapl_problem problem;
    while (rapl_next_problem(rapl, &problem)) {
        const char *fix = problem.remedy[0] != '\0' ? " Fix: " : "";
        if (problem.over)
            INFO(PLUGIN " plugin: Resolved: %s.", problem.reason);
        else if (problem.severity == RAPL_INFO)
            INFO(PLUGIN " plugin: %s.", problem.reason);
        else
            WARNING(PLUGIN " plugin: %s.%s%s", problem.reason, fix, problem.remedy);
    }
}

static void submit_statistics(const struct rapl_report *report, const struct rapl_value *value) {
    struct rapl_power powers[RAPL_STATISTICS];
    char name[DATA_MAX_NAME_LEN];
    const size_t count = rapl_statistics_list(value, config.core.statistics, powers);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s-%s", value->domain, powers[i].name);
        rapl_submit(report, value->parent, TYPE_POWER, name,
                    (value_t){.gauge = (gauge_t)powers[i].power_uw / 1e6});
    }
    snprintf(name, sizeof(name), "%s-samples", value->domain);
    rapl_submit(report, value->parent, TYPE_COUNT, name,
                (value_t){.gauge = (gauge_t)value->statistics.samples});
}

static void submit_report(const struct rapl_report *report) {
    for (size_t i = 0; i < report->value_count; i++) {
        const struct rapl_value *value = &report->values[i];
        if (config.report_energy)
            rapl_submit(report, value->parent, TYPE_ENERGY, value->domain,
                        (value_t){.gauge = (gauge_t)value->energy_uj / 1e6});
        if (value->has_power)
            rapl_submit(report, value->parent, TYPE_POWER, value->domain,
                        (value_t){.gauge = (gauge_t)value->power_uw / 1e6});
        if (value->has_statistics)
            submit_statistics(report, value);
    }
    if (config.report_health)
        submit_health(report);
}

/* Starts a thread that reads counters which could wrap before the next report, or that are
 * sampled. */
static void start_sampler_if_needed(void) {
    static bool refused;
    if (sampler != NULL || !rapl_needs_sampler(rapl, CDTIME_T_TO_NS(plugin_get_interval())))
        return;
    int error = rapl_sampler_start(rapl, &sampler);
    if (error != 0 && !refused)
        ERROR(PLUGIN " plugin: cannot start a thread that reads between two intervals: %s",
              STRERROR(-error));
    refused = error != 0;
}

/* Always returns 0, because collectd suspends a plugin whose read fails, for up to a day. */
static int rapl_read(__attribute__((unused)) user_data_t *user_data) {
    const struct rapl_report *report = NULL;
    rapl_sampler_hold(sampler);
    int error = rapl_report(rapl, &report);
    log_problems();
    if (error == 0)
        submit_report(report);
    else
        ERROR(PLUGIN " plugin: no report: %s", STRERROR(-error));
    rapl_sampler_release(sampler);
    start_sampler_if_needed();
    return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

/* Called from rapl_init(), because the interval may follow the block in the configuration. */
static void check_sample_interval(void) {
    const uint64_t interval_ns = CDTIME_T_TO_NS(plugin_get_interval());
    if (config.core.sample_interval_ns <= interval_ns)
        return;
    ERROR(PLUGIN " plugin: option \"SampleInterval\" is longer than the interval; there will be no "
                 "statistics.");
    config.core.sample_interval_ns = 0;
}

/* Returns half of the daemon's limit of open files. The rest is for its other plugins. */
static size_t find_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur > 1 ? (size_t)limit.rlim_cur / 2 : 1;
}

/* Looks up the types that the options need. */
static void find_types(void) {
    const bool samples = config.core.sample_interval_ns != 0 && config.core.statistics != 0;
    const bool needed[TYPES] = {[TYPE_POWER] = true,
                                [TYPE_ENERGY] = config.report_energy,
                                [TYPE_COUNT] = config.report_health || samples,
                                [TYPE_DERIVE] = config.report_health};
    for (size_t i = 0; i < TYPES; i++) {
        types[i].is_known = needed[i] && plugin_get_ds(types[i].name) != NULL;
        if (needed[i] && !types[i].is_known)
            ERROR(PLUGIN " plugin: no types.db has the type \"%s\"; such values are not sent. Fix: "
                         "add TypesDB \"/usr/share/collectd/types.db\" to collectd.conf.",
                  types[i].name);
    }
}

static void warn_of_root(void) {
    char warning[512];
    if (rapl_root_warning(config.root, warning, sizeof(warning)))
        WARNING(PLUGIN " plugin: %s.", warning);
}

static int rapl_init(void) {
    const char *const *zones = (const char *const *)config.zones;
    if (config.ignore_selected) {
        config.core.exclude = zones;
        config.core.exclude_count = config.zone_count;
    } else {
        config.core.include = zones;
        config.core.include_count = config.zone_count;
    }
    config.core.root = config.root;
    warn_of_root();
    check_sample_interval();
    find_types();
    config.core.file_limit = find_file_limit();
    int error = rapl_open(&config.core, &rapl);
    if (error != 0) {
        ERROR(PLUGIN " plugin: cannot start: %s", STRERROR(-error));
        return -1;
    }
    log_problems();
    return plugin_register_complex_read(NULL, PLUGIN, rapl_read, 0, NULL);
}

static int rapl_shutdown(void) {
    rapl_sampler_stop(sampler);
    sampler = NULL;
    rapl_close(rapl);
    rapl = NULL;
    for (size_t i = 0; i < config.zone_count; i++)
        sfree(config.zones[i]);
    sfree(config.zones);
    sfree(config.root);
    config.zone_count = 0;
    return 0;
}

__attribute__((visibility("default"))) void module_register(void) {
    INFO(PLUGIN " plugin: version %s", rapl_version());
    plugin_register_complex_config(PLUGIN, rapl_config);
    plugin_register_init(PLUGIN, rapl_init);
    plugin_register_shutdown(PLUGIN, rapl_shutdown);
}
