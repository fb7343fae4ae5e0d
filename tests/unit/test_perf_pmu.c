/* SPDX-License-Identifier: MIT */
#include "source/perf/perf_pmu.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "system/error.h"
#include "system/sysfs.h"
#include "tree.h"

#define FOLDER "sys/bus/event_source/devices/power"
#define SCALE "2.3283064365386962890625e-10"

static struct problems problems;

static int setup(void **state) {
    problems = (struct problems){.root = "/"};
    return tree_setup(state);
}

static int teardown(void **state) {
    problems_free(&problems);
    return tree_teardown(state);
}

static void add_event(const struct tree *tree, const char *name, const char *event) {
    char path[256];
    snprintf(path, sizeof(path), FOLDER "/events/%s", name);
    tree_write(tree, path, "%s\n", event);
    snprintf(path, sizeof(path), FOLDER "/events/%s.scale", name);
    tree_write(tree, path, "%s\n", SCALE);
    snprintf(path, sizeof(path), FOLDER "/events/%s.unit", name);
    tree_write(tree, path, "Joules\n");
}

static void add_pmu(const struct tree *tree) {
    tree_write(tree, FOLDER "/type", "21\n");
    tree_write(tree, FOLDER "/cpumask", "0,4\n");
    tree_write(tree, FOLDER "/format/event", "config:0-7\n");
    add_event(tree, "energy-psys", "event=0x05");
    add_event(tree, "energy-ram", "event=0x03");
    add_event(tree, "energy-pkg", "event=0x02");
    add_event(tree, "energy-cores", "event=0x01");
}

static void expect_told(const char *part) {
    struct rapl_problem problem;
    assert_true(problems_next(&problems, &problem));
    if (strstr(problem.reason, part) == NULL)
        fail_msg("\"%s\" does not hold \"%s\"", problem.reason, part);
}

static void expect_nothing_told(void) {
    struct rapl_problem problem;
    if (problems_next(&problems, &problem))
        fail_msg("\"%s\"", problem.reason);
}

/* --- parsers --------------------------------------------------------------------------------- */

static void test_formats(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int error;
        unsigned int first;
        unsigned int last;
    } formats[] = {
        {"config:0-7", 0, 0, 7},
        {"config:0-63", 0, 0, 63},
        {"config:5", 0, 5, 5},
        {"config:8-15", 0, 8, 15},
        {"config:0-64", PMU_NOT_A_FORMAT, 0, 0},
        {"config:7-0", PMU_NOT_A_FORMAT, 0, 0},
        {"config:", PMU_NOT_A_FORMAT, 0, 0},
        {"config:0-", PMU_NOT_A_FORMAT, 0, 0},
        {"config:-7", PMU_NOT_A_FORMAT, 0, 0},
        {"config:0-7,32-35", PMU_NOT_A_FORMAT, 0, 0},
        {"config1:0-7", PMU_NOT_A_FORMAT, 0, 0},
        {"config:0-7 ", PMU_NOT_A_FORMAT, 0, 0},
        {"config:000-7", PMU_NOT_A_FORMAT, 0, 0},
        {"", PMU_NOT_A_FORMAT, 0, 0},
    };
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        struct pmu_field field = {.first = 99};
        assert_int_equal(pmu_parse_format(formats[i].text, &field), formats[i].error);
        if (formats[i].error != 0)
            continue;
        assert_int_equal(field.first, formats[i].first);
        assert_int_equal(field.last, formats[i].last);
    }
}

static void test_events(void **state) {
    (void)state;
    static const struct {
        const char *text;
        struct pmu_field field;
        int error;
        uint64_t config;
    } events[] = {
        {"event=0x02", {0, 7}, 0, 2},
        {"event=5", {0, 7}, 0, 5},
        {"event=0xFf", {0, 7}, 0, 255},
        {"event=0x100", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"event=256", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"event=0x3", {8, 15}, 0, 0x300},
        {"event=0xffffffffffffffff", {0, 63}, 0, UINT64_MAX},
        {"event=0x1ffffffffffffffff", {0, 63}, PMU_NOT_AN_EVENT, 0},
        {"event=", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"event=0x", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"event=0x02,umask=0x1", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"event=0x02 ", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"event= 2", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"event=-2", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"config=0x02", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"0x02", {0, 7}, PMU_NOT_AN_EVENT, 0},
        {"", {0, 7}, PMU_NOT_AN_EVENT, 0},
    };
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        uint64_t config = 0;
        const int error = pmu_parse_event(events[i].text, events[i].field, &config);
        if (error != events[i].error || (error == 0 && config != events[i].config))
            fail_msg("%s", events[i].text);
    }
}

