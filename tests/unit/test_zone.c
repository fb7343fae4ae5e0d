/* SPDX-License-Identifier: MIT */
#include "zone/zone.h"

#include <errno.h>
#include <string.h>

#include "cmocka_all.h"
#include "rapl.h"

static struct zone_identity identify(const char *name, const struct zone_identity *parent) {
    struct zone_identity identity;
    assert_int_equal(zone_identify(name, parent, &identity), 0);
    assert_int_equal(identity.core_id, RAPL_NO_ID);
    return identity;
}

static void expect_texts(const struct zone_identity *identity, const char *parent,
                         const char *name) {
    char parent_text[ZONE_PARENT_SIZE];
    char name_text[ZONE_NAME_SIZE];
    zone_format_parent(identity, parent_text);
    zone_format_name(identity, name_text);
    assert_string_equal(parent_text, parent);
    assert_string_equal(name_text, name);
}

static void expect_zone(const char *name, enum zone_kind kind, const char *domain, int package_id,
                        int die_id) {
    const struct zone_identity identity = identify(name, NULL);
    assert_int_equal(identity.kind, kind);
    assert_string_equal(identity.domain, domain);
    assert_int_equal(identity.package_id, package_id);
    assert_int_equal(identity.die_id, die_id);
    assert_string_equal(identity.parent, "");
}

static void test_packages_and_dies(void **state) {
    (void)state;
    expect_zone("package-0", ZONE_PACKAGE, "package", 0, RAPL_NO_ID);
    expect_zone("package-1", ZONE_PACKAGE, "package", 1, RAPL_NO_ID);
    expect_zone("package-12", ZONE_PACKAGE, "package", 12, RAPL_NO_ID);
    expect_zone("package-2147483647", ZONE_PACKAGE, "package", 2147483647, RAPL_NO_ID);
    expect_zone("package-0-die-0", ZONE_PACKAGE, "package", 0, 0);
    expect_zone("package-3-die-10", ZONE_PACKAGE, "package", 3, 10);
}

static void test_psys_and_its_package(void **state) {
    (void)state;
    expect_zone("psys", ZONE_PSYS, "psys", RAPL_NO_ID, RAPL_NO_ID);
    expect_zone("psys-0", ZONE_PSYS, "psys", 0, RAPL_NO_ID);
    expect_zone("psys-1", ZONE_PSYS, "psys", 1, RAPL_NO_ID);
}

static void test_name_that_the_kernel_does_not_print_is_a_domain_of_its_own(void **state) {
    (void)state;
    static const char *const names[] = {
        "package-",
        "package-a",
        "package--1",
        "package-+1",
        "package-00",
        "package-01",
        "package-2147483648",
        "package-99999999999999999999",
        "package-0x",
        "package-0-",
        "package-0-die",
        "package-0-die-",
        "package-0-die-x",
        "package-0-die-01",
        "package-0-die-1-die-2",
        "package-0-die-2147483648",
        "package-0-die-1-",
        "Package-0",
        "package-0-core-1",
        "psys-",
        "psys-x",
        "psys-01",
        "psys-1x",
        "psys1",
        "psysx",
        "psys--1",
        "pack",
        "psy",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct zone_identity identity = identify(names[i], NULL);
        assert_int_equal(identity.kind, ZONE_OTHER);
        assert_int_equal(identity.package_id, RAPL_NO_ID);
        assert_int_equal(identity.die_id, RAPL_NO_ID);
        assert_int_equal(identity.domain[0], names[i][0]);
        assert_int_equal(strlen(identity.domain), strlen(names[i]));
    }
}

static void test_unsafe_characters_become_underscores(void **state) {
    (void)state;
    expect_zone("a b,c=d/e\"f\n\x7f\xc3\xa4", ZONE_OTHER, "a_b_c_d_e_f____", RAPL_NO_ID,
                RAPL_NO_ID);
    expect_zone("azAZ09_.-", ZONE_OTHER, "azAZ09_.-", RAPL_NO_ID, RAPL_NO_ID);
    /* the characters next to the allowed ones */
    expect_zone("`{@[/:", ZONE_OTHER, "______", RAPL_NO_ID, RAPL_NO_ID);
}

