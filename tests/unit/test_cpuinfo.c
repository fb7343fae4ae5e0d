/* SPDX-License-Identifier: MIT */
#include "system/cpuinfo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "tree.h"

static struct cpu_model read_model(const struct tree *tree) {
    int error;
    return cpuinfo_read(tree->root, &error);
}

/* --- proc/cpuinfo ---------------------------------------------------------------------------- */

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
        assert_int_equal(read_model(tree).vendor, vendors[i].vendor);
        assert_string_equal(cpuinfo_vendor_name(vendors[i].vendor), vendors[i].name);
    }
}

static void test_vendor_that_cannot_be_told_is_unknown(void **state) {
    const struct tree *tree = *state;
    char text[9000];
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_UNKNOWN);
    tree_write(tree, "proc/cpuinfo", "%s", "");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_UNKNOWN);
    tree_write(tree, "proc/cpuinfo", "processor\t: 0\nmodel name\t: vendor_id : GenuineIntel\n");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_UNKNOWN);
    tree_write(tree, "proc/cpuinfo", "vendor_id");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_UNKNOWN);
    memset(text, 'x', sizeof(text));
    tree_write_bytes(tree, "proc/cpuinfo", text, sizeof(text));
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_UNKNOWN);
    tree_remove(tree, "proc/cpuinfo");
    tree_make_fifo(tree, "proc/cpuinfo");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_UNKNOWN);
}

static void test_other_architectures_are_known_by_their_keys(void **state) {
    static const char *const texts[] = {
        "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n",
        "processor\t: 0\nmodel name\t: ARMv7 Processor rev 4 (v7l)\nCPU implementer\t: 0x41\n",
        "processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3800.000000MHz\n",
        "processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\n",
        "system type\t: generic\n\nprocessor\t: 0\nCPU Family\t: Loongson-64bit\n",
        "vendor_id       : IBM/S390\n# processors    : 4\n",
    };
    const struct tree *tree = *state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        tree_write(tree, "proc/cpuinfo", "%s", texts[i]);
        assert_int_equal(read_model(tree).vendor, CPU_VENDOR_NOT_X86);
    }
    /* x86 has none of these keys, and the vendor comes before all others */
    tree_write(tree, "proc/cpuinfo",
               "processor\t: 0\ncpu family\t: 6\ncpu MHz\t\t: 800\ncpu cores\t: 4\ncpuid level\t: "
               "22\n");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_UNKNOWN);
    tree_write(tree, "proc/cpuinfo", "vendor_id\t: AuthenticAMD\ncpu\t: 7\n");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_AMD);
}

static void test_vendor_line_may_be_the_last_or_follow_others(void **state) {
    const struct tree *tree = *state;
    tree_write(tree, "proc/cpuinfo", "vendor_id\t: AuthenticAMD");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_AMD);
    tree_write(tree, "proc/cpuinfo", "processor : 0\n\nflags :\nvendor_id : GenuineIntel\n");
    assert_int_equal(read_model(tree).vendor, CPU_VENDOR_INTEL);
}

static void test_virtual_machine_has_a_flag(void **state) {
    static const struct {
        const char *flags;
        bool is_virtual;
    } cases[] = {
        {"fpu vme hypervisor lahf_lm", true},
        {"hypervisor fpu", true},
        {"fpu nothypervisor hypervisor", true},
        {"fpu hypervisor", true},
        {"fpu nothypervisor", false},
        {"fpu hypervisors", false},
        {"fpu vme", false},
        {"", false},
    };
    const struct tree *tree = *state;
    assert_false(read_model(tree).is_virtual);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        tree_write(tree, "proc/cpuinfo", "vendor_id\t: GenuineIntel\nflags\t\t: %s\nbugs\t: \n",
                   cases[i].flags);
        assert_int_equal(read_model(tree).is_virtual, cases[i].is_virtual);
        assert_int_equal(read_model(tree).vendor, CPU_VENDOR_INTEL);
    }
    /* Values of another processor or another line are not used. */
    tree_write(tree, "proc/cpuinfo",
               "flags\t: fpu\nbugs\t: x hypervisor\nflags\t: fpu hypervisor\n");
    assert_false(read_model(tree).is_virtual);
}