static void test_scales_that_fit_are_exact(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t numerator_uj;
        uint64_t denominator;
    } scales[] = {
        {SCALE, 15625, 67108864}, /* 1000000 / 2^32 */
        {"0.00000000023283064365386962890625", 15625, 67108864},
        {"2.3283064365386962890625E-10", 15625, 67108864},
        {"4.5e-8", 9, 200},
        {"1e-6", 1, 1},
        {"1", 1000000, 1},
        {"1.0", 1000000, 1},
        {"0.001", 1000, 1},
        {"6.103515625e-05", 15625, 256}, /* 2^-14 */
        {"1e+3", 1000000000, 1},
    };
    for (size_t i = 0; i < COUNT_OF(scales); i++) {
        struct tick_scale scale = {.denominator = 0};
        if (pmu_parse_scale(scales[i].text, &scale) != 0 ||
            scale.numerator_uj != scales[i].numerator_uj ||
            scale.denominator != scales[i].denominator)
            fail_msg("%s: %u / %llu", scales[i].text, scale.numerator_uj,
                     (unsigned long long)scale.denominator);
    }
}

static void test_other_scales_are_close(void **state) {
    (void)state;
    static const struct {
        const char *text;
        long double joules;
    } scales[] = {
        {"1.2345678901234567890123e-10", 1.2345678901234567890123e-10L},
        {"3.14159265358979323846264338e-3", 3.14159265358979323846264338e-3L},
        {"4294.967295123456789", 4294.967295123456789L},
        {"2.3283064365386962890626e-10", 2.3283064365386962890626e-10L},
        {"99999999999999999999999999999999999999e-37", 9.9999999999999999999999999999999999999L},
        {"7.77777777777777777e-15", 7.77777777777777777e-15L},
    };
    for (size_t i = 0; i < COUNT_OF(scales); i++) {
        struct tick_scale scale = {.denominator = 0};
        assert_int_equal(pmu_parse_scale(scales[i].text, &scale), 0);
        const long double joules =
            (long double)scale.numerator_uj / (long double)scale.denominator / 1e6L;
        const long double error = joules / scales[i].joules - 1;
        if (error > 0x1p-31L || error < -0x1p-31L)
            fail_msg("%s: %Lg", scales[i].text, error);
    }
}

static void test_what_is_no_scale(void **state) {
    (void)state;
    static const char *const texts[] = {"",      "0",
                                        "0.0",   "-1",
                                        "+1",    " 1",
                                        "1 ",    "1e",
                                        "1e-",   "e-10",
                                        ".5",    "5.",
                                        "0x1p3", "nan",
                                        "inf",   "1,5",
                                        "1e999", "1e-999",
                                        "1e-99", "1e99",
                                        "1e5",   "1.5e-10 J",
                                        "1e1.5", "1.2.3",
                                        "1e-30", "999999999999999999999999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct tick_scale scale;
        if (pmu_parse_scale(texts[i], &scale) != PMU_NOT_A_SCALE)
            fail_msg("\"%s\" is a scale", texts[i]);
    }
}

/* --- files ----------------------------------------------------------------------------------- */

static void test_pmu_is_read(void **state) {
    const struct tree *tree = *state;
    static const char *const names[] = {"energy-pkg", "energy-cores", "energy-ram", "energy-psys"};
    static const uint64_t configs[] = {2, 1, 3, 5};
    struct pmu pmu;
    add_pmu(tree);
    tree_write(tree, FOLDER "/events/energy-pkg.per-pkg", "1\n");
    tree_write(tree, FOLDER "/events/other", "event=0x9\n");
    tree_write(tree, FOLDER "/events/energy-", "event=0x9\n");
    tree_write(tree, FOLDER "/events/energy-\n[error] a line", "event=0x9\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_true(pmu.present);
    assert_int_equal(pmu.type, 21);
    assert_int_equal(pmu.cpu_count, 2);
    assert_int_equal(pmu.cpus[1], 4);
    assert_int_equal(pmu.event_count, COUNT_OF(names));
    assert_int_equal(pmu.event_names, COUNT_OF(names));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_string_equal(pmu.events[i].name, names[i]);
        assert_int_equal(pmu.events[i].config, configs[i]);
        assert_int_equal(pmu.events[i].scale.numerator_uj, 15625);
    }
    assert_string_equal(pmu.events[0].path, FOLDER "/events/energy-pkg");
    pmu_free(&pmu);
    expect_nothing_told();
}