static void test_name_is_neither_empty_nor_longer_than_a_name(void **state) {
    (void)state;
    char name[ZONE_TEXT_SIZE + 1];
    struct zone_identity identity;
    assert_int_equal(zone_identify("", NULL, &identity), -EINVAL);
    memset(name, 'n', sizeof(name));
    name[ZONE_TEXT_SIZE] = '\0';
    assert_int_equal(zone_identify(name, NULL, &identity), -EINVAL);
    name[ZONE_TEXT_SIZE - 1] = '\0';
    assert_int_equal(zone_identify(name, NULL, &identity), 0);
    assert_string_equal(identity.domain, name);
}

static void test_kernel_cannot_name_a_series_of_ours(void **state) {
    (void)state;
    const struct zone_identity package = identify("package-0", NULL);
    expect_zone("total", ZONE_OTHER, "total_", RAPL_NO_ID, RAPL_NO_ID);
    expect_zone("lead_core", ZONE_OTHER, "lead_core_", RAPL_NO_ID, RAPL_NO_ID);
    expect_zone("lead core", ZONE_OTHER, "lead_core_", RAPL_NO_ID, RAPL_NO_ID);
    expect_zone("package", ZONE_OTHER, "package_", RAPL_NO_ID, RAPL_NO_ID);
    assert_string_equal(identify("total", &package).domain, "total_");
    assert_string_equal(identify("lead_core", &package).domain, "lead_core_");
    assert_string_equal(identify("package", &package).domain, "package_");
    assert_string_equal(identify("psys", &package).domain, "psys_");
    assert_int_equal(identify("psys", &package).kind, ZONE_OTHER);
}

static void test_sub_zones_belong_to_their_parent(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum zone_kind kind;
        const char *full_name;
    } sub_zones[] = {
        {"core", ZONE_CORE, "package-2-die-3/core"},
        {"uncore", ZONE_UNCORE, "package-2-die-3/uncore"},
        {"dram", ZONE_DRAM, "package-2-die-3/dram"},
        {"gpu", ZONE_OTHER, "package-2-die-3/gpu"},
        /* a top-level name below another zone is not that zone */
        {"package-0", ZONE_OTHER, "package-2-die-3/package-0"},
        {"psys-1", ZONE_OTHER, "package-2-die-3/psys-1"},
    };
    const struct zone_identity package = identify("package-2-die-3", NULL);
    for (size_t i = 0; i < COUNT_OF(sub_zones); i++) {
        const struct zone_identity identity = identify(sub_zones[i].name, &package);
        assert_int_equal(identity.kind, sub_zones[i].kind);
        assert_string_equal(identity.domain, sub_zones[i].name);
        assert_int_equal(identity.package_id, 2);
        assert_int_equal(identity.die_id, 3);
        assert_string_equal(identity.parent, "");
        expect_texts(&identity, "package-2-die-3", sub_zones[i].full_name);
    }
}

static void test_sub_zone_of_a_zone_without_package(void **state) {
    (void)state;
    const struct zone_identity psys = identify("psys", NULL);
    const struct zone_identity below_psys = identify("gpu", &psys);
    const struct zone_identity other = identify("platform", NULL);
    const struct zone_identity below_other = identify("core", &other);
    const struct zone_identity deeper = identify("part", &below_other);
    assert_string_equal(below_psys.parent, "psys");
    expect_texts(&below_psys, "psys", "psys/gpu");
    expect_texts(&below_other, "platform", "platform/core");
    expect_texts(&deeper, "platform", "platform/part");
}

