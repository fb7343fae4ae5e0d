/* SPDX-License-Identifier: MIT */
#include "topology.h"

#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "tree.h"

#define ONLINE "sys/devices/system/cpu/online"

static void test_vendors(void **state) {
    static const struct {
        const char *text;
        enum cpu_vendor vendor;
        const char *name;
    } vendors[] = {
        {"GenuineIntel", CPU_VENDOR_INTEL, "Intel"},  {"AuthenticAMD", CPU_VENDOR_AMD, "AMD"},
        {"HygonGenuine", CPU_VENDOR_HYGON, "Hygon"},  {"CentaurHauls", CPU_VENDOR_OTHER, "other"},
        {"GenuineIntelX", CPU_VENDOR_OTHER, "other"}, {"Genuine", CPU_VENDOR_OTHER, "other"},
        {"", CPU_VENDOR_UNKNOWN, "unknown"},
    };
    const struct tree *tree = *state;
    for (size_t i = 0; i < COUNT_OF(vendors); i++) {
        tree_set_vendor(tree, vendors[i].text);
        assert_int_equal(topology_read_model(tree->root).vendor, vendors[i].vendor);
        assert_string_equal(topology_vendor_name(vendors[i].vendor), vendors[i].name);
    }
}

static void test_vendor_that_cannot_be_told_is_unknown(void **state) {
    const struct tree *tree = *state;
    char text[9000];
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_UNKNOWN);
    tree_write(tree, "proc/cpuinfo", "%s", "");
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_UNKNOWN);
    tree_write(tree, "proc/cpuinfo", "processor\t: 0\nmodel name\t: vendor_id : GenuineIntel\n");
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_UNKNOWN);
    tree_write(tree, "proc/cpuinfo", "vendor_id");
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_UNKNOWN);
    memset(text, 'x', sizeof(text));
    tree_write_bytes(tree, "proc/cpuinfo", text, sizeof(text));
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_UNKNOWN);
    tree_remove(tree, "proc/cpuinfo");
    tree_make_fifo(tree, "proc/cpuinfo");
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_UNKNOWN);
}

static void test_vendor_line_may_be_the_last_or_follow_others(void **state) {
    const struct tree *tree = *state;
    tree_write(tree, "proc/cpuinfo", "vendor_id\t: AuthenticAMD");
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_AMD);
    tree_write(tree, "proc/cpuinfo", "processor : 0\n\nflags :\nvendor_id : GenuineIntel\n");
    assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_INTEL);
}

static void test_virtual_machine_has_a_flag(void **state) {
    static const struct {
        const char *flags;
        bool is_virtual;
    } cases[] = {
        {"fpu vme hypervisor lahf_lm", true},
        {"hypervisor fpu", false}, /* never the first */
        {"fpu hypervisor", true},
        {"fpu nothypervisor", false},
        {"fpu hypervisors", false},
        {"fpu vme", false},
        {"", false},
    };
    const struct tree *tree = *state;
    assert_false(topology_read_model(tree->root).is_virtual);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tree_write(tree, "proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: %s\nbugs\t: \n",
                   cases[i].flags);
        assert_int_equal(topology_read_model(tree->root).is_virtual, cases[i].is_virtual);
        assert_int_equal(topology_read_model(tree->root).vendor, CPU_VENDOR_INTEL);
    }
    /* Not another processor's, nor another line's. */
    tree_write(tree, "proc/cpuinfo",
               "flags\t: fpu\nbugs\t: x hypervisor\nflags\t: fpu hypervisor\n");
    assert_false(topology_read_model(tree->root).is_virtual);
}

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

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_vendors),
        IN_TREE(test_vendor_that_cannot_be_told_is_unknown),
        IN_TREE(test_vendor_line_may_be_the_last_or_follow_others),
        IN_TREE(test_virtual_machine_has_a_flag),
        IN_TREE(test_mark_follows_the_online_list),
    };
    return cmocka_run_group_tests_name("topology", tests, NULL, NULL);
}
