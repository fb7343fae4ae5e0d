/* SPDX-License-Identifier: MIT */
#include "line_protocol.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define TIME_NS UINT64_C(1763792592000000000)
#define TIME_TEXT "1763792592000000000"

static const struct rapl_value package = {.series = 1,
                                          .name = "package-0",
                                          .parent = "package-0",
                                          .domain = "package",
                                          .package_id = 0,
                                          .die_id = RAPL_NO_ID,
                                          .core_id = RAPL_NO_ID,
                                          .energy_uj = 233415715,
                                          .has_power = true,
                                          .power_uw = 23341000};

static struct rapl_value with_domain(size_t series, const char *domain, int package_id) {
    struct rapl_value value = package;
    value.series = series;
    value.domain = domain;
    value.package_id = package_id;
    return value;
}

/* The tags keep the given order: the caller sorts them. */
static void expect_lines(const struct rapl_value *values, size_t count, const struct tag *tags,
                         size_t tag_count, const char *expected) {
    struct line_writer writer;
    const struct rapl_report report = {.time_ns = TIME_NS, .values = values, .value_count = count};
    line_writer_open(&writer, tags, tag_count, (struct line_fields){.energy = true});
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_int_equal(writer.length, strlen(expected));
    assert_memory_equal(writer.text, expected, writer.length);
    line_writer_close(&writer);
}

static void expect_line(struct line_fields fields, const struct rapl_value *value,
                        const char *expected) {
    struct line_writer writer;
    const struct rapl_report report = {.time_ns = TIME_NS, .values = value, .value_count = 1};
    line_writer_open(&writer, NULL, 0, fields);
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_int_equal(writer.length, strlen(expected));
    if (writer.length > 0)
        assert_memory_equal(writer.text, expected, writer.length);
    line_writer_close(&writer);
}

static void expect_fields(bool energy, const struct rapl_value *value, const char *expected) {
    expect_line((struct line_fields){.energy = energy}, value, expected);
}

static void test_one_line_per_series(void **state) {
    (void)state;
    struct rapl_value values[] = {package, with_domain(2, "dram", 0),
                                  with_domain(3, "psys", RAPL_NO_ID),
                                  with_domain(0, "total", RAPL_NO_ID)};
    values[1].energy_uj = 7;
    values[1].power_uw = 0;
    expect_lines(
        values, 4, NULL, 0,
        "rapl,domain=package,package_id=0 energy_joules=233.415715,power_watts=23.341 " TIME_TEXT
        "\nrapl,domain=dram,package_id=0 energy_joules=0.000007,power_watts=0.000 " TIME_TEXT
        "\nrapl,domain=psys energy_joules=233.415715,power_watts=23.341 " TIME_TEXT
        "\nrapl,domain=total energy_joules=233.415715,power_watts=23.341 " TIME_TEXT "\n");
}

static void test_die_and_core_only_where_there_is_one(void **state) {
    (void)state;
    struct rapl_value values[] = {package, package};
    values[0].die_id = 1;
    values[1].series = 2;
    values[1].die_id = 0;
    values[1].core_id = 12;
    expect_lines(values, 2, NULL, 0,
                 "rapl,die_id=1,domain=package,package_id=0 "
                 "energy_joules=233.415715,power_watts=23.341 " TIME_TEXT
                 "\nrapl,core_id=12,die_id=0,domain=package,package_id=0 "
                 "energy_joules=233.415715,power_watts=23.341 " TIME_TEXT "\n");
}

static void test_energy_alone(void **state) {
    (void)state;
    struct rapl_value value = package;
    value.has_power = false;
    expect_fields(true, &value,
                  "rapl,domain=package,package_id=0 energy_joules=233.415715 " TIME_TEXT "\n");
}

static void test_power_alone(void **state) {
    (void)state;
    expect_fields(false, &package,
                  "rapl,domain=package,package_id=0 power_watts=23.341 " TIME_TEXT "\n");
}

