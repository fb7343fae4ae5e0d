/* SPDX-License-Identifier: MIT */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

#define WORDS_MAX 16

/* Arguments after the program's name, ended by NULL. */
struct command {
    const char *words[WORDS_MAX];
};

static int parse(const struct command *command, struct execd_options *options, char *problem,
                 size_t size) {
    static char text[WORDS_MAX][128];
    static char program[] = "rapl-execd";
    char *words[WORDS_MAX + 2] = {program};
    int count = 1;
    for (size_t i = 0; i < WORDS_MAX && command->words[i] != NULL; i++) {
        assert_true(strlen(command->words[i]) < sizeof(text[i]));
        strcpy(text[i], command->words[i]);
        words[count++] = text[i];
    }
    problem[0] = '\0';
    return options_parse(count, words, options, problem, size);
}

static struct execd_options accept_words(struct command command) {
    struct execd_options options;
    char problem[256];
    const int error = parse(&command, &options, problem, sizeof(problem));
    if (error != 0)
        fail_msg("refused: %s", problem);
    return options;
}

#define ACCEPT(...) accept_words((struct command){{__VA_ARGS__}})
#define REFUSE(part, ...) refuse_words(part, (struct command){{__VA_ARGS__}})

/* The error message must contain part, the name of the option. */
static void refuse_words(const char *part, struct command command) {
    struct execd_options options;
    char problem[256];
    const int error = parse(&command, &options, problem, sizeof(problem));
    options_free(&options);
    assert_int_equal(error, -EINVAL);
    if (strstr(problem, part) == NULL)
        fail_msg("\"%s\" does not name \"%s\"", problem, part);
}

static void test_defaults(void **state) {
    (void)state;
    struct execd_options options = ACCEPT(NULL);
    assert_int_equal(options.mode, EXECD_RUN);
    assert_int_equal(options.rapl.source, RAPL_SOURCE_AUTO);
    assert_null(options.rapl.root);
    assert_int_equal(options.rapl.include_count, 0);
    assert_int_equal(options.rapl.exclude_count, 0);
    assert_int_equal(options.rapl.max_power_uw, 0);
    assert_int_equal(options.interval_ns, 0);
    assert_int_equal(options.tag_count, 0);
    assert_true(options.fields.energy);
    assert_int_equal(options.fields.statistics, RAPL_STATISTICS_ALL);
    assert_int_equal(options.rapl.sample_interval_ns, 0);
    assert_true(options.rapl.total);
    assert_false(options.fields.health);
    assert_false(options.rapl.cores);
    assert_false(options.debug);
    options_free(&options);
}

static void test_modes(void **state) {
    (void)state;
    static const struct {
        const char *word;
        enum execd_mode mode;
    } modes[] = {{"--once", EXECD_ONCE}, {"--check", EXECD_CHECK},     {"--help", EXECD_HELP},
                 {"-h", EXECD_HELP},     {"--version", EXECD_VERSION}, {"-V", EXECD_VERSION}};
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        struct execd_options options = ACCEPT(modes[i].word);
        assert_int_equal(options.mode, modes[i].mode);
        options_free(&options);
        if (strlen(modes[i].word) == 2)
            continue;
        char word[32];
        snprintf(word, sizeof(word), "%s=yes", modes[i].word);
        REFUSE(modes[i].word, word);
    }
    struct execd_options options = ACCEPT("--debug");
    assert_true(options.debug && !options.quiet);
    options_free(&options);
    options = ACCEPT("--quiet");
    assert_true(options.quiet && !options.debug);
    options_free(&options);
}

static void test_value_may_be_a_word_of_its_own(void **state) {
    (void)state;
    struct execd_options options = ACCEPT("--root", "/host", "--interval", "10s");
    assert_string_equal(options.rapl.root, "/host");
    assert_int_equal(options.interval_ns, UINT64_C(10000000000));
    options_free(&options);
}