static void test_long_cpumask_is_read_whole(void **state) {
    const struct tree *tree = *state;
    struct pmu pmu;
    add_pmu(tree);
    tree_write(tree, FOLDER "/cpumask", "1-5000,8191\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.cpu_count, 5001);
    for (unsigned int i = 0; i < 5000; i++)
        assert_int_equal(pmu.cpus[i], i + 1);
    assert_int_equal(pmu.cpus[5000], 8191);
    pmu_free(&pmu);
}

static void test_junk_takes_one_event_out_and_is_named(void **state) {
    const struct tree *tree = *state;
    static const struct {
        const char *file;
        const char *text;
        const char *told;
    } junk[] = {
        {"energy-ram", "event=0x03,ldlat=3\n", "energy-ram: is not an event of this format"},
        {"energy-ram", "", "energy-ram: is empty"},
        {"energy-ram.scale", "2.3.3\n", "energy-ram.scale: is not a scale"},
        {"energy-ram.unit", "Watts\n", "energy-ram.unit: is not Joules"},
        {"energy-ram.unit", NULL, "energy-ram.unit: No such file"},
        {"energy-ram.scale", NULL, "energy-ram.scale: No such file"},
    };
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        struct pmu pmu;
        char path[256];
        add_pmu(tree);
        snprintf(path, sizeof(path), FOLDER "/events/%s", junk[i].file);
        if (junk[i].text != NULL)
            tree_write(tree, path, "%s", junk[i].text);
        else
            tree_remove(tree, path);
        problems_begin(&problems, PASS_SOURCE);
        assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
        assert_int_equal(pmu.event_count, 3);
        assert_int_equal(pmu.event_names, 4);
        pmu_free(&pmu);
        expect_told(junk[i].told);
        expect_nothing_told();
        problems_free(&problems);
    }
}

static void test_long_name_is_left_out(void **state) {
    const struct tree *tree = *state;
    struct pmu pmu;
    char name[128] = "energy-";
    memset(name + strlen(name), 'x', 80);
    add_pmu(tree);
    add_event(tree, name, "event=0x09");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.event_count, 4);
    pmu_free(&pmu);
    expect_told("is too long");
}

static void test_format_decides_where_the_event_goes(void **state) {
    const struct tree *tree = *state;
    struct pmu pmu;
    add_pmu(tree);
    tree_write(tree, FOLDER "/format/event", "config:8-15\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.events[0].config, 0x200);
    pmu_free(&pmu);
    tree_write(tree, FOLDER "/format/event", "junk\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.event_count, 0);
    pmu_free(&pmu);
    expect_told("format/event: is not the format of an energy event");
    expect_nothing_told();
    tree_remove(tree, FOLDER "/format");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.events[0].config, 2);
    pmu_free(&pmu);
}

static void test_cpumask(void **state) {
    const struct tree *tree = *state;
    struct pmu pmu;
    add_pmu(tree);
    tree_write(tree, FOLDER "/cpumask", "0-3,8-11\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.cpu_count, 8);
    assert_int_equal(pmu.cpus[4], 8);
    pmu_free(&pmu);
    tree_write(tree, FOLDER "/cpumask", "\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.cpu_count, 0);
    pmu_free(&pmu);
    tree_remove(tree, FOLDER "/cpumask");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.cpu_count, 0);
    assert_int_equal(pmu.event_count, 4);
    pmu_free(&pmu);
    expect_nothing_told();
    tree_write(tree, FOLDER "/cpumask", "0,x\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.cpu_count, 0);
    assert_int_equal(pmu.event_count, 4);
    pmu_free(&pmu);
    expect_told("cpumask: ");
}

static void test_list_of_events_that_is_cut_short_is_an_error(void **state) {
    const struct tree *tree = *state;
    struct pmu pmu;
    add_pmu(tree);
    fake_readdir_fails(EIO, 4);
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), -EIO);
    assert_int_equal(pmu.event_count, 0);
}

static void test_type(void **state) {
    const struct tree *tree = *state;
    static const char *const junk[] = {"", "x\n", "-1\n", "4294967296\n"};
    struct pmu pmu;
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), -ENOENT);
    assert_false(pmu.present);
    expect_nothing_told();
    add_pmu(tree);
    for (size_t i = 0; i < COUNT_OF(junk); i++) {
        tree_write(tree, FOLDER "/type", "%s", junk[i]);
        assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
        assert_false(pmu.present);
        assert_int_equal(pmu.event_count, 0);
        expect_told("power/type: ");
        problems_free(&problems);
    }
}