static void test_no_line_where_there_is_nothing_to_say(void **state) {
    (void)state;
    struct line_writer writer;
    const struct rapl_report empty = {.time_ns = TIME_NS};
    struct rapl_value value = package;
    value.has_power = false;
    expect_fields(false, &value, "");
    line_writer_open(&writer, NULL, 0, (struct line_fields){.energy = true});
    assert_int_equal(line_writer_format(&writer, &empty), 0);
    assert_int_equal(writer.length, 0);
    line_writer_close(&writer);
}

static void test_floats_have_a_point_and_no_exponent(void **state) {
    (void)state;
    static const struct {
        uint64_t energy_uj;
        uint64_t power_uw;
        const char *fields;
    } floats[] = {
        {0, 0, "energy_joules=0.000000,power_watts=0.000"},
        {1, 499, "energy_joules=0.000001,power_watts=0.000"},
        {10, 500, "energy_joules=0.000010,power_watts=0.001"},
        {999999, 999499, "energy_joules=0.999999,power_watts=0.999"},
        {1000000, 999500, "energy_joules=1.000000,power_watts=1.000"},
        {1000001, 1001000, "energy_joules=1.000001,power_watts=1.001"},
        {UINT64_C(4294967296000000), 10020000,
         "energy_joules=4294967296.000000,power_watts=10.020"},
        /* the maximum: 1 GW is the highest possible ceiling */
        {UINT64_MAX, UINT64_C(1000000000000000),
         "energy_joules=18446744073709.551615,power_watts=1000000000.000"},
        {0, UINT64_MAX, "energy_joules=0.000000,power_watts=18446744073709.552"},
    };
    for (size_t i = 0; i < COUNT_OF(floats); i++) {
        char expected[256];
        struct rapl_value value = with_domain(1, "psys", RAPL_NO_ID);
        value.energy_uj = floats[i].energy_uj;
        value.power_uw = floats[i].power_uw;
        strcpy(expected, "rapl,domain=psys ");
        strcat(expected, floats[i].fields);
        strcat(expected, " " TIME_TEXT "\n");
        expect_fields(true, &value, expected);
    }
}

static void test_tags_are_in_byte_order(void **state) {
    (void)state;
    static char keys[][8] = {"zone", "a", "dz", "Z", "p", "\xc3\xa4", "domain2"};
    static char value[] = "v";
    struct tag tags[COUNT_OF(keys)];
    struct rapl_value values[] = {package};
    values[0].die_id = 3;
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        tags[i] = (struct tag){.key = keys[i], .value = value};
    expect_lines(values, 1, tags, COUNT_OF(tags),
                 "rapl,Z=v,a=v,die_id=3,domain=package,domain2=v,dz=v,p=v,package_id=0,zone=v,"
                 "\xc3\xa4=v energy_joules=233.415715,power_watts=23.341 " TIME_TEXT "\n");
    /* the caller's tags stay unchanged */
    assert_string_equal(tags[0].key, "zone");
}

static void test_tags_are_escaped(void **state) {
    (void)state;
    static char key[] = "my key,=";
    static char value[] = "rack 4, row=2 \"q\" C:\\x";
    static char plain_key[] = "n";
    static char plain_value[] = "\xc3\xa4/:;'";
    const struct tag tags[] = {{plain_key, plain_value}, {key, value}};
    expect_lines(&package, 1, tags, 2,
                 "rapl,domain=package,my\\ key\\,\\==rack\\ 4\\,\\ row\\=2\\ \"q\"\\ C:\\x,"
                 "n=\xc3\xa4/:;',package_id=0 "
                 "energy_joules=233.415715,power_watts=23.341 " TIME_TEXT "\n");
}

/* --- statistics ------------------------------------------------------------------------------- */

#define LINE_BEGIN "rapl,domain=package,package_id=0 "

