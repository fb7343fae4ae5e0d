/* SPDX-License-Identifier: MIT */
#include "source/fd_budget.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "problem/problem.h"
#include "system/error.h"
#include "zone/zone_map.h"

#define SECOND UINT64_C(1000000000)
#define NOW (1000 * SECOND)

/* A counter that needs one descriptor. */
#define ONE(of_rank) \
    { .rank = (of_rank), .files = 1, .zones = 1 }
#define HELD(of_rank) \
    { .rank = (of_rank), .files = 1, .zones = 1, .holds = true }
#define WAITS(of_rank) \
    { .rank = (of_rank), .files = 1, .zones = 1, .waits = true }

/* Expected state of each list entry: "xx-x", x for open. */
static void expect_at(struct limit *limit, struct fd_budget_item *items, size_t count,
                      uint64_t now_ns, const char *expected) {
    char taken[64] = "";
    size_t left = 0;
    assert_int_equal(strlen(expected), count);
    const size_t told = fd_budget_choose(limit, items, count, now_ns);
    for (size_t i = 0; i < count; i++) {
        taken[items[i].place] = items[i].taken ? 'x' : '-';
        left += items[i].taken ? 0 : 1;
    }
    assert_string_equal(taken, expected);
    assert_int_equal(told, left);
}

#define EXPECT(limit, items, expected) expect_at(limit, items, COUNT_OF(items), NOW, expected)

static void test_all_that_fit_are_taken(void **state) {
    (void)state;
    struct limit limit = {.files = 3};
    struct fd_budget_item items[] = {ONE(FD_RANK_UNSELECTED), ONE(FD_RANK_CORE),
                                     ONE(FD_RANK_TOTAL)};
    EXPECT(&limit, items, "xxx");
    struct limit none = {.files = 0};
    struct fd_budget_item same[] = {ONE(FD_RANK_TOTAL)};
    EXPECT(&none, same, "-");
    assert_int_equal(fd_budget_choose(&none, NULL, 0, NOW), 0);
}

static void test_ranks_come_before_places(void **state) {
    (void)state;
    static const char *const expected[] = {"--------", "-------x", "------xx",
                                           "-----xxx", "----xxxx", "---xxxxx",
                                           "--xxxxxx", "-xxxxxxx", "xxxxxxxx"};
    for (size_t files = 0; files < COUNT_OF(expected); files++) {
        struct limit limit = {.files = files};
        struct fd_budget_item items[] = {ONE(FD_RANK_UNSELECTED),  ONE(FD_RANK_STAND_BY),
                                         ONE(FD_RANK_SINGLE_CORE), ONE(FD_RANK_OTHER),
                                         ONE(FD_RANK_UNCORE),      ONE(FD_RANK_CORE),
                                         ONE(FD_RANK_PSYS),        ONE(FD_RANK_TOTAL)};
        EXPECT(&limit, items, expected[files]);
    }
}

static void test_kinds_have_ranks(void **state) {
    static const struct {
        const char *name;
        enum fd_rank rank;
    } cases[] = {{"dram", FD_RANK_TOTAL},
                 {"core", FD_RANK_CORE},
                 {"uncore", FD_RANK_UNCORE},
                 {"gpu", FD_RANK_OTHER}};
    struct zone_identity package;
    struct zone_identity identity;
    (void)state;
    assert_int_equal(zone_identify("package-3", NULL, &package), 0);
    assert_int_equal(fd_rank_of(&package), FD_RANK_TOTAL);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(zone_identify(cases[i].name, &package, &identity), 0);
        assert_int_equal(fd_rank_of(&identity), cases[i].rank);
    }
    assert_int_equal(zone_identify("core", &package, &identity), 0);
    identity.core_id = 4;
    assert_int_equal(fd_rank_of(&identity), FD_RANK_SINGLE_CORE);
    assert_int_equal(zone_identify("psys-1", NULL, &identity), 0);
    assert_int_equal(fd_rank_of(&identity), FD_RANK_PSYS);
}

static void test_of_one_rank_the_first_are_taken(void **state) {
    (void)state;
    struct limit limit = {.files = 2};
    struct fd_budget_item items[] = {ONE(FD_RANK_CORE), ONE(FD_RANK_TOTAL), ONE(FD_RANK_CORE),
                                     ONE(FD_RANK_CORE)};
    EXPECT(&limit, items, "xx--");
}

