/* SPDX-License-Identifier: MIT */
#include "system/error.h"
#include "system/sysfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "fakes.h"
#include "rapl.h"
#include "tree.h"

#define PATH "sys/class/powercap/intel-rapl:0/energy_uj"

/* --- text ------------------------------------------------------------------------------------ */

/* Passes the length, because texts here may contain NULs. */
#define PARSE(text, number) sysfs_parse_number(text, sizeof(text) - 1, number)

static void expect_number(const char *text, size_t length, uint64_t expected) {
    uint64_t number = 7;
    assert_int_equal(sysfs_parse_number(text, length, &number), 0);
    assert_int_equal(number, expected);
}

static void test_digits_and_at_most_one_newline(void **state) {
    (void)state;
    expect_number("0", 1, 0);
    expect_number("0\n", 2, 0);
    expect_number("262143328850", 12, UINT64_C(262143328850));
    expect_number("262143328850\n", 13, UINT64_C(262143328850));
    expect_number("0123456789\n", 11, 123456789);
    expect_number("42xyz", 2, 42);
}

static void test_nul_padding_is_no_text(void **state) {
    (void)state;
    expect_number("12\0\0\0", 5, 12);
    expect_number("12\n\0\0\0", 6, 12);
}

static void test_numbers_up_to_64_bits(void **state) {
    (void)state;
    uint64_t number = 7;
    expect_number("18446744073709551615\n", 21, UINT64_MAX);
    expect_number("0000018446744073709551615", 25, UINT64_MAX);
    assert_int_equal(PARSE("18446744073709551616\n", &number), SYSFS_OUT_OF_RANGE);
    assert_int_equal(PARSE("18446744073709551620", &number), SYSFS_OUT_OF_RANGE);
    assert_int_equal(PARSE("99999999999999999999", &number), SYSFS_OUT_OF_RANGE);
    assert_int_equal(PARSE("184467440737095516150", &number), SYSFS_OUT_OF_RANGE);
    assert_int_equal(number, 7);
}

static void test_nothing_is_no_number(void **state) {
    (void)state;
    uint64_t number = 7;
    assert_int_equal(PARSE("", &number), SYSFS_EMPTY);
    assert_int_equal(PARSE("\n", &number), SYSFS_EMPTY);
    assert_int_equal(PARSE("\0\0", &number), SYSFS_EMPTY);
    assert_int_equal(PARSE("\n\0", &number), SYSFS_EMPTY);
    assert_int_equal(number, 7);
}

static void test_anything_else_is_no_number(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t length;
    } texts[] = {
        {"-1", 2},    {"+1", 2},     {" 1", 2},    {"1 ", 2},    {"1 \n", 3}, {"\n1", 2},
        {"1\n\n", 3}, {"1\n2", 3},   {"1\r\n", 3}, {"\t1", 2},   {"0x10", 4}, {"1e3", 3},
        {"1.0", 3},   {"1,000", 5},  {"1_000", 5}, {"a", 1},     {"12a", 3},  {"/", 1},
        {":", 1},     {"1\0002", 3}, {"\0001", 2}, {"1\0\n", 3}, {"inf", 3},  {"\xd9\xa1", 2},
    };
    uint64_t number = 7;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(sysfs_parse_number(texts[i].text, texts[i].length, &number),
                         SYSFS_NOT_A_NUMBER);
    assert_int_equal(number, 7);
}

/* --- files ----------------------------------------------------------------------------------- */

static void test_number_is_loaded(void **state) {
    const struct tree *tree = *state;
    uint64_t number = 0;
    tree_write(tree, PATH, "123456\n");
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), 0);
    assert_int_equal(number, 123456);
    assert_int_equal(sysfs_load_number(tree->root, "/" PATH, &number), 0);
}

static void test_open_file_is_read_anew(void **state) {
    const struct tree *tree = *state;
    uint64_t number = 0;
    tree_write(tree, PATH, "1\n");
    int file = sysfs_open(tree->root, PATH);
    assert_true(file >= 0);
    assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
    for (uint64_t i = 5; i < 8; i++) {
        tree_write(tree, PATH, "%d\n", (int)i);
        assert_int_equal(sysfs_read_number(file, &number), 0);
        assert_int_equal(number, i);
    }
    tree_write(tree, PATH, "junk\n");
    assert_int_equal(sysfs_read_number(file, &number), SYSFS_NOT_A_NUMBER);
    tree_write(tree, PATH, FAKE_ERRNO, ENODATA);
    assert_int_equal(sysfs_read_number(file, &number), -ENODATA);
    tree_write(tree, PATH, "9\n");
    assert_int_equal(sysfs_read_number(file, &number), 0);
    close(file);
}