static struct rapl_value with_statistics(void) {
    struct rapl_value value = package;
    value.has_statistics = true;
    value.statistics = (struct rapl_statistics){.samples = 33,
                                                .mean_uw = 23341000,
                                                .min_uw = 499,
                                                .max_uw = 212000500,
                                                .stddev_uw = 3999999,
                                                .p50_uw = 23000000,
                                                .p95_uw = 190000000,
                                                .p99_uw = 201012345};
    return value;
}

static void test_statistics_follow_power(void **state) {
    (void)state;
    const struct rapl_value value = with_statistics();
    const struct line_fields all = {.energy = true, .statistics = RAPL_STATISTICS_ALL};
    const struct line_fields some = {.statistics = RAPL_STATISTIC_P99 | RAPL_STATISTIC_MIN};
    const struct line_fields none = {.energy = true};
    expect_line(all, &value,
                LINE_BEGIN "energy_joules=233.415715,power_watts=23.341,power_min_watts=0.000,"
                           "power_max_watts=212.001,power_stddev_watts=4.000,"
                           "power_p50_watts=23.000,power_p95_watts=190.000,"
                           "power_p99_watts=201.012,samples=33i " TIME_TEXT "\n");
    expect_line(some, &value,
                LINE_BEGIN "power_watts=23.341,power_min_watts=0.000,power_p99_watts=201.012,"
                           "samples=33i " TIME_TEXT "\n");
    expect_line(none, &value,
                LINE_BEGIN "energy_joules=233.415715,power_watts=23.341 " TIME_TEXT "\n");
}

/* If no sample was completed, the sample count is the only statistic. */
static void test_no_sample_is_told_as_none(void **state) {
    (void)state;
    const struct line_fields all = {.statistics = RAPL_STATISTICS_ALL};
    struct rapl_value value = with_statistics();
    value.statistics = (struct rapl_statistics){.samples = 0};
    expect_line(all, &value, LINE_BEGIN "power_watts=23.341,samples=0i " TIME_TEXT "\n");
    value.has_statistics = false;
    expect_line(all, &value, LINE_BEGIN "power_watts=23.341 " TIME_TEXT "\n");
}

static void test_statistics_by_their_names(void **state) {
    (void)state;
    static const char *const names[] = {"min", "max", "stddev", "p50", "p95", "p99"};
    const struct rapl_value value = with_statistics();
    const uint64_t powers_uw[] = {499, 212000500, 3999999, 23000000, 190000000, 201012345};
    struct rapl_power powers[RAPL_STATISTICS];
    unsigned int chosen = 0;
    assert_int_equal(rapl_statistics_list(&value, RAPL_STATISTICS_ALL, powers), RAPL_STATISTICS);
    for (size_t i = 0; i < RAPL_STATISTICS; i++) {
        unsigned int one = 0;
        assert_string_equal(powers[i].name, names[i]);
        assert_int_equal(powers[i].power_uw, powers_uw[i]);
        assert_int_equal(rapl_statistics_add(names[i], &one), 0);
        assert_int_equal(rapl_statistics_add(names[i], &chosen), 0);
        assert_int_equal(chosen, (2U << i) - 1);
        struct rapl_power alone[RAPL_STATISTICS];
        assert_int_equal(rapl_statistics_list(&value, one, alone), 1);
        assert_string_equal(alone[0].name, names[i]);
        assert_int_equal(alone[0].power_uw, powers_uw[i]);
    }
    assert_int_equal(rapl_statistics_list(&value, 0, powers), 0);
    assert_int_equal(rapl_statistics_list(&package, RAPL_STATISTICS_ALL, powers), 0);
    static const char *const unknown[] = {"", "MIN", "p9", "p990", "mean", "samples"};
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_int_equal(rapl_statistics_add(unknown[i], &chosen), -EINVAL);
    assert_int_equal(chosen, RAPL_STATISTICS_ALL);
}

/* --- health ----------------------------------------------------------------------------------- */

static const char health_line[] =
    "rapl_health,source=powercap zones=5i,sweeps=7i,read_errors=1i,wraps=2i,resets=3i,gaps=4i,"
    "rediscoveries=18446744073709551615i,sleeps=6i,missed_samples=7i,stalls=8i " TIME_TEXT "\n";