static void test_what_is_read_stays_before_others_of_its_rank(void **state) {
    (void)state;
    struct limit limit = {.files = 2, .kept = 2};
    struct fd_budget_item items[] = {ONE(FD_RANK_TOTAL), ONE(FD_RANK_TOTAL), HELD(FD_RANK_TOTAL),
                                     HELD(FD_RANK_TOTAL)};
    EXPECT(&limit, items, "--xx");
}

static void test_a_package_takes_the_place_of_the_last_core(void **state) {
    (void)state;
    struct limit limit = {.files = 3, .kept = 3};
    struct fd_budget_item items[] = {HELD(FD_RANK_TOTAL), HELD(FD_RANK_CORE), HELD(FD_RANK_CORE),
                                     ONE(FD_RANK_TOTAL)};
    EXPECT(&limit, items, "xx-x");
}

static void test_a_group_is_taken_as_a_whole_or_not(void **state) {
    (void)state;
    struct limit limit = {.files = 10};
    struct fd_budget_item items[] = {ONE(FD_RANK_TOTAL),
                                     {.rank = FD_RANK_SINGLE_CORE, .files = 8, .zones = 8},
                                     ONE(FD_RANK_TOTAL),
                                     {.rank = FD_RANK_SINGLE_CORE, .files = 4, .zones = 4}};
    EXPECT(&limit, items, "xxx-");
    struct limit less = {.files = 9};
    struct fd_budget_item again[] = {ONE(FD_RANK_TOTAL),
                                     {.rank = FD_RANK_SINGLE_CORE, .files = 8, .zones = 8},
                                     ONE(FD_RANK_TOTAL),
                                     {.rank = FD_RANK_SINGLE_CORE, .files = 4, .zones = 4}};
    EXPECT(&less, again, "x-xx");
}

/* A package goes offline and comes back: no other counter was given its place meanwhile. */
static void test_what_returns_has_its_place(void **state) {
    (void)state;
    struct limit limit = {.files = 3};
    struct fd_budget_item first[] = {ONE(FD_RANK_TOTAL), ONE(FD_RANK_TOTAL), ONE(FD_RANK_CORE),
                                     ONE(FD_RANK_CORE)};
    EXPECT(&limit, first, "xxx-");
    struct fd_budget_item without[] = {HELD(FD_RANK_TOTAL), HELD(FD_RANK_CORE),
                                       WAITS(FD_RANK_CORE)};
    EXPECT(&limit, without, "xx-");
    struct fd_budget_item back[] = {HELD(FD_RANK_TOTAL), ONE(FD_RANK_TOTAL), HELD(FD_RANK_CORE),
                                    WAITS(FD_RANK_CORE)};
    EXPECT(&limit, back, "xxx-");
}

static void test_the_place_of_what_stays_away_is_given_away(void **state) {
    (void)state;
    struct limit limit = {.files = 3};
    struct fd_budget_item first[] = {ONE(FD_RANK_TOTAL), ONE(FD_RANK_TOTAL), ONE(FD_RANK_CORE),
                                     ONE(FD_RANK_CORE), ONE(FD_RANK_CORE)};
    EXPECT(&limit, first, "xxx--");
    for (uint64_t seconds = 0; seconds < 600; seconds += 60) {
        struct fd_budget_item without[] = {HELD(FD_RANK_TOTAL), HELD(FD_RANK_CORE),
                                           WAITS(FD_RANK_CORE), WAITS(FD_RANK_CORE)};
        expect_at(&limit, without, COUNT_OF(without), NOW + seconds * SECOND, "xx--");
    }
    struct fd_budget_item without[] = {HELD(FD_RANK_TOTAL), HELD(FD_RANK_CORE), WAITS(FD_RANK_CORE),
                                       WAITS(FD_RANK_CORE)};
    expect_at(&limit, without, COUNT_OF(without), NOW + 600 * SECOND, "xxx-");
}