/* If a signal interrupts every try, the reading fails, and the call does not block. */
static void test_reads_that_are_interrupted_for_ever_end(void **state) {
    const struct tree *tree = *state;
    uint64_t number;
    tree_write(tree, "number", FAKE_ERRNO, EINTR);
    assert_int_equal(sysfs_load_number(tree->root, "number", &number), -EINTR);
}

static void test_long_text_is_refused(void **state) {
    const struct tree *tree = *state;
    char text[4096];
    uint64_t number = 0;
    memset(text, '0', sizeof(text));
    tree_write_bytes(tree, PATH, text, SYSFS_TEXT_SIZE - 2);
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), 0);
    tree_write_bytes(tree, PATH, text, SYSFS_TEXT_SIZE - 1);
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), SYSFS_TOO_LONG);
    tree_write_bytes(tree, PATH, text, sizeof(text));
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), SYSFS_TOO_LONG);
    /* padding is not text, however long it is */
    memset(text, '\0', sizeof(text));
    text[0] = '4';
    text[1] = '\n';
    tree_write_bytes(tree, PATH, text, sizeof(text));
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), 0);
    assert_int_equal(number, 4);
}

static void test_empty_file_is_told_as_such(void **state) {
    const struct tree *tree = *state;
    uint64_t number = 0;
    char line[32];
    tree_write_bytes(tree, PATH, "", 0);
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), SYSFS_EMPTY);
    assert_int_equal(sysfs_load_line(tree->root, PATH, line, sizeof(line)), SYSFS_EMPTY);
    tree_write(tree, PATH, "\n");
    assert_int_equal(sysfs_load_line(tree->root, PATH, line, sizeof(line)), SYSFS_EMPTY);
}

static void test_line_is_loaded_without_its_newline(void **state) {
    const struct tree *tree = *state;
    char line[12];
    tree_write(tree, PATH, "package-0\n");
    assert_int_equal(sysfs_load_line(tree->root, PATH, line, sizeof(line)), 0);
    assert_string_equal(line, "package-0");
    tree_write(tree, PATH, "package-0");
    assert_int_equal(sysfs_load_line(tree->root, PATH, line, sizeof(line)), 0);
    assert_string_equal(line, "package-0");
    tree_write(tree, PATH, "package-100");
    assert_int_equal(sysfs_load_line(tree->root, PATH, line, sizeof(line)), SYSFS_TOO_LONG);
    assert_int_equal(sysfs_load_line(tree->root, "sys/none", line, sizeof(line)), -ENOENT);
}

static void test_missing_files_are_told_as_such(void **state) {
    const struct tree *tree = *state;
    uint64_t number;
    tree_write(tree, "sys/file", "1\n");
    assert_int_equal(sysfs_open(tree->root, PATH), -ENOENT);
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), -ENOENT);
    assert_int_equal(sysfs_open(tree->root, "sys/file/more"), -ENOTDIR);
    assert_int_equal(sysfs_open_folder(tree->root, "sys/class"), -ENOENT);
    assert_int_equal(sysfs_open_folder(tree->root, "sys/file"), -ENOTDIR);
}

static void test_root_must_be_a_folder(void **state) {
    const struct tree *tree = *state;
    char path[256];
    snprintf(path, sizeof(path), "%s/none", tree->path);
    assert_int_equal(sysfs_open_root(path), -ENOENT);
    tree_write(tree, "none", "\n");
    assert_int_equal(sysfs_open_root(path), -ENOTDIR);
    int root = sysfs_open_root(tree->path);
    assert_true(root >= 0);
    close(root);
}

static void test_only_regular_files_are_opened(void **state) {
    const struct tree *tree = *state;
    const size_t before = tree_count_descriptors();
    tree_make_folder(tree, PATH);
    assert_int_equal(sysfs_open(tree->root, PATH), SYSFS_NOT_REGULAR);
    /* nobody has opened the other end: this returns at once */
    tree_make_fifo(tree, "sys/fifo");
    assert_int_equal(sysfs_open(tree->root, "sys/fifo"), SYSFS_NOT_REGULAR);
    int top = sysfs_open_root("/");
    assert_true(top >= 0);
    assert_int_equal(sysfs_open(top, "dev/null"), SYSFS_NOT_REGULAR);
    assert_int_equal(sysfs_open(top, "dev/zero"), SYSFS_NOT_REGULAR);
    close(top);
    assert_int_equal(tree_count_descriptors(), before);
}