static void test_model_of_the_processor(void **state) {
    const struct tree *tree = *state;
    tree_write(tree, "proc/cpuinfo",
               "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
               "model name\t: Intel 8480 model 7\nstepping\t: 8\n");
    struct cpu_model model = read_model(tree);
    assert_int_equal(model.family, 6);
    assert_int_equal(model.model, 143);
    tree_write(tree, "proc/cpuinfo",
               "vendor_id\t: AuthenticAMD\ncpu family\t: x\nmodel name\t: 1\n");
    model = read_model(tree);
    assert_int_equal(model.vendor, CPU_VENDOR_AMD);
    assert_int_equal(model.family, 0);
    assert_int_equal(model.model, 0);
    /* A number with too many digits is rejected, not truncated. */
    tree_write(tree, "proc/cpuinfo", "cpu family\t: 0000006\nmodel\t\t: 999999\n");
    model = read_model(tree);
    assert_int_equal(model.family, 0);
    assert_int_equal(model.model, 999999);
}

/* --- the alias ------------------------------------------------------------------------------- */

#define ALIAS "sys/devices/system/cpu/modalias"
#define HYPERVISOR ",009F"

static void test_alias_names_the_processor(void **state) {
    static const struct {
        const char *text;
        struct cpu_model model;
    } cases[] = {
        {"cpu:type:x86,ven0000fam0006mod008F:feature:,0000,0001,00A0\n",
         {CPU_VENDOR_INTEL, 6, 0x8F, false}},
        {"cpu:type:x86,ven0002fam0019mod0061:feature:,0000" HYPERVISOR ",00C0\n",
         {CPU_VENDOR_AMD, 0x19, 0x61, true}},
        {"cpu:type:x86,ven0009fam0018mod0000:feature:,0000" HYPERVISOR "\n",
         {CPU_VENDOR_HYGON, 0x18, 0, true}},
        {"cpu:type:x86,ven0000fam0012mod0001:feature:" HYPERVISOR, {CPU_VENDOR_INTEL, 18, 1, true}},
        {"cpu:type:x86,ven0005fam0006mod000F:feature:,009\n", {CPU_VENDOR_OTHER, 6, 15, false}},
        {"cpu:type:x86,ven00FFfam0006mod000F:feature:,1009F\n", {CPU_VENDOR_OTHER, 6, 15, false}},
        {"cpu:type:x86,ven0002fam0017mod0031:feature:", {CPU_VENDOR_AMD, 23, 49, false}},
        {"cpu:type:aarch64:feature:,0000,0001\n", {CPU_VENDOR_NOT_X86, 0, 0, false}},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct cpu_model model = cpuinfo_parse_alias(cases[i].text);
        if (model.vendor != cases[i].model.vendor || model.family != cases[i].model.family ||
            model.model != cases[i].model.model || model.is_virtual != cases[i].model.is_virtual)
            fail_msg("%s: vendor %d family %u model %u virtual %d", cases[i].text,
                     (int)model.vendor, model.family, model.model, model.is_virtual);
    }
}