static void test_pmu_without_events(void **state) {
    const struct tree *tree = *state;
    struct pmu pmu;
    tree_write(tree, FOLDER "/type", "21\n");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_true(pmu.present);
    assert_int_equal(pmu.event_names, 0);
    pmu_free(&pmu);
    tree_make_folder(tree, FOLDER "/events");
    assert_int_equal(pmu_load(tree->root, "power", &pmu, &problems), 0);
    assert_int_equal(pmu.event_names, 0);
    pmu_free(&pmu);
    expect_nothing_told();
}

static void test_registration_and_mark_tell_of_changes(void **state) {
    const struct tree *tree = *state;
    struct pmu first;
    struct pmu second;
    add_pmu(tree);
    const uint64_t mark = pmu_mark(tree->root, "power");
    assert_int_equal(pmu_load(tree->root, "power", &first, &problems), 0);
    assert_int_equal(pmu_load(tree->root, "power", &second, &problems), 0);
    assert_int_equal(first.registration, second.registration);
    assert_int_equal(pmu_mark(tree->root, "power"), mark);
    pmu_free(&second);
    /* registered again with the same number */
    tree_write(tree, FOLDER "/type.new", "21\n");
    tree_move(tree, FOLDER "/type.new", FOLDER "/type");
    assert_int_equal(pmu_load(tree->root, "power", &second, &problems), 0);
    assert_int_not_equal(first.registration, second.registration);
    assert_int_not_equal(pmu_mark(tree->root, "power"), mark);
    pmu_free(&second);
    pmu_free(&first);
    uint64_t last = pmu_mark(tree->root, "power");
    tree_write(tree, FOLDER "/cpumask", "0-3\n");
    assert_int_not_equal(pmu_mark(tree->root, "power"), last);
    last = pmu_mark(tree->root, "power");
    add_event(tree, "energy-gpu", "event=0x04");
    assert_int_not_equal(pmu_mark(tree->root, "power"), last);
    assert_int_equal(pmu_mark(tree->root, "absent"), pmu_mark(tree->root, "absent"));
}

static void test_memory_that_fails_is_told(void **state) {
    const struct tree *tree = *state;
    bool failed = true;
    add_pmu(tree);
    for (int i = 0; failed; i++) {
        struct pmu pmu;
        assert_in_range(i, 0, 100);
        fake_memory_fails_at(i);
        const int error = pmu_load(tree->root, "power", &pmu, &problems);
        failed = fake_memory_has_failed();
        fake_memory_fails_at(-1);
        assert_int_equal(error, failed ? -ENOMEM : 0);
        pmu_free(&pmu);
    }
    expect_nothing_told();
}

#define READ(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_scales_that_fit_are_exact),
        cmocka_unit_test(test_other_scales_are_close),
        cmocka_unit_test(test_what_is_no_scale),
        READ(test_pmu_is_read),
        READ(test_long_cpumask_is_read_whole),
        READ(test_junk_takes_one_event_out_and_is_named),
        READ(test_long_name_is_left_out),
        READ(test_format_decides_where_the_event_goes),
        READ(test_cpumask),
        READ(test_list_of_events_that_is_cut_short_is_an_error),
        READ(test_type),
        READ(test_pmu_without_events),
        READ(test_registration_and_mark_tell_of_changes),
        READ(test_memory_that_fails_is_told),
    };
    return cmocka_run_group_tests_name("perf_pmu", tests, NULL, NULL);
}