static void test_system_root_is_a_root(void **state) {
    (void)state;
    int top = sysfs_open_root("/");
    assert_true(top >= 0);
    int file = sysfs_open(top, "proc/self/status");
    assert_true(file >= 0);
    close(file);
    int folder = sysfs_open_folder(top, "proc/self");
    assert_true(folder >= 0);
    close(folder);
    close(top);
}

/* --- links ----------------------------------------------------------------------------------- */

static void test_links_below_the_root_are_followed(void **state) {
    const struct tree *tree = *state;
    uint64_t number = 0;
    tree_write(tree, "sys/devices/virtual/powercap/intel-rapl:0/energy_uj", "5\n");
    tree_make_link(tree, "sys/class/powercap/intel-rapl:0",
                   "../../devices/virtual/powercap/intel-rapl:0");
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), 0);
    assert_int_equal(number, 5);
    int folder = sysfs_open_folder(tree->root, "sys/class/powercap/intel-rapl:0");
    assert_true(folder >= 0);
    close(folder);
}

static void test_links_that_lead_nowhere_or_in_circles(void **state) {
    const struct tree *tree = *state;
    tree_make_link(tree, "dangling", "nowhere");
    tree_make_link(tree, "circle", "circle");
    assert_int_equal(sysfs_open(tree->root, "dangling"), -ENOENT);
    assert_int_equal(sysfs_open_folder(tree->root, "dangling"), -ENOENT);
    assert_int_equal(sysfs_open(tree->root, "circle"), -ELOOP);
}

/* Whatever it returns, it is never the text outside of the root. */
static void expect_not_secret(const struct tree *tree, const char *path) {
    uint64_t number = 0;
    (void)sysfs_load_number(tree->root, path, &number);
    assert_int_not_equal(number, 4711);
}

static void test_no_path_leads_out_of_the_root(void **state) {
    const struct tree *tree = *state;
    char absolute[256];
    char twin[256];
    tree_write(tree, "../secret", "4711\n");
    tree_write(tree, "../root-twin/secret", "4711\n");
    tree_make_folder(tree, "sys");
    snprintf(absolute, sizeof(absolute), "%s/secret", tree->outer);
    snprintf(twin, sizeof(twin), "%s/root-twin", tree->outer);
    tree_make_link(tree, "sys/relative", "../../secret");
    tree_make_link(tree, "sys/absolute", absolute);
    /* its name begins with the root's name */
    tree_make_link(tree, "sys/twin", twin);
    tree_make_link(tree, "sys/relative-twin", "../../root-twin");
    tree_make_link(tree, "sys/outer", "../..");
    expect_not_secret(tree, "../secret");
    expect_not_secret(tree, "sys/../../secret");
    expect_not_secret(tree, absolute);
    expect_not_secret(tree, "sys/relative");
    expect_not_secret(tree, "sys/absolute");
    expect_not_secret(tree, "sys/twin/secret");
    expect_not_secret(tree, "sys/relative-twin/secret");
    expect_not_secret(tree, "sys/outer/secret");
}

static void test_file_that_may_not_be_read(void **state) {
    const struct tree *tree = *state;
    const uid_t user = geteuid();
    tree_write(tree, PATH, "1\n");
    tree_set_mode(tree, PATH, user == 0 ? 0400 : 0);
    if (user == 0 && seteuid(65534) != 0)
        skip();
    int file = sysfs_open(tree->root, PATH);
    if (user == 0)
        assert_int_equal(seteuid(user), 0);
    assert_int_equal(file, -EACCES);
}

/* --- privilege ------------------------------------------------------------------------------- */

struct raising {
    unsigned int raised;
    unsigned int lowered;
    int answer;
};

static int change(void *context, bool raised) {
    struct raising *raising = context;
    if (raised)
        raising->raised++;
    else
        raising->lowered++;
    if (raising->answer == 0 && geteuid() != (raised ? 0 : 65534))
        assert_int_equal(seteuid(raised ? 0 : 65534), 0);
    return raising->answer;
}

