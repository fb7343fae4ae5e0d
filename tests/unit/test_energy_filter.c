/* SPDX-License-Identifier: MIT */
#include "source/msr/energy_filter.h"

#include <errno.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "tree.h"

#define ONLINE "sys/devices/system/cpu/online"
#define CAPABILITIES 0x10A
#define CONTROL 0xBC
#define BOTH UINT64_C(0xC00)

static int read_filter(const struct tree *tree, bool *filtering) {
    const struct rapl_privilege none = {.change = NULL};
    return energy_filter_read(tree->root, &none, filtering);
}

static void add_cpu(const struct tree *tree, const char *online) {
    tree_write(tree, ONLINE, "%s\n", online);
    tree_write(tree, "dev/cpu/0/msr", "%s", "");
    tree_write(tree, "dev/cpu/3/msr", "%s", "");
}

static void test_bit_0_says_whether(void **state) {
    const struct tree *tree = *state;
    bool filtering = true;
    add_cpu(tree, "0-7");
    fake_msr_set(0, CAPABILITIES, BOTH | 0x3F);
    fake_msr_set(0, CONTROL, 0xFE);
    assert_int_equal(read_filter(tree, &filtering), 0);
    assert_false(filtering);
    fake_msr_set(0, CONTROL, 1);
    assert_int_equal(read_filter(tree, &filtering), 0);
    assert_true(filtering);
}

static void test_processor_that_cannot_tell(void **state) {
    const struct tree *tree = *state;
    static const uint64_t lacking[] = {0, 0x400, 0x800, ~BOTH};
    bool filtering = false;
    add_cpu(tree, "0-7");
    fake_msr_set(0, CONTROL, 1);
    assert_int_equal(read_filter(tree, &filtering), -ENOTSUP);
    for (size_t i = 0; i < COUNT_OF(lacking); i++) {
        fake_msr_set(0, CAPABILITIES, lacking[i]);
        assert_int_equal(read_filter(tree, &filtering), -ENOTSUP);
    }
    assert_false(filtering);
}

static void test_lowest_online_cpu_is_asked(void **state) {
    const struct tree *tree = *state;
    bool filtering = false;
    add_cpu(tree, "3,5-7");
    fake_msr_set(3, CAPABILITIES, BOTH);
    fake_msr_set(3, CONTROL, 1);
    assert_int_equal(read_filter(tree, &filtering), 0);
    assert_true(filtering);
}

static void test_what_stands_in_the_way(void **state) {
    const struct tree *tree = *state;
    bool filtering = false;
    assert_int_equal(read_filter(tree, &filtering), -ENOENT);
    tree_write(tree, ONLINE, "0-7\n");
    assert_int_equal(read_filter(tree, &filtering), -ENOENT);
    tree_make_fifo(tree, "dev/cpu/0/msr");
    assert_int_equal(read_filter(tree, &filtering), -ENODEV);
    tree_remove(tree, "dev/cpu/0/msr");
    add_cpu(tree, "0-7");
    fake_msr_fail(0, CAPABILITIES, EACCES);
    assert_int_equal(read_filter(tree, &filtering), -EACCES);
    fake_msr_set(0, CAPABILITIES, BOTH);
    fake_msr_offline(0, true);
    assert_int_equal(read_filter(tree, &filtering), -ENXIO);
    fake_msr_offline(0, false);
    /* the file is reported as present: failing to find it is an error */
    assert_int_equal(read_filter(tree, &filtering), -EIO);
    tree_write(tree, ONLINE, "\n");
    assert_int_equal(read_filter(tree, &filtering), -ENODEV);
    tree_write(tree, ONLINE, "junk\n");
    assert_int_equal(read_filter(tree, &filtering), -EINVAL);
}

static void test_nothing_stays_open(void **state) {
    const struct tree *tree = *state;
    bool filtering = false;
    const size_t before = tree_count_descriptors();
    add_cpu(tree, "0");
    assert_int_equal(read_filter(tree, &filtering), -ENOTSUP);
    fake_msr_set(0, CAPABILITIES, BOTH);
    assert_int_equal(read_filter(tree, &filtering), -EIO);
    fake_msr_set(0, CONTROL, 1);
    assert_int_equal(read_filter(tree, &filtering), 0);
    assert_int_equal(tree_count_descriptors(), before);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_bit_0_says_whether),         IN_TREE(test_processor_that_cannot_tell),
        IN_TREE(test_lowest_online_cpu_is_asked), IN_TREE(test_what_stands_in_the_way),
        IN_TREE(test_nothing_stays_open),
    };
    return cmocka_run_group_tests_name("energy_filter", tests, NULL, NULL);
}