static void test_what_is_no_alias_names_nobody(void **state) {
    static const char *const texts[] = {
        "",
        "\n",
        "cpu",
        "cpu:type:",
        "cpu:type:x86",
        "cpu:type:x86,ven0000fam0006mod008F",
        "cpu:type:x86,ven0000fam0006mod008F:",
        "cpu:type:x86,ven000fam0006mod008F:feature:",
        "cpu:type:x86,ven0000000fam0006mod008F:feature:",
        "cpu:type:x86,ven0000fam0006:feature:",
        "cpu:type:x86,fam0006mod008Fven0000:feature:",
        "cpu:type:x86,ven0000fam0006mod008f:feature:",
        "cpu:type:x86,ven0000 fam0006mod008F:feature:",
        "cpu:type:x86,ven*fam*mod*:feature:*0081*",
        " cpu:type:x86,ven0000fam0006mod008F:feature:",
        "MODALIAS=cpu:type:x86,ven0000fam0006mod008F:feature:",
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const struct cpu_model model = cpuinfo_parse_alias(texts[i]);
        if (model.vendor != CPU_VENDOR_UNKNOWN)
            fail_msg("\"%s\" names vendor %d", texts[i], (int)model.vendor);
        assert_int_equal(model.family, 0);
        assert_int_equal(model.model, 0);
        assert_false(model.is_virtual);
    }
}

/* A container may show /sys but not /proc. */
static void test_alias_serves_where_proc_names_nobody(void **state) {
    const struct tree *tree = *state;
    int error = 0;
    tree_write(tree, ALIAS, "cpu:type:x86,ven0002fam0019mod0061:feature:,0000\n");
    struct cpu_model model = cpuinfo_read(tree->root, &error);
    assert_int_equal(error, -ENOENT);
    assert_int_equal(model.vendor, CPU_VENDOR_AMD);
    assert_int_equal(model.family, 0x19);
    assert_int_equal(model.model, 0x61);
    tree_write(tree, "proc/cpuinfo", FAKE_ERRNO, EIO);
    assert_int_equal(cpuinfo_read(tree->root, &error).vendor, CPU_VENDOR_AMD);
    assert_int_equal(error, -EIO);
    tree_write(tree, "proc/cpuinfo", "processor\t: 0\nmodel\t\t: 7\n");
    model = cpuinfo_read(tree->root, &error);
    assert_int_equal(error, 0);
    assert_int_equal(model.vendor, CPU_VENDOR_AMD);
    assert_int_equal(model.model, 0x61);
    /* /proc/cpuinfo takes precedence. */
    tree_set_vendor(tree, "GenuineIntel");
    assert_int_equal(cpuinfo_read(tree->root, &error).vendor, CPU_VENDOR_INTEL);
    assert_int_equal(error, 0);
}

static void test_alias_that_cannot_be_read_names_nobody(void **state) {
    const struct tree *tree = *state;
    char text[5000];
    int error = 0;
    assert_int_equal(cpuinfo_read(tree->root, &error).vendor, CPU_VENDOR_UNKNOWN);
    assert_int_equal(error, -ENOENT);
    tree_write(tree, ALIAS, FAKE_ERRNO, EIO);
    assert_int_equal(cpuinfo_read(tree->root, &error).vendor, CPU_VENDOR_UNKNOWN);
    memset(text, ',', sizeof(text));
    tree_write_bytes(tree, ALIAS, text, sizeof(text));
    assert_int_equal(cpuinfo_read(tree->root, &error).vendor, CPU_VENDOR_UNKNOWN);
    tree_remove(tree, ALIAS);
    tree_make_fifo(tree, ALIAS);
    assert_int_equal(cpuinfo_read(tree->root, &error).vendor, CPU_VENDOR_UNKNOWN);
}

#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, tree_setup, tree_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_TREE(test_vendors),
        IN_TREE(test_vendor_that_cannot_be_told_is_unknown),
        IN_TREE(test_other_architectures_are_known_by_their_keys),
        IN_TREE(test_vendor_line_may_be_the_last_or_follow_others),
        IN_TREE(test_virtual_machine_has_a_flag),
        IN_TREE(test_model_of_the_processor),
        cmocka_unit_test(test_alias_names_the_processor),
        cmocka_unit_test(test_what_is_no_alias_names_nobody),
        IN_TREE(test_alias_serves_where_proc_names_nobody),
        IN_TREE(test_alias_that_cannot_be_read_names_nobody),
    };
    return cmocka_run_group_tests_name("cpuinfo", tests, NULL, NULL);
}
