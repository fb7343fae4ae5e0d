/* SPDX-License-Identifier: MIT */
/* Shared by all targets: values and files made from the fuzzer's input, and checks. */
#ifndef RAPL_TEST_FUZZ_H
#define RAPL_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The entry point of each target, which libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Ends the program unless the condition holds, so that the fuzzer saves the input. */
#define HOLDS(condition)                               \
    do {                                               \
        if (!(condition))                              \
            fuzz_fail(#condition, __FILE__, __LINE__); \
    } while (false)
_Noreturn void fuzz_fail(const char *condition, const char *file, int line);

/* --- bytes ----------------------------------------------------------------------------------- */

struct input {
    const uint8_t *bytes;
    size_t left;
};

/* At the end of the input these return 0 or "". */
uint8_t take_byte(struct input *input);
uint64_t take_number(struct input *input); /* eight bytes */

/* A copy of the input up to the next NUL or the end, in a block of exactly that size, so that a
 * read beyond it is detected. The caller frees it, also that of take_rest(). */
char *take_text(struct input *input);
/* All the input left, followed by a NUL. */
char *take_rest(struct input *input, size_t *length);

/* --- texts ----------------------------------------------------------------------------------- */

/* Whether an extended regular expression matches the whole text. */
bool matches(const char *text, const char *pattern);

/* Whether the text is made of [A-Za-z0-9_.-] only, and is not empty. */
bool is_plain_name(const char *text);

/* Whether a log can show the text as one line: no control bytes, no broken UTF-8. */
bool is_printable(const char *text);

/* --- files ----------------------------------------------------------------------------------- */

/* Opens a directory to use in place of /, in memory if possible; removed when the program ends. */
int root_open(void);
const char *root_path(void);

/* Creates missing directories. Skips what cannot be a path and returns false. */
bool root_write(const char *path, const void *bytes, size_t size);
bool root_write_text(const char *path, const char *text);

/* Removes everything below that path of the root. */
void root_clear(const char *path);

#endif