static void test_privilege_is_raised_for_a_refused_open_alone(void **state) {
    const struct tree *tree = *state;
    struct raising raising = {.raised = 0};
    const struct rapl_privilege privilege = {.change = change, .context = &raising};
    const struct rapl_privilege none = {.change = NULL};
    tree_write(tree, PATH, "1\n");
    tree_write(tree, "free", "1\n");
    tree_set_mode(tree, PATH, 0400);
    if (geteuid() != 0 || seteuid(65534) != 0)
        skip();
    int open_to_all = sysfs_open_privileged(tree->root, "free", &privilege);
    int missing = sysfs_open_privileged(tree->root, "missing", &privilege);
    const unsigned int raised_in_vain = raising.raised;
    int without = sysfs_open_privileged(tree->root, PATH, &none);
    int with = sysfs_open_privileged(tree->root, PATH, &privilege);
    const uid_t user_after = geteuid();
    raising.answer = -EPERM;
    int refused = sysfs_open_privileged(tree->root, PATH, &privilege);
    assert_int_equal(seteuid(0), 0);
    assert_true(open_to_all >= 0);
    assert_int_equal(missing, -ENOENT);
    assert_int_equal(raised_in_vain, 0);
    assert_int_equal(without, -EACCES);
    assert_true(with >= 0);
    assert_int_equal(user_after, 65534);
    assert_int_equal(refused, -EACCES);
    assert_int_equal(raising.raised, 2);
    assert_int_equal(raising.lowered, 1);
    close(open_to_all);
    close(with);
}

static void test_whole_zone_is_read_with_the_privilege(void **state) {
    const struct tree *tree = *state;
    struct raising raising = {.raised = 0};
    const struct rapl_privilege privilege = {.change = change, .context = &raising};
    uint64_t number = 0;
    char line[SYSFS_TEXT_SIZE] = "";
    tree_write(tree, PATH, "4711\n");
    tree_write(tree, "name", "package-0\n");
    tree_set_mode(tree, PATH, 0400);
    tree_set_mode(tree, "name", 0400);
    if (geteuid() != 0 || seteuid(65534) != 0)
        skip();
    const int refused = sysfs_load_number(tree->root, PATH, &number);
    const int loaded = sysfs_load_number_privileged(tree->root, PATH, &privilege, &number);
    const int named =
        sysfs_load_line_privileged(tree->root, "name", &privilege, line, sizeof(line));
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(refused, -EACCES);
    assert_int_equal(loaded, 0);
    assert_int_equal(number, 4711);
    assert_int_equal(named, 0);
    assert_string_equal(line, "package-0");
    assert_int_equal(raising.raised, 2);
    assert_int_equal(raising.lowered, 2);
}

/* --- devices --------------------------------------------------------------------------------- */

static int open_device(const struct tree *tree, const char *path) {
    const struct rapl_privilege none = {.change = NULL};
    int file = sysfs_open_device(tree->root, path, &none);
    if (file < 0)
        return file;
    close(file);
    return 0;
}

static void test_device_is_a_character_device_or_a_file(void **state) {
    const struct tree *tree = *state;
    const struct rapl_privilege none = {.change = NULL};
    char text[8];
    tree_write(tree, "dev/cpu/0/msr", "%s", "");
    tree_make_fifo(tree, "dev/fifo");
    tree_make_link(tree, "dev/inside", "cpu/0/msr");
    tree_make_link(tree, "dev/outside", "../../secret");
    tree_make_link(tree, "dev/null", "/dev/null");
    assert_int_equal(open_device(tree, "dev/cpu/0/msr"), 0);
    assert_int_equal(open_device(tree, "dev/inside"), 0);
    assert_int_equal(open_device(tree, "dev/missing"), -ENOENT);
    assert_int_equal(open_device(tree, "dev/fifo"), SYSFS_NOT_REGULAR);
    assert_int_equal(open_device(tree, "dev/cpu"), SYSFS_NOT_REGULAR);
    assert_true(open_device(tree, "dev/outside") < 0);
    /* the machine's own device is not below this root, whatever the link says */
    assert_true(open_device(tree, "dev/null") < 0);

    int root = sysfs_open_root("/");
    assert_true(root >= 0);
    int file = sysfs_open_device(root, "dev/null", &none);
    assert_true(file >= 0);
    assert_int_equal(read(file, text, sizeof(text)), 0);
    /* opened read-only */
    assert_int_equal(write(file, "x", 1), -1);
    close(file);
    /* attributes are not devices */
    assert_int_equal(sysfs_open(root, "dev/null"), SYSFS_NOT_REGULAR);
    assert_int_equal(sysfs_open_privileged(root, "dev/null", &none), SYSFS_NOT_REGULAR);
    close(root);
}

