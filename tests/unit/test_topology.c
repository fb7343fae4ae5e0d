/* SPDX-License-Identifier: MIT */
#include "system/topology.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "tree.h"

#define ONLINE "sys/devices/system/cpu/online"

static void test_mark_follows_the_online_list(void **state) {
    const struct tree *tree = *state;
    assert_true(topology_open_online(tree->root) < 0);
    assert_int_equal(topology_online_mark(-1), 0);
    tree_write(tree, ONLINE, "0-7\n");
    int file = topology_open_online(tree->root);
    assert_true(file >= 0);
    const uint64_t all = topology_online_mark(file);
    assert_int_not_equal(all, 0);
    assert_int_equal(topology_online_mark(file), all);
    tree_write(tree, ONLINE, "0-3\n");
    assert_int_not_equal(topology_online_mark(file), all);
    tree_write(tree, ONLINE, "0-7\n");
    assert_int_equal(topology_online_mark(file), all);
    tree_write(tree, ONLINE, "%s", "");
    assert_int_equal(topology_online_mark(file), 0);
    close(file);
}

/* --- CPUs ------------------------------------------------------------------------------------ */

struct taken {
    unsigned int numbers[64];
    size_t count;
    int answer;
};

static int take(void *context, unsigned int number) {
    struct taken *taken = context;
    assert_true(taken->count < COUNT_OF(taken->numbers));
    taken->numbers[taken->count++] = number;
    return taken->answer;
}

static void test_lists_of_cpus(void **state) {
    static const struct {
        const char *text;
        int result;
        size_t count;
        unsigned int last;
    } lists[] = {
        {"0-3,8,10-11\n", 0, 7, 11},
        {"5", 0, 1, 5},
        {"\n", 0, 0, 0},
        {"", 0, 0, 0},
        {"0,2,4,6\n", 0, 4, 6},
        {"8191", 0, 1, 8191},
        {"8192", -EINVAL, 0, 0},
        {"3-1", -EINVAL, 0, 0},
        {"0,0", -EINVAL, 1, 0},
        {"4,2", -EINVAL, 1, 4},
        {"a", -EINVAL, 0, 0},
        {"1-", -EINVAL, 0, 0},
        {"-1", -EINVAL, 0, 0},
        {"0 1", -EINVAL, 0, 0},
        {"0-1-2", -EINVAL, 0, 0},
        {"0-1;", -EINVAL, 0, 0},
        {"99999999999", -EINVAL, 0, 0},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        struct taken taken = {.count = 0};
        assert_int_equal(topology_parse_list(lists[i].text, take, &taken), lists[i].result);
        assert_int_equal(taken.count, lists[i].count);
        if (taken.count > 0)
            assert_int_equal(taken.numbers[taken.count - 1], lists[i].last);
    }
    struct taken refusing = {.answer = -ENOMEM};
    assert_int_equal(topology_parse_list("0-3", take, &refusing), -ENOMEM);
    assert_int_equal(refusing.count, 1);
}

static void add_cpu(const struct tree *tree, unsigned int number, int package, int die, int core) {
    static const char folder[] = "sys/devices/system/cpu/cpu%u/topology/%s";
    const struct {
        const char *name;
        int id;
    } files[] = {{"physical_package_id", package}, {"die_id", die}, {"core_id", core}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[128];
        snprintf(path, sizeof(path), folder, number, files[i].name);
        if (files[i].id >= 0)
            tree_write(tree, path, "%d\n", files[i].id);
    }
}

static void test_cpus_that_are_online_are_loaded(void **state) {
    const struct tree *tree = *state;
    struct topology topology;
    assert_int_equal(topology_load(tree->root, &topology), -ENOENT);
    tree_write(tree, ONLINE, "0-2,5\n");
    add_cpu(tree, 0, 0, 0, 0);
    add_cpu(tree, 1, 0, -1, 4); /* Linux before 5.2 has no die_id */
    add_cpu(tree, 3, 1, 0, 0);  /* offline */
    add_cpu(tree, 5, 1, 0, 7);
    assert_int_equal(topology_load(tree->root, &topology), 0);
    assert_int_equal(topology.count, 3); /* CPU 2 went offline while it was read */
    assert_false(topology.has_dies);
    assert_null(topology_find(&topology, 3));
    assert_int_equal(topology_find(&topology, 1)->die_id, 0);
    assert_int_equal(topology_find(&topology, 5)->package_id, 1);
    assert_int_equal(topology_find(&topology, 5)->core_id, 7);
    topology_free(&topology);
    assert_int_equal(topology.count, 0);
    tree_write(tree, ONLINE, "junk\n");
    assert_int_equal(topology_load(tree->root, &topology), -EINVAL);
}

static void test_dies_are_told_where_one_package_has_two(void **state) {
    const struct tree *tree = *state;
    struct topology topology;
    tree_write(tree, ONLINE, "0-1\n");
    add_cpu(tree, 0, 0, 0, 0);
    add_cpu(tree, 1, 1, 1, 0); /* die 1 of another package is not a second one */
    assert_int_equal(topology_load(tree->root, &topology), 0);
    assert_false(topology.has_dies);
    topology_free(&topology);
    add_cpu(tree, 1, 0, 1, 0);
    assert_int_equal(topology_load(tree->root, &topology), 0);
    assert_true(topology.has_dies);
    topology_free(&topology);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_mark_follows_the_online_list),
        cmocka_unit_test(test_lists_of_cpus),
        IN_TREE(test_cpus_that_are_online_are_loaded),
        IN_TREE(test_dies_are_told_where_one_package_has_two),
    };
    return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