static void test_names_and_parents(void **state) {
    (void)state;
    static const struct {
        const char *kernel;
        const char *parent;
        const char *name;
    } zones[] = {
        {"package-0", "package-0", "package-0"},
        {"package-0-die-1", "package-0-die-1", "package-0-die-1"},
        {"psys", "psys", "psys"},
        {"psys-1", "psys-1", "psys-1"},
        {"core", "core", "core"},
        {"platform", "platform", "platform"},
    };
    for (size_t i = 0; i < COUNT_OF(zones); i++) {
        const struct zone_identity identity = identify(zones[i].kernel, NULL);
        expect_texts(&identity, zones[i].parent, zones[i].name);
    }
}

/* A second counter with a name that is already in use. */
static void test_ids_of_the_kernel_tell_names_apart(void **state) {
    (void)state;
    const struct zone_identity package = identify("package-0-die-1", NULL);
    struct zone_identity dram = identify("dram", &package);
    struct zone_identity psys = identify("psys-1", NULL);
    const struct zone_identity first = psys;
    zone_set_id(&dram, "intel-rapl:1:2");
    expect_texts(&dram, "package-0-die-1-intel-rapl:1:2", "package-0-die-1-intel-rapl:1:2/dram");
    zone_set_id(&psys, "power/energy-psys@8");
    expect_texts(&psys, "psys-1-power_energy-psys@8", "psys-1-power_energy-psys@8");
    assert_false(zone_equal(&psys, &first));
}

static void expect_alike(const char *name, bool is_virtual, int package_id) {
    const struct zone_identity identity = identify(name, NULL);
    struct zone_identity key;
    assert_true(zone_may_be_alike(&identity, is_virtual, &key));
    assert_int_equal(key.package_id, package_id);
    assert_int_equal(key.die_id, RAPL_NO_ID);
}

static void test_which_zones_may_show_one_counter(void **state) {
    (void)state;
    expect_alike("package-1-die-3", false, 1);
    expect_alike("package-1", true, RAPL_NO_ID);
    expect_alike("psys", false, RAPL_NO_ID);
    expect_alike("psys-0", false, RAPL_NO_ID);
    expect_alike("psys-1", false, 1);
    expect_alike("psys-1", true, RAPL_NO_ID);
    struct zone_identity core = identify("package-0", NULL);
    struct zone_identity key;
    core.kind = ZONE_CORE;
    core.core_id = 3;
    assert_false(zone_may_be_alike(&core, false, &key));
    core.core_id = RAPL_NO_ID;
    assert_true(zone_may_be_alike(&core, false, &key));
    core.kind = ZONE_LEAD_CORE;
    assert_false(zone_may_be_alike(&core, false, &key));
}

static void test_total_has_no_parent(void **state) {
    (void)state;
    const struct zone_identity total = {.kind = ZONE_TOTAL,
                                        .domain = "total",
                                        .package_id = RAPL_NO_ID,
                                        .die_id = RAPL_NO_ID,
                                        .core_id = RAPL_NO_ID};
    expect_texts(&total, "", "total");
}

static void test_identities_differ_by_each_part(void **state) {
    (void)state;
    const struct zone_identity package = identify("package-1-die-2", NULL);
    const struct zone_identity core = identify("core", &package);
    struct zone_identity other = core;
    assert_true(zone_equal(&core, &other));
    other.kind = ZONE_LEAD_CORE;
    assert_false(zone_equal(&core, &other));
    other = core;
    other.package_id = 0;
    assert_false(zone_equal(&core, &other));
    other = core;
    other.die_id = RAPL_NO_ID;
    assert_false(zone_equal(&core, &other));
    other = core;
    other.core_id = 0;
    assert_false(zone_equal(&core, &other));
    other = core;
    strcpy(other.domain, "cor");
    assert_false(zone_equal(&core, &other));
}

static void test_total_is_of_packages_and_dram(void **state) {
    (void)state;
    for (int kind = ZONE_PACKAGE; kind <= ZONE_OTHER; kind++) {
        const struct zone_identity identity = {.kind = (enum zone_kind)kind};
        assert_int_equal(zone_in_total(&identity), kind == ZONE_PACKAGE || kind == ZONE_DRAM);
    }
}