static void test_privilege_is_raised_for_a_refused_device_alone(void **state) {
    const struct tree *tree = *state;
    struct raising raising = {.raised = 0};
    const struct rapl_privilege privilege = {.change = change, .context = &raising};
    tree_write(tree, "dev/cpu/0/msr", "%s", "");
    tree_set_mode(tree, "dev/cpu/0/msr", 0400);
    if (geteuid() != 0 || seteuid(65534) != 0)
        skip();
    int missing = sysfs_open_device(tree->root, "dev/cpu/1/msr", &privilege);
    const unsigned int raised_in_vain = raising.raised;
    int with = sysfs_open_device(tree->root, "dev/cpu/0/msr", &privilege);
    const uid_t user_after = geteuid();
    raising.answer = -EPERM;
    int refused = sysfs_open_device(tree->root, "dev/cpu/0/msr", &privilege);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(missing, -ENOENT);
    assert_int_equal(raised_in_vain, 0);
    assert_true(with >= 0);
    assert_int_equal(user_after, 65534);
    assert_int_equal(refused, -EACCES);
    assert_int_equal(raising.lowered, 1);
    close(with);
}

/* openat2(2) fails with EAGAIN after a rename or mount anywhere in the system, and may be
 * repeated. */
static void test_rename_elsewhere_does_not_keep_a_file_from_opening(void **state) {
    const struct tree *tree = *state;
    uint64_t number = 0;
    tree_write(tree, PATH, "5\n");
    fake_openat2_fails(EAGAIN, 3);
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), 0);
    assert_int_equal(number, 5);
    fake_openat2_fails(EAGAIN, 3);
    int folder = sysfs_open_folder(tree->root, "sys/class/powercap");
    assert_true(folder >= 0);
    close(folder);
    /* only openat2 resolves an absolute link below the root: it was called again */
    tree_make_link(tree, "link", "/" PATH);
    fake_openat2_fails(EAGAIN, 3);
    assert_int_equal(sysfs_load_number(tree->root, "link", &number), 0);
    /* however often it fails */
    fake_openat2_fails(EAGAIN, FAKE_ALWAYS);
    assert_int_equal(sysfs_load_number(tree->root, PATH, &number), 0);
}

/* --- both ways of opening -------------------------------------------------------------------- */

/* Linux before 5.6. */
static int setup_old_kernel(void **state) {
    fake_openat2_fails(ENOSYS, FAKE_ALWAYS);
    return tree_setup(state);
}

/* A container whose seccomp filter does not know openat2. */
static int setup_filtered(void **state) {
    fake_openat2_fails(EPERM, FAKE_ALWAYS);
    return tree_setup(state);
}

#define ON_EVERY_KERNEL(test)                                                 \
    {#test, test, tree_setup, tree_teardown, NULL},                           \
        {#test "_before_5_6", test, setup_old_kernel, tree_teardown, NULL}, { \
#test "_filtered", test, setup_filtered, tree_teardown, NULL          \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digits_and_at_most_one_newline),
        cmocka_unit_test(test_nul_padding_is_no_text),
        cmocka_unit_test(test_numbers_up_to_64_bits),
        cmocka_unit_test(test_nothing_is_no_number),
        cmocka_unit_test(test_anything_else_is_no_number),
        ON_EVERY_KERNEL(test_number_is_loaded),
        ON_EVERY_KERNEL(test_open_file_is_read_anew),
        ON_EVERY_KERNEL(test_reads_that_are_interrupted_for_ever_end),
        ON_EVERY_KERNEL(test_long_text_is_refused),
        ON_EVERY_KERNEL(test_empty_file_is_told_as_such),
        ON_EVERY_KERNEL(test_line_is_loaded_without_its_newline),
        ON_EVERY_KERNEL(test_missing_files_are_told_as_such),
        ON_EVERY_KERNEL(test_root_must_be_a_folder),
        ON_EVERY_KERNEL(test_only_regular_files_are_opened),
        ON_EVERY_KERNEL(test_system_root_is_a_root),
        ON_EVERY_KERNEL(test_links_below_the_root_are_followed),
        ON_EVERY_KERNEL(test_links_that_lead_nowhere_or_in_circles),
        ON_EVERY_KERNEL(test_no_path_leads_out_of_the_root),
        ON_EVERY_KERNEL(test_file_that_may_not_be_read),
        ON_EVERY_KERNEL(test_privilege_is_raised_for_a_refused_open_alone),
        ON_EVERY_KERNEL(test_whole_zone_is_read_with_the_privilege),
        ON_EVERY_KERNEL(test_device_is_a_character_device_or_a_file),
        ON_EVERY_KERNEL(test_privilege_is_raised_for_a_refused_device_alone),
        cmocka_unit_test_setup_teardown(test_rename_elsewhere_does_not_keep_a_file_from_opening,
                                        tree_setup, tree_teardown),
    };
    return cmocka_run_group_tests_name("sysfs", tests, NULL, NULL);
}
