/* SPDX-License-Identifier: MIT */
/* What remedies know about the process and its kernel. */
#include "system/host.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "tree.h"

#define RELEASE "6.8.0-31-generic"
#define MODULES "lib/modules/" RELEASE

static struct host look(const struct tree *tree) {
    const size_t before = tree_count_descriptors();
    const struct host host = host_look(tree->root, RELEASE);
    assert_int_equal(tree_count_descriptors(), before);
    return host;
}

static void test_what_cannot_be_read_is_not_known(void **state) {
    const struct host host = look(*state);
    assert_int_equal(host.confinement, HOST_UNCONFINED);
    assert_false(host.lacks_driver);
}

static void test_user_namespaces_map_fewer_ids(void **state) {
    static const struct {
        const char *map;
        enum host_confinement confinement;
    } cases[] = {
        {"         0          0 4294967295\n", HOST_UNCONFINED},
        {"         0     100000      65536\n", HOST_USER_NAMESPACE},
        {"         0       1000          1\n", HOST_USER_NAMESPACE},
        {"         0          0          1\n", HOST_USER_NAMESPACE},
        {"      1000          0          1\n", HOST_USER_NAMESPACE},
        {"         0     100000       1000\n      1000       1000          1\n"
         "      1001     101001      64535\n     65536     165536          1\n",
         HOST_USER_NAMESPACE},
        {"junk\n", HOST_UNCONFINED},
        {"", HOST_UNCONFINED},
    };
    const struct tree *tree = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tree_write(tree, "proc/self/uid_map", "%s", cases[i].map);
        assert_int_equal(look(tree).confinement, cases[i].confinement);
    }
}

static void test_security_modules_that_are_in_force(void **state) {
    static const struct {
        const char *enforce; /* NULL: no file */
        const char *current;
        enum host_confinement confinement;
    } cases[] = {
        {"1", "system_u:system_r:collectd_t:s0\n", HOST_SELINUX},
        {"0", "system_u:system_r:collectd_t:s0\n", HOST_UNCONFINED},
        {NULL, "system_u:system_r:container_t:s0:c12,c34\n", HOST_SELINUX},
        {NULL, "docker-default (enforce)\n", HOST_APPARMOR},
        {NULL, "docker-default (complain)\n", HOST_UNCONFINED},
        {NULL, "unconfined\n", HOST_UNCONFINED},
        {NULL, "", HOST_UNCONFINED},
    };
    const struct tree *tree = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (cases[i].enforce != NULL)
            tree_write(tree, "sys/fs/selinux/enforce", "%s", cases[i].enforce);
        else if (cases[i - 1].enforce != NULL)
            tree_remove(tree, "sys/fs/selinux/enforce");
        tree_write(tree, "proc/self/attr/current", "%s", cases[i].current);
        assert_int_equal(look(tree).confinement, cases[i].confinement);
    }
    /* SELinux would refuse what the user namespace already forbids */
    tree_write(tree, "sys/fs/selinux/enforce", "1");
    tree_write(tree, "proc/self/uid_map", "0 100000 65536\n");
    assert_int_equal(look(tree).confinement, HOST_USER_NAMESPACE);
}

/* Ubuntu: linux-modules is installed without linux-modules-extra. */
static void test_kernel_whose_modules_lack_the_driver(void **state) {
    static const char *const files[] = {"intel_rapl_msr.ko", "intel_rapl_msr.ko.xz",
                                        "intel_rapl_msr.ko.zst", "intel_rapl_msr.ko.gz",
                                        "intel_rapl.ko"};
    const struct tree *tree = *state;
    char text[12000];
    tree_write(tree, MODULES "/modules.builtin", "kernel/drivers/powercap/idle_inject.ko\n");
    assert_false(look(tree).lacks_driver); /* no module at all, as in a container's /lib */
    tree_make_folder(tree, MODULES "/kernel/drivers");
    assert_true(look(tree).lacks_driver);
    tree_write(tree, MODULES "/kernel/drivers/powercap/intel_rapl_common.ko.zst", "x");
    assert_true(look(tree).lacks_driver);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[128];
        snprintf(path, sizeof(path), MODULES "/kernel/drivers/powercap/%s", files[i]);
        tree_write(tree, path, "x");
        assert_false(look(tree).lacks_driver);
        tree_remove(tree, path);
    }
    assert_true(look(tree).lacks_driver);
    /* built in: found wherever the list is split between two reads */
    for (size_t before = 4060; before < 4110; before += 7) {
        memset(text, 'x', before);
        snprintf(text + before, sizeof(text) - before,
                 "\nkernel/drivers/powercap/intel_rapl_msr.ko\n%4000s", "kernel/last.ko\n");
        tree_write(tree, MODULES "/modules.builtin", "%s", text);
        assert_false(look(tree).lacks_driver);
        text[before + 30] = '-';
        tree_write(tree, MODULES "/modules.builtin", "%s", text);
        assert_true(look(tree).lacks_driver);
    }
    tree_remove(tree, MODULES "/modules.builtin");
    assert_false(look(tree).lacks_driver);
}

static void test_capabilities_are_those_of_the_process(void **state) {
    (void)state;
    char line[128];
    unsigned long long expected[2] = {0, 0};
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "CapEff: %llx", &expected[0]);
        (void)sscanf(line, "CapPrm: %llx", &expected[1]);
    }
    fclose(file);
    assert_int_equal(host_capabilities(false), expected[0]);
    assert_int_equal(host_capabilities(true), expected[1]);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_what_cannot_be_read_is_not_known),
        IN_TREE(test_user_namespaces_map_fewer_ids),
        IN_TREE(test_security_modules_that_are_in_force),
        IN_TREE(test_kernel_whose_modules_lack_the_driver),
        IN_TREE(test_capabilities_are_those_of_the_process),
    };
    return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
