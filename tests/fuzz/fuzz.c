/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_fail(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

static void *allocate(size_t size) {
    void *block = malloc(size);
    if (block == NULL)
        fuzz_fail("memory", __FILE__, __LINE__);
    return block;
}

uint8_t take_byte(struct input *input) {
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->bytes++;
}

uint64_t take_number(struct input *input) {
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number |= (uint64_t)take_byte(input) << (8 * i);
    return number;
}

char *take_text(struct input *input) {
    const uint8_t *end = input->left > 0 ? memchr(input->bytes, '\0', input->left) : NULL;
    const size_t length = end != NULL ? (size_t)(end - input->bytes) : input->left;
    char *text = allocate(length + 1);
    if (length > 0)
        memcpy(text, input->bytes, length);
    text[length] = '\0';
    const size_t taken = length + (end != NULL ? 1 : 0);
    input->bytes += taken;
    input->left -= taken;
    return text;
}

char *take_rest(struct input *input, size_t *length) {
    char *text = allocate(input->left + 1);
    if (input->left > 0)
        memcpy(text, input->bytes, input->left);
    text[input->left] = '\0';
    *length = input->left;
    input->bytes += input->left;
    input->left = 0;
    return text;
}

/* Compiles each pattern once: a target uses only a few, kept until the program ends. */
bool matches(const char *text, const char *pattern) {
    static struct {
        const char *pattern;
        regex_t regex;
    } known[16];
    regmatch_t match;
    size_t i = 0;
    while (i < COUNT_OF(known) && known[i].pattern != NULL && known[i].pattern != pattern)
        i++;
    HOLDS(i < COUNT_OF(known));
    if (known[i].pattern == NULL) {
        HOLDS(regcomp(&known[i].regex, pattern, REG_EXTENDED) == 0);
        known[i].pattern = pattern;
    }
    return regexec(&known[i].regex, text, 1, &match, 0) == 0 && match.rm_so == 0 &&
           text[match.rm_eo] == '\0';
}

bool is_plain_name(const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    return text[0] != '\0' && text[strspn(text, plain)] == '\0';
}

/* Number of bytes after the first of a character (RFC 3629), and the smallest character of that
 * length. */
static int count_followers(unsigned char first, uint32_t *character, uint32_t *least) {
    static const struct {
        unsigned char mask;
        unsigned char value;
        uint32_t least;
    } lengths[] = {{0x80, 0x00, 0}, {0xE0, 0xC0, 0x80}, {0xF0, 0xE0, 0x800}, {0xF8, 0xF0, 0x10000}};
    for (size_t i = 0; i < COUNT_OF(lengths); i++) {
        if ((first & lengths[i].mask) != lengths[i].value)
            continue;
        *character = first & (unsigned char)~lengths[i].mask;
        *least = lengths[i].least;
        return (int)i;
    }
    return -1;
}

bool is_printable(const char *text) {
    while (*text != '\0') {
        uint32_t character = 0;
        uint32_t least = 0;
        int followers = count_followers((unsigned char)*text++, &character, &least);
        if (followers < 0)
            return false;
        for (; followers > 0; followers--, text++) {
            if (((unsigned char)*text & 0xC0) != 0x80)
                return false;
            character = character << 6 | ((unsigned char)*text & 0x3F);
        }
        if (character < least || character > 0x10FFFF || (character >> 11) == 0x1B)
            return false;
        if (character < 0x20 || (character >= 0x7F && character < 0xA0))
            return false;
    }
    return true;
}
