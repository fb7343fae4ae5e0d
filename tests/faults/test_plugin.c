/* SPDX-License-Identifier: MIT */
/*
 * The collectd plugin in a fake daemon with failing calls: values are refused, threads cannot be
 * created, memory runs out. A read always returns 0, because collectd suspends a plugin that fails.
 */
#include "collectd.h"

#include "plugin.h"
#include "utils/common/common.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "tree.h"

#define READS 50

void module_register(void);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context);

static struct {
    int (*config)(oconfig_item_t *);
    int (*init)(void);
    int (*shutdown)(void);
    int (*read)(user_data_t *);
    const char *root;
    const char *lacks; /* a type missing from types.db */
    cdtime_t interval;
    int dispatch_answer;
    int register_answer;
    int create_error;
    unsigned int dispatched;
    unsigned int created;
    unsigned int errors; /* messages of LOG_ERR */
    double sample_seconds;
    double package_joules;
    double package_samples; /* since the last reported value */
    double package_max_watts;
} host;

/* --- the daemon ------------------------------------------------------------------------------ */

int plugin_register_complex_config(const char *type, int (*callback)(oconfig_item_t *)) {
    (void)type;
    host.config = callback;
    return 0;
}

int plugin_register_init(const char *name, plugin_init_cb callback) {
    (void)name;
    host.init = callback;
    return 0;
}

int plugin_register_shutdown(const char *name, plugin_shutdown_cb callback) {
    (void)name;
    host.shutdown = callback;
    return 0;
}

int plugin_register_complex_read(const char *group, const char *name,
                                 int (*callback)(user_data_t *), cdtime_t interval,
                                 user_data_t const *user_data) {
    (void)group;
    (void)name;
    (void)interval;
    (void)user_data;
    host.read = callback;
    return host.register_answer;
}

int plugin_dispatch_values(value_list_t const *list) {
    host.dispatched++;
    if (strcmp(list->type, "energy") == 0 && strcmp(list->type_instance, "package") == 0)
        host.package_joules = list->values[0].gauge;
    if (strcmp(list->type, "count") == 0 && strcmp(list->type_instance, "package-samples") == 0)
        host.package_samples = list->values[0].gauge;
    if (strcmp(list->type, "power") == 0 && strcmp(list->type_instance, "package-max") == 0)
        host.package_max_watts = list->values[0].gauge;
    return host.dispatch_answer;
}

const data_set_t *plugin_get_ds(const char *name) {
    static const data_set_t set;
    return host.lacks != NULL && strcmp(name, host.lacks) == 0 ? NULL : &set;
}

cdtime_t plugin_get_interval(void) {
    return host.interval;
}

void plugin_log(int level, const char *format, ...) {
    (void)format;
    host.errors += level == LOG_ERR;
}

int cf_util_get_string(const oconfig_item_t *item, char **text) {
    (void)item;
    *text = strdup(host.root);
    return *text != NULL ? 0 : -1;
}

int cf_util_get_boolean(const oconfig_item_t *item, bool *yes) {
    (void)item;
    (void)yes;
    return -1;
}

int cf_util_get_double(const oconfig_item_t *item, double *number) {
    (void)item;
    *number = host.sample_seconds;
    return 0;
}

char *sstrncpy(char *to, const char *from, size_t size) {
    snprintf(to, size, "%s", from);
    return to;
}

char *sstrerror(int number, char *text, size_t size) {
    snprintf(text, size, "error %d", number);
    return text;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *context) {
    host.created++;
    return host.create_error != 0 ? host.create_error
                                  : __real_pthread_create(thread, attributes, run, context);
}

/* --- tests ----------------------------------------------------------------------------------- */

static int start_with(void **state, double sample_seconds) {
    static char root_key[] = "Root";
    static char sample_key[] = "SampleInterval";
    if (tree_setup(state) != 0)
        return -1;
    const struct tree *tree = *state;
    tree_add_zone(tree, "intel-rapl:0", "package-0", 0, RANGE_61_UJ);
    tree_add_zone(tree, "intel-rapl:0:0", "dram", 0, RANGE_61_UJ);
    memset(&host, 0, sizeof(host));
    host.root = tree->path;
    host.interval = TIME_T_TO_CDTIME_T(10);
    host.sample_seconds = sample_seconds;
    module_register();
    oconfig_item_t items[] = {{.key = root_key}, {.key = sample_key}};
    oconfig_item_t block = {.children = items, .children_num = COUNT_OF(items)};
    return host.config(&block);
}

static int start(void **state) {
    return start_with(state, 0);
}

static int start_sampling(void **state) {
    return start_with(state, 0.002);
}

static int stop(void **state) {
    return tree_teardown(state);
}

/* The plugin leaves nothing open. */
static void test_values_that_nobody_takes(void **state) {
    const struct tree *tree = *state;
    const size_t before = tree_count_descriptors();
    host.dispatch_answer = -1;
    assert_int_equal(host.init(), 0);
    for (unsigned int i = 1; i <= READS; i++) {
        tree_set_energy(tree, "intel-rapl:0", i * 1000);
        host.dispatched = 0;
        assert_int_equal(host.read(NULL), 0);
        assert_in_range(host.dispatched, 3, 6);
        assert_true(host.package_joules == i * 1000 / 1e6);
    }
    assert_int_equal(host.errors, 0);
    assert_int_equal(host.shutdown(), 0);
    assert_int_equal(tree_count_descriptors(), before);
}