static struct rapl_report health_report(void) {
    return (struct rapl_report){.time_ns = TIME_NS,
                                .health = {.source = "powercap",
                                           .zones = 5,
                                           .sweeps = 7,
                                           .read_errors = 1,
                                           .wraps = 2,
                                           .resets = 3,
                                           .gaps = 4,
                                           .rediscoveries = UINT64_MAX,
                                           .sleeps = 6,
                                           .missed_samples = 7,
                                           .stalls = 8}};
}

static void test_health_is_integers(void **state) {
    (void)state;
    struct line_writer writer;
    const struct rapl_report report = health_report();
    line_writer_open(&writer, NULL, 0, (struct line_fields){.energy = true, .health = true});
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_int_equal(writer.length, strlen(health_line));
    assert_memory_equal(writer.text, health_line, writer.length);
    line_writer_close(&writer);
}

static void test_health_carries_the_tags(void **state) {
    (void)state;
    static char keys[][8] = {"zz", "rack"};
    static char value[] = "4";
    const struct tag tags[] = {{keys[0], value}, {keys[1], value}};
    static const char begin[] = "rapl_health,rack=4,source=powercap,zz=4 zones=5i,";
    struct line_writer writer;
    const struct rapl_report report = health_report();
    line_writer_open(&writer, tags, 2, (struct line_fields){.energy = true, .health = true});
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_memory_equal(writer.text, begin, strlen(begin));
    line_writer_close(&writer);
}

static void test_health_follows_the_values(void **state) {
    (void)state;
    static const char end[] = "\nrapl_health,";
    struct line_writer writer;
    struct rapl_report report = health_report();
    report.values = &package;
    report.value_count = 1;
    line_writer_open(&writer, NULL, 0, (struct line_fields){.energy = true, .health = true});
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_non_null(memmem(writer.text, writer.length, end, strlen(end)));
    assert_int_equal(writer.text[writer.length - 1], '\n');
    line_writer_close(&writer);
}

static void test_series_come_and_go(void **state) {
    (void)state;
    struct line_writer writer;
    struct rapl_value values[40];
    struct rapl_report report = {.time_ns = TIME_NS, .values = values};
    static const char line[] =
        "rapl,domain=gpu,package_id=39 energy_joules=233.415715,power_watts=23.341 " TIME_TEXT "\n";
    for (size_t i = 0; i < COUNT_OF(values); i++)
        values[i] = with_domain(i + 1, "gpu", (int)i);
    line_writer_open(&writer, NULL, 0, (struct line_fields){.energy = true});
    for (size_t count = 1; count <= COUNT_OF(values); count++) {
        report.value_count = count;
        assert_int_equal(line_writer_format(&writer, &report), 0);
    }
    assert_memory_equal(writer.text + writer.length - strlen(line), line, strlen(line));
    /* only the last value */
    report.values = &values[39];
    report.value_count = 1;
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_int_equal(writer.length, strlen(line));
    assert_memory_equal(writer.text, line, writer.length);
    report.value_count = 0;
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_int_equal(writer.length, 0);
    line_writer_close(&writer);
}