static void test_durations(void **state) {
    (void)state;
    static const struct {
        const char *word;
        uint64_t ns;
    } good[] = {
        {"--interval=1ms", UINT64_C(1000000)},
        {"--interval=500ms", UINT64_C(500000000)},
        {"--interval=10s", UINT64_C(10000000000)},
        {"--interval=010s", UINT64_C(10000000000)},
        {"--interval=1m", UINT64_C(60000000000)},
        {"--interval=24h", UINT64_C(86400000000000)},
        {"--interval=86400s", UINT64_C(86400000000000)},
        {"--interval=1h", UINT64_C(3600000000000)},
        {"--interval=1d", UINT64_C(86400000000000)},
        {"--interval=0.5d", UINT64_C(43200000000000)},
        {"--interval=1.5s", UINT64_C(1500000000)},
        {"--interval=1.50s", UINT64_C(1500000000)},
        {"--interval=0.001s", UINT64_C(1000000)},
        {"--interval=1.000000001s", UINT64_C(1000000001)},
        {"--interval=1.0000000019s", UINT64_C(1000000001)},
        {"--interval=0.1m", UINT64_C(6000000000)},
    };
    static const char *const bad[] = {
        "--interval=10",
        "--interval=",
        "--interval=s",
        "--interval=0s",
        "--interval=-1s",
        "--interval=+1s",
        "--interval=1.s",
        "--interval=.5s",
        "--interval=1.5",
        "--interval=1,5s",
        "--interval=1.5.5s",
        "--interval=1.-5s",
        "--interval=0.0009999s",
        "--interval=0.5ms",
        "--interval=1.1d",
        "--interval=1D",
        "--interval=1 s",
        "--interval= 1s",
        "--interval=1s ",
        "--interval=10S",
        "--interval=10sec",
        "--interval=1m30s",
        "--interval=1us",
        "--interval=25h",
        "--interval=86401s",
        "--interval=99999999999999999999999ms",
        "--interval=18446744073709551616ms",
        "--interval=ten",
        "--interval=1e3ms",
        "--interval=0x10s",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct execd_options options = ACCEPT(good[i].word);
        assert_int_equal(options.interval_ns, good[i].ns);
        options_free(&options);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        REFUSE("--interval", bad[i]);
}

static void test_once_needs_the_time_that_power_takes(void **state) {
    (void)state;
    REFUSE("--interval", "--once", "--interval=49ms");
    REFUSE("--interval", "--interval=49ms", "--once");
    struct execd_options options = ACCEPT("--once", "--interval=50ms");
    options_free(&options);
    options = ACCEPT("--interval=49ms");
    options_free(&options);
}

static void test_sources(void **state) {
    (void)state;
    struct execd_options options = ACCEPT("--source=auto");
    assert_int_equal(options.rapl.source, RAPL_SOURCE_AUTO);
    options_free(&options);
    options = ACCEPT("--source=powercap");
    assert_int_equal(options.rapl.source, RAPL_SOURCE_POWERCAP);
    options_free(&options);
    options = ACCEPT("--source=perf");
    assert_int_equal(options.rapl.source, RAPL_SOURCE_PERF);
    options_free(&options);
    options = ACCEPT("--source=msr");
    assert_int_equal(options.rapl.source, RAPL_SOURCE_MSR);
    options_free(&options);
    REFUSE("--source", "--source=PowerCap");
    REFUSE("--source", "--source=");
}

static void test_root_is_not_empty(void **state) {
    (void)state;
    struct execd_options options = ACCEPT("--root=/host");
    assert_string_equal(options.rapl.root, "/host");
    options_free(&options);
    REFUSE("--root", "--root=");
}

static void test_patterns_repeat(void **state) {
    (void)state;
    struct execd_options options =
        ACCEPT("--include=package-0", "--exclude=psys", "--include", "*/dram", "--exclude=total");
    assert_int_equal(options.rapl.include_count, 2);
    assert_string_equal(options.rapl.include[0], "package-0");
    assert_string_equal(options.rapl.include[1], "*/dram");
    assert_int_equal(options.rapl.exclude_count, 2);
    assert_string_equal(options.rapl.exclude[0], "psys");
    assert_string_equal(options.rapl.exclude[1], "total");
    options_free(&options);
    REFUSE("--include", "--include=psys", "--include=");
    REFUSE("--exclude", "--exclude=");
}

static void test_max_power(void **state) {
    (void)state;
    static const struct {
        const char *word;
        uint64_t uw;
    } good[] = {
        {"--max-power=400", UINT64_C(400000000)},
        {"--max-power=0.001", 1000},
        {"--max-power=12.5", 12500000},
        {"--max-power=.5", 500000},
        {"--max-power=1000000000", UINT64_C(1000000000000000)},
    };
    static const char *const bad[] = {
        "--max-power=0",    "--max-power=0.0009", "--max-power=1000000001", "--max-power=-1",
        "--max-power=+1",   "--max-power=",       "--max-power=.",          "--max-power=1.2.3",
        "--max-power=400W", "--max-power=0x10",   "--max-power=1e3",        "--max-power=inf",
        "--max-power=nan",  "--max-power= 1",     "--max-power=1,5",
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct execd_options options = ACCEPT(good[i].word);
        assert_int_equal(options.rapl.max_power_uw, good[i].uw);
        options_free(&options);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        REFUSE("--max-power", bad[i]);
}

static const char *const booleans[] = {"--energy", "--total", "--health", "--cores"};

static bool read_boolean(const struct execd_options *options, size_t which) {
    const bool values[] = {options->fields.energy, options->rapl.total, options->fields.health,
                           options->rapl.cores};
    return values[which];
}

static void test_booleans(void **state) {
    (void)state;
    static const char *const words[] = {"no", "yes", "false", "true", "off", "on"};
    static const char *const bad[] = {"", "Yes", "1", "0", "yes ", "nope"};
    char word[64];
    for (size_t i = 0; i < COUNT_OF(booleans); i++) {
        for (size_t j = 0; j < COUNT_OF(words); j++) {
            /* the last occurrence counts */
            snprintf(word, sizeof(word), "%s=%s", booleans[i], words[j]);
            struct execd_options options = ACCEPT(booleans[i], words[(j + 1) % 2], word);
            assert_int_equal(read_boolean(&options, i), j % 2);
            options_free(&options);
            options = ACCEPT(word, booleans[i], words[j]);
            assert_int_equal(read_boolean(&options, i), j % 2);
            options_free(&options);
        }
        for (size_t j = 0; j < COUNT_OF(bad); j++) {
            snprintf(word, sizeof(word), "%s=%s", booleans[i], bad[j]);
            REFUSE(booleans[i], word);
        }
    }
}

static void test_boolean_alone_means_yes(void **state) {
    (void)state;
    char word[64];
    for (size_t i = 0; i < COUNT_OF(booleans); i++) {
        snprintf(word, sizeof(word), "%s=no", booleans[i]);
        struct execd_options options = ACCEPT(word, booleans[i]);
        assert_true(read_boolean(&options, i));
        options_free(&options);
        options = ACCEPT(word, booleans[i], "--once");
        assert_true(read_boolean(&options, i));
        assert_int_equal(options.mode, EXECD_ONCE);
        options_free(&options);
        /* a word that is not a boolean is an unexpected argument */
        REFUSE("'maybe'", booleans[i], "maybe");
        REFUSE("'once'", booleans[i], "once", "--check");
        REFUSE("'no'", booleans[i], "yes", "no");
    }
    struct execd_options options = ACCEPT("--statistics", "--once");
    assert_int_equal(options.rapl.statistics, RAPL_STATISTICS_ALL);
    options_free(&options);
    options = ACCEPT("--statistics", "max,p99");
    assert_int_equal(options.rapl.statistics, RAPL_STATISTIC_MAX | RAPL_STATISTIC_P99);
    options_free(&options);
    REFUSE("'maximum'", "--statistics", "maximum");
}

static void test_sample_interval(void **state) {
    (void)state;
    struct execd_options options = ACCEPT("--sample-interval=off");
    assert_int_equal(options.rapl.sample_interval_ns, 0);
    options_free(&options);
    options = ACCEPT("--sample-interval=1ms");
    assert_int_equal(options.rapl.sample_interval_ns, 1000000);
    options_free(&options);
    options = ACCEPT("--interval=10ms", "--sample-interval", "10ms");
    assert_int_equal(options.rapl.sample_interval_ns, 10000000);
    options_free(&options);
    REFUSE("--sample-interval", "--sample-interval=junk");
    REFUSE("--sample-interval", "--sample-interval=0ms");
    REFUSE("--sample-interval", "--sample-interval=100us");
    REFUSE("--sample-interval", "--sample-interval=11ms", "--interval=10ms");
}

static void test_statistics(void **state) {
    (void)state;
    struct execd_options options = ACCEPT("--statistics=yes");
    assert_int_equal(options.fields.statistics, RAPL_STATISTICS_ALL);
    options_free(&options);
    options = ACCEPT("--statistics=no");
    assert_int_equal(options.rapl.statistics, 0);
    assert_int_equal(options.fields.statistics, 0);
    options_free(&options);
    options = ACCEPT("--statistics=p99,max,max");
    assert_int_equal(options.rapl.statistics, RAPL_STATISTIC_P99 | RAPL_STATISTIC_MAX);
    assert_int_equal(options.fields.statistics, options.rapl.statistics);
    options_free(&options);
    options = ACCEPT("--statistics=min,max,stddev,p50,p95,p99");
    assert_int_equal(options.fields.statistics, RAPL_STATISTICS_ALL);
    options_free(&options);
    static const char *const bad[] = {"--statistics=",        "--statistics=max,",
                                      "--statistics=,p99",    "--statistics=p90",
                                      "--statistics=yes,max", "--statistics=maximum_of_this"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        REFUSE("--statistics", bad[i]);
}

static void test_tags(void **state) {
    (void)state;
    struct execd_options options = ACCEPT("--tag=rack=4", "--tag", "room=a=b c,d");
    assert_int_equal(options.tag_count, 2);
    assert_string_equal(options.tags[0].key, "rack");
    assert_string_equal(options.tags[0].value, "4");
    assert_string_equal(options.tags[1].key, "room");
    assert_string_equal(options.tags[1].value, "a=b c,d");
    options_free(&options);
    REFUSE("--tag", "--tag=rack");
    REFUSE("--tag", "--tag=");
    REFUSE("--tag", "--tag==4");
    REFUSE("--tag", "--tag=rack=");
    REFUSE("--tag", "--tag=domain=x");
    REFUSE("--tag", "--tag=host=x");
    REFUSE("--tag", "--tag=_field=y");
    REFUSE("--tag", "--tag=a=b\nc=d");
    REFUSE("--tag", "--tag=rack=4", "--tag=rack=4");
}

static void test_options_that_lack_their_value(void **state) {
    (void)state;
    static const char *const names[] = {"--interval",        "--source",  "--root",
                                        "--include",         "--exclude", "--max-power",
                                        "--sample-interval", "--tag"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        REFUSE(names[i], "--once", names[i]);
}

static void test_unknown_words_are_named(void **state) {
    (void)state;
    REFUSE("--unknown", "--unknown");
    REFUSE("--unknown=1", "--once", "--unknown=1");
    REFUSE("--in", "--in=1"); /* interval or include? */
    REFUSE("word", "word");
    REFUSE("word", "--once", "word", "--check");
    REFUSE("word", "--once", "--", "word");
    REFUSE("-x", "-x");
}

static void test_option_with_one_dash_is_named(void **state) {
    (void)state;
    REFUSE("-once", "-once");
    REFUSE("-interval=10s", "--check", "-interval=10s");
}

static void test_long_words_do_not_overflow_the_message(void **state) {
    (void)state;
    struct execd_options options;
    char problem[16];
    struct command command = {{"--unknown-and-longer-than-the-room"}};
    assert_int_equal(parse(&command, &options, problem, sizeof(problem)), -EINVAL);
    assert_true(strlen(problem) < sizeof(problem));
    options_free(&options);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_value_may_be_a_word_of_its_own),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_once_needs_the_time_that_power_takes),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_root_is_not_empty),
        cmocka_unit_test(test_patterns_repeat),
        cmocka_unit_test(test_max_power),
        cmocka_unit_test(test_booleans),
        cmocka_unit_test(test_boolean_alone_means_yes),
        cmocka_unit_test(test_sample_interval),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_options_that_lack_their_value),
        cmocka_unit_test(test_unknown_words_are_named),
        cmocka_unit_test(test_option_with_one_dash_is_named),
        cmocka_unit_test(test_long_words_do_not_overflow_the_message),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
