/* SPDX-License-Identifier: MIT */
/* Numbers and lines as in files of the kernel. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "system/error.h"
#include "system/sysfs.h"

/* Compares with strtoull: digits, at most one newline, then NULs. */
static int parse_slowly(const char *text, size_t length, uint64_t *number) {
    size_t end = length;
    while (end > 0 && text[end - 1] == '\0')
        end--;
    if (end == 0 || (end == 1 && text[0] == '\n'))
        return SYSFS_EMPTY;
    const size_t digits = strspn(text, "0123456789");
    errno = 0;
    const unsigned long long parsed = strtoull(text, NULL, 10);
    if (digits > 0 && errno == ERANGE)
        return SYSFS_OUT_OF_RANGE;
    if (digits != end && (text[digits] != '\n' || digits + 1 != end))
        return SYSFS_NOT_A_NUMBER;
    *number = parsed;
    return 0;
}

static void check_number(const char *text, size_t length, int error, uint64_t number) {
    uint64_t expected = 0;
    const int expected_error = parse_slowly(text, length, &expected);
    /* If both errors apply, the parser returns the first one it meets. */
    const bool both = expected_error == SYSFS_OUT_OF_RANGE && error == SYSFS_NOT_A_NUMBER;
    HOLDS(error == expected_error || both);
    HOLDS(error != 0 || number == expected);
}

static void check_file(const char *text, size_t length) {
    char line[SYSFS_TEXT_SIZE];
    uint64_t number = 0;
    HOLDS(root_write("file", text, length));
    int error = sysfs_load_number(root_open(), "file", &number);
    if (length < SYSFS_TEXT_SIZE - 1)
        check_number(text, length, error, number);
    else if (text[SYSFS_TEXT_SIZE - 2] != '\0')
        HOLDS(error == SYSFS_TOO_LONG);
    error = sysfs_load_line(root_open(), "file", line, sizeof(line));
    HOLDS(error == 0 || error == SYSFS_EMPTY || error == SYSFS_TOO_LONG);
    if (error != 0)
        return;
    const size_t line_length = strlen(line);
    HOLDS(line_length > 0 && line_length < sizeof(line));
    HOLDS(strchr(line, '\n') == NULL && memcmp(line, text, line_length) == 0);
    HOLDS(line_length == length || text[line_length] == '\n' || text[line_length] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    size_t length;
    uint64_t number = 0;
    char *text = take_rest(&input, &length);
    /* Without a NUL after the number, which the parser must not need. */
    const int error = sysfs_parse_number((const char *)bytes, size, &number);
    check_number(text, length, error, number);
    check_file(text, length);
    free(text);
    return 0;
}