static void test_the_longest_lines_fit(void **state) {
    (void)state;
    const uint64_t most = UINT64_MAX - 500;
    struct line_writer writer;
    struct rapl_value values[8];
    struct rapl_report report = {.time_ns = UINT64_MAX,
                                 .values = values,
                                 .value_count = COUNT_OF(values),
                                 .health = {"powercap", UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                            UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                            UINT64_MAX, UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        values[i] = with_domain(i, "a", 2147483647);
        values[i].die_id = values[i].core_id = 2147483647;
        values[i].energy_uj = UINT64_MAX;
        values[i].power_uw = most;
        values[i].has_statistics = true;
        values[i].statistics =
            (struct rapl_statistics){UINT64_MAX, most, most, most, most, most, most, most};
    }
    line_writer_open(
        &writer, NULL, 0,
        (struct line_fields){.energy = true, .health = true, .statistics = RAPL_STATISTICS_ALL});
    assert_int_equal(line_writer_format(&writer, &report), 0);
    assert_true(writer.length <= writer.text_size);
    line_writer_close(&writer);
}

/* --- what users may tag ---------------------------------------------------------------------- */

static void test_good_tags(void **state) {
    (void)state;
    static const struct {
        const char *key;
        const char *value;
    } good[] = {
        {"rack", "4"},
        {"a b", "c d"},
        {"k=", "a=b,c"},
        {"win", "C:\\temp"},
        {"\xc3\xa4", "\xe2\x82\xac"},
        {"Domain", "x"},
        {"hosts", "x"},
        {"a_", "_x"},
        {"q", "\""},
        {"hash", "#"},
        {"_x", "y"},
        {"a", "b\\,c"},
        {"a", "b\\ c"},
        {"a", "b\\=c"},
        {"a", "b\\\\c"},
        {"a", "b\\\"c"},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_null(line_check_tag(good[i].key, good[i].value));
}

static void test_tags_that_line_protocol_cannot_hold(void **state) {
    (void)state;
    static const struct {
        const char *key;
        const char *value;
    } bad[] = {
        {"", "x"},         {"x", ""},        {"_field", "y"},   {"_measurement", "y"},
        {"a\nb", "x"},     {"a", "b\nc"},    {"a", "b\rc"},     {"a", "\t"},
        {"a", "\x7f"},     {"a", "\x1f"},    {"a", "b\\"},      {"a\\", "b"},
        {"a", "b\\\"c d"}, {"a", "b,\\\"c"}, {"a", "b=c\\\"d"}, {"a \\\"", "b"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_non_null(line_check_tag(bad[i].key, bad[i].value));
}

static void test_keys_of_the_plugin_are_refused(void **state) {
    (void)state;
    static const char *const taken[] = {
        "domain",        "package_id",  "die_id",        "core_id", "source",      "host",
        "energy_joules", "power_watts", "samples",       "zones",   "read_errors", "wraps",
        "resets",        "gaps",        "rediscoveries", "sleeps",  "time",        "sweeps",
    };
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        assert_non_null(line_check_tag(taken[i], "x"));
    /* whatever statistics are present */
    const struct rapl_value value = with_statistics();
    struct rapl_power powers[RAPL_STATISTICS];
    rapl_statistics_list(&value, RAPL_STATISTICS_ALL, powers);
    for (size_t i = 0; i < RAPL_STATISTICS; i++) {
        char key[64];
        snprintf(key, sizeof(key), "power_%s_watts", powers[i].name);
        assert_non_null(line_check_tag(key, "x"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_line_per_series),
        cmocka_unit_test(test_die_and_core_only_where_there_is_one),
        cmocka_unit_test(test_energy_alone),
        cmocka_unit_test(test_power_alone),
        cmocka_unit_test(test_no_line_where_there_is_nothing_to_say),
        cmocka_unit_test(test_floats_have_a_point_and_no_exponent),
        cmocka_unit_test(test_tags_are_in_byte_order),
        cmocka_unit_test(test_tags_are_escaped),
        cmocka_unit_test(test_statistics_follow_power),
        cmocka_unit_test(test_no_sample_is_told_as_none),
        cmocka_unit_test(test_statistics_by_their_names),
        cmocka_unit_test(test_health_is_integers),
        cmocka_unit_test(test_health_carries_the_tags),
        cmocka_unit_test(test_health_follows_the_values),
        cmocka_unit_test(test_series_come_and_go),
        cmocka_unit_test(test_the_longest_lines_fit),
        cmocka_unit_test(test_good_tags),
        cmocka_unit_test(test_tags_that_line_protocol_cannot_hold),
        cmocka_unit_test(test_keys_of_the_plugin_are_refused),
    };
    return cmocka_run_group_tests_name("line protocol", tests, NULL, NULL);
}