/* collectd would log an error for each value. */
static void test_type_that_is_not_known(void **state) {
    const struct tree *tree = *state;
    host.lacks = "energy";
    assert_int_equal(host.init(), 0);
    assert_int_equal(host.errors, 1);
    host.package_joules = -1;
    for (unsigned int i = 1; i <= READS; i++) {
        tree_set_energy(tree, "intel-rapl:0", i * 1000);
        assert_int_equal(host.read(NULL), 0);
    }
    assert_int_equal(host.errors, 1);
    assert_true(host.package_joules == -1);
    assert_int_equal(host.shutdown(), 0);
}

static void test_thread_that_cannot_be_made(void **state) {
    const struct tree *tree = *state;
    host.interval = TIME_T_TO_CDTIME_T(3600);
    host.create_error = EAGAIN;
    assert_int_equal(host.init(), 0);
    for (unsigned int i = 1; i <= READS; i++) {
        tree_set_energy(tree, "intel-rapl:0", i * 1000);
        assert_int_equal(host.read(NULL), 0);
        assert_true(host.package_joules == i * 1000 / 1e6);
    }
    assert_int_equal(host.created, READS);
    assert_int_equal(host.errors, 1);
    /* it is created as soon as that is possible */
    host.create_error = 0;
    for (unsigned int i = 0; i < READS; i++)
        assert_int_equal(host.read(NULL), 0);
    assert_int_equal(host.created, READS + 1);
    assert_int_equal(host.shutdown(), 0);
}

static void test_read_without_memory(void **state) {
    const struct tree *tree = *state;
    bool failed = true;
    host.create_error = EAGAIN; /* a thread would use some of the memory */
    assert_int_equal(host.init(), 0);
    for (int i = 0; i < 500 && failed; i++) {
        /* a zone goes, and returns the next time */
        tree_write(tree, "sys/devices/system/cpu/online", "0-%d\n", i % 2);
        tree_set(tree, "intel-rapl:0:0", "energy_uj", i % 2 == 0 ? "errno 19\n" : "7\n");
        fake_memory_fails_at(i / 2);
        assert_int_equal(host.read(NULL), 0);
        failed = fake_memory_has_failed() || i < 4;
        fake_memory_fails_at(-1);
    }
    assert_false(failed);
    host.dispatched = 0;
    tree_set_energy(tree, "intel-rapl:0:0", 7);
    for (int i = 0; i < 3; i++)
        assert_int_equal(host.read(NULL), 0);
    assert_true(host.dispatched >= 3);
    assert_int_equal(host.shutdown(), 0);
}

/* Runs with a counter that moves every few milliseconds, by the clocks of both threads. */
static void run_for(const struct tree *tree, uint64_t *energy_uj, unsigned int milliseconds) {
    for (unsigned int i = 0; i < milliseconds / 4; i++) {
        *energy_uj += 400000; /* 100 W */
        tree_set_energy(tree, "intel-rapl:0", *energy_uj);
        usleep(4000);
    }
    assert_int_equal(host.read(NULL), 0);
}

/* Reads alone are samples, too; the thread adds more, and all have the same load. */
static void test_samples_between_reads(void **state) {
    const struct tree *tree = *state;
    const size_t before = tree_count_descriptors();
    uint64_t energy_uj = 0;
    host.create_error = EAGAIN;
    assert_int_equal(host.init(), 0);
    for (unsigned int i = 0; i < 3; i++) {
        host.package_samples = -1;
        run_for(tree, &energy_uj, 100);
        assert_in_range((uint64_t)(host.package_samples + 1), 0, 2);
    }
    assert_int_equal(host.errors, 1);
    assert_int_equal(host.created, 3);
    host.create_error = 0;
    run_for(tree, &energy_uj, 100);
    run_for(tree, &energy_uj, 2000);
    assert_int_equal(host.created, 4);
    assert_true(host.package_samples >= 4);
    assert_true(host.package_max_watts > 0 && host.package_max_watts < 110);
    assert_int_equal(host.errors, 1);
    assert_int_equal(host.shutdown(), 0);
    assert_int_equal(tree_count_descriptors(), before);
}

static void test_start_that_fails(void **state) {
    (void)state;
    const size_t before = tree_count_descriptors();
    host.register_answer = ENOMEM;
    assert_int_not_equal(host.init(), 0);
    assert_int_equal(host.shutdown(), 0);
    assert_int_equal(tree_count_descriptors(), before);
    fake_memory_fails_at(0);
    assert_int_not_equal(host.init(), 0);
    fake_memory_fails_at(-1);
    assert_int_equal(host.shutdown(), 0);
    assert_int_equal(tree_count_descriptors(), before);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, start, stop)
#define SAMPLING(test) cmocka_unit_test_setup_teardown(test, start_sampling, stop)

int main(void) {
    const struct CMUnitTest tests[] = {
        ON(test_values_that_nobody_takes),    ON(test_thread_that_cannot_be_made),
        ON(test_type_that_is_not_known),      ON(test_thread_that_cannot_be_made),
        SAMPLING(test_samples_between_reads), ON(test_read_without_memory),
        SAMPLING(test_read_without_memory),   ON(test_start_that_fails),
    };
    return cmocka_run_group_tests_name("plugin", tests, NULL, NULL);
}
