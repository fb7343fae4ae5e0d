/* SPDX-License-Identifier: MIT */
/* What the targets share: values out of the fuzzer's bytes, files out of them, and what must hold.
 */
#ifndef RAPL_TEST_FUZZ_H
#define RAPL_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* What every target has: libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Ends the program, so that the fuzzer keeps the input, unless the condition holds. */
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

/* What is no longer there is 0, or "". */
uint8_t take_byte(struct input *input);
uint64_t take_number(struct input *input); /* eight bytes */

/* A copy of what stands before the next NUL or the end, in a block that is just as long, so that a
 * read past it is seen. The caller frees it, as the next. */
char *take_text(struct input *input);
/* All that is left, with a NUL behind it. */
char *take_rest(struct input *input, size_t *length);

/* --- texts ----------------------------------------------------------------------------------- */

/* Whether an extended regular expression matches all of text. */
bool matches(const char *text, const char *pattern);

/* Whether it is made of [A-Za-z0-9_.-] alone, and of at least one. */
bool is_plain_name(const char *text);

/* Whether a log can show it as one line: no control bytes, no broken UTF-8. */
bool is_printable(const char *text);

/* --- files ----------------------------------------------------------------------------------- */

/* A folder in place of /, in memory where that can be had, taken away when the program ends. */
int root_open(void);
const char *root_path(void);

/* Folders on the way are made. What cannot be a path is passed over: false. */
bool root_write(const char *path, const void *bytes, size_t size);
bool root_write_text(const char *path, const char *text);

/* Removes all that is below that path of it. */
void root_clear(const char *path);

#endif