static void test_ten_minutes_begin_anew_with_each_return(void **state) {
    (void)state;
    struct limit limit = {.files = 2, .kept = 2};
    struct fd_budget_item away[] = {HELD(FD_RANK_TOTAL), WAITS(FD_RANK_CORE)};
    expect_at(&limit, away, COUNT_OF(away), NOW, "x-");
    struct fd_budget_item back[] = {HELD(FD_RANK_TOTAL), ONE(FD_RANK_TOTAL), WAITS(FD_RANK_CORE)};
    expect_at(&limit, back, COUNT_OF(back), NOW + 500 * SECOND, "xx-");
    struct fd_budget_item again[] = {HELD(FD_RANK_TOTAL), WAITS(FD_RANK_CORE)};
    expect_at(&limit, again, COUNT_OF(again), NOW + 700 * SECOND, "x-");
    struct fd_budget_item later[] = {HELD(FD_RANK_TOTAL), WAITS(FD_RANK_CORE)};
    expect_at(&limit, later, COUNT_OF(later), NOW + 1300 * SECOND, "xx");
}

static void test_a_limit_that_falls_takes_from_the_end(void **state) {
    (void)state;
    struct limit limit = {.files = 1, .kept = 3};
    struct fd_budget_item items[] = {HELD(FD_RANK_CORE), HELD(FD_RANK_TOTAL), WAITS(FD_RANK_TOTAL)};
    EXPECT(&limit, items, "-x-");
}

static void test_zones_are_limited_too(void **state) {
    static struct fd_budget_item items[FD_RANK_ZONES + 100];
    struct limit limit = {.files = SIZE_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(items); i++)
        items[i] = (struct fd_budget_item)ONE(i < 100 ? FD_RANK_CORE : FD_RANK_TOTAL);
    assert_int_equal(fd_budget_choose(&limit, items, COUNT_OF(items), NOW), 100);
    for (size_t i = 0; i < COUNT_OF(items); i++)
        assert_int_equal(items[i].taken, items[i].place >= 100);
    assert_int_equal(fd_budget_error(&limit), ZONE_BEYOND_LIMIT);
    assert_int_equal(fd_budget_most(&limit), FD_RANK_ZONES);
    limit.files = 7;
    assert_int_equal(fd_budget_error(&limit), ZONE_WITHOUT_FILE);
    assert_int_equal(fd_budget_most(&limit), 7);
}

/* --- map from an identity to a value --------------------------------------------------------- */

static void test_map_finds_what_was_added(void **state) {
    static struct zone_identity identities[3000];
    struct zone_map map = {.entries = NULL};
    struct zone_identity other;
    char name[64];
    (void)state;
    assert_null(zone_map_find(&map, &identities[0]));
    for (size_t i = 0; i < COUNT_OF(identities); i++) {
        snprintf(name, sizeof(name), i % 2 == 0 ? "package-%zu" : "other-%zu", i);
        assert_int_equal(zone_identify(name, NULL, &identities[i]), 0);
        assert_null(zone_map_find(&map, &identities[i]));
        assert_int_equal(zone_map_add(&map, &identities[i], &identities[i]), 0);
    }
    for (size_t i = 0; i < COUNT_OF(identities); i++)
        assert_ptr_equal(zone_map_find(&map, &identities[i]), &identities[i]);
    other = identities[0];
    other.die_id = 0;
    assert_null(zone_map_find(&map, &other));
    zone_map_free(&map);
    assert_null(zone_map_find(&map, &identities[0]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_fit_are_taken),
        cmocka_unit_test(test_ranks_come_before_places),
        cmocka_unit_test(test_kinds_have_ranks),
        cmocka_unit_test(test_of_one_rank_the_first_are_taken),
        cmocka_unit_test(test_what_is_read_stays_before_others_of_its_rank),
        cmocka_unit_test(test_a_package_takes_the_place_of_the_last_core),
        cmocka_unit_test(test_a_group_is_taken_as_a_whole_or_not),
        cmocka_unit_test(test_what_returns_has_its_place),
        cmocka_unit_test(test_the_place_of_what_stays_away_is_given_away),
        cmocka_unit_test(test_ten_minutes_begin_anew_with_each_return),
        cmocka_unit_test(test_a_limit_that_falls_takes_from_the_end),
        cmocka_unit_test(test_zones_are_limited_too),
        cmocka_unit_test(test_map_finds_what_was_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