static void test_cores_have_numbers(void **state) {
    (void)state;
    const struct zone_identity package = identify("package-1-die-2", NULL);
    struct zone_identity core = identify("core", &package);
    struct zone_identity whole;
    char text[ZONE_NAME_SIZE];
    assert_false(zone_is_core_of(&core, &whole));
    core.core_id = 7;
    assert_true(zone_is_core_of(&core, &whole));
    zone_format_parent(&core, text);
    assert_string_equal(text, "package-1-die-2-core-7");
    zone_format_name(&core, text);
    assert_string_equal(text, "package-1-die-2-core-7/core");
    core.die_id = RAPL_NO_ID;
    zone_format_name(&core, text);
    assert_string_equal(text, "package-1-core-7/core");
    zone_format_name(&whole, text);
    assert_string_equal(text, "package-1/core");
    assert_int_equal(whole.die_id, RAPL_NO_ID);
    core.kind = ZONE_DRAM;
    assert_false(zone_is_core_of(&core, &whole));
}

static void expect_part(const struct zone_identity *identity, const char *parent) {
    struct zone_identity found;
    char text[ZONE_NAME_SIZE];
    assert_true(zone_is_part_of(identity, &found));
    zone_format_name(&found, text);
    assert_string_equal(text, parent);
}

static void test_sub_zones_are_part_of_the_zone_that_they_are_shown_under(void **state) {
    (void)state;
    struct zone_identity ignored;
    static const char *const names[] = {"package-3-die-1", "psys", "mystery"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct zone_identity parent = identify(names[i], NULL);
        const struct zone_identity sub_zone = identify("core", &parent);
        struct zone_identity found;
        assert_false(zone_is_part_of(&parent, &ignored));
        expect_part(&sub_zone, names[i]);
        assert_true(zone_is_part_of(&sub_zone, &found));
        assert_true(zone_equal(&found, &parent));
    }
    const struct zone_identity board = identify("psys-1", NULL);
    assert_false(zone_is_part_of(&board, &ignored));
    const struct zone_identity package = identify("package-0", NULL);
    struct zone_identity core = identify("core", &package);
    core.core_id = 4;
    assert_false(zone_is_part_of(&core, &ignored));
}

/* psys and psys-0 with the same kernel id are two names. */
static void test_platforms_have_ids(void **state) {
    static const struct {
        const char *name;
        const char *text;
    } cases[] = {{"psys", "psys-intel-rapl:2"},
                 {"psys-0", "psys-0-intel-rapl:2"},
                 {"psys-1", "psys-1-intel-rapl:2"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct zone_identity identity = identify(cases[i].name, NULL);
        zone_set_id(&identity, "intel-rapl:2");
        expect_texts(&identity, cases[i].text, cases[i].text);
    }
    struct zone_identity slash = identify("psys", NULL);
    zone_set_id(&slash, "a/b");
    assert_string_equal(slash.id, "a_b");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packages_and_dies),
        cmocka_unit_test(test_ids_of_the_kernel_tell_names_apart),
        cmocka_unit_test(test_which_zones_may_show_one_counter),
        cmocka_unit_test(test_psys_and_its_package),
        cmocka_unit_test(test_name_that_the_kernel_does_not_print_is_a_domain_of_its_own),
        cmocka_unit_test(test_unsafe_characters_become_underscores),
        cmocka_unit_test(test_name_is_neither_empty_nor_longer_than_a_name),
        cmocka_unit_test(test_kernel_cannot_name_a_series_of_ours),
        cmocka_unit_test(test_sub_zones_belong_to_their_parent),
        cmocka_unit_test(test_sub_zone_of_a_zone_without_package),
        cmocka_unit_test(test_names_and_parents),
        cmocka_unit_test(test_total_has_no_parent),
        cmocka_unit_test(test_identities_differ_by_each_part),
        cmocka_unit_test(test_total_is_of_packages_and_dram),
        cmocka_unit_test(test_cores_have_numbers),
        cmocka_unit_test(test_platforms_have_ids),
        cmocka_unit_test(test_sub_zones_are_part_of_the_zone_that_they_are_shown_under),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
