/* SPDX-License-Identifier: MIT */
/* The module alias of the processor, compared with a regular expression that finds its parts. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "system/cpuinfo.h"

static enum cpu_vendor name_vendor(unsigned int number) {
    switch (number) {
    case 0:
        return CPU_VENDOR_INTEL;
    case 2:
        return CPU_VENDOR_AMD;
    case 9:
        return CPU_VENDOR_HYGON;
    default:
        return CPU_VENDOR_OTHER;
    }
}

/* The character after the number may be a hexadecimal digit itself: the f of "fam". */
static unsigned int number_of(const char *text, const regmatch_t *part) {
    char *digits = strndup(text + part->rm_so, (size_t)(part->rm_eo - part->rm_so));
    HOLDS(digits != NULL);
    const unsigned int number = (unsigned int)strtoul(digits, NULL, 16);
    free(digits);
    return number;
}

static struct cpu_model parse_slowly(const char *text) {
    static const char x86[] = "^cpu:type:x86,ven([0-9A-F]{4,6})fam([0-9A-F]{4,6})"
                              "mod([0-9A-F]{4,6}):feature:(.*)$";
    struct cpu_model cpu = {.vendor = CPU_VENDOR_UNKNOWN};
    regex_t pattern;
    regmatch_t parts[5];
    HOLDS(regcomp(&pattern, x86, REG_EXTENDED) == 0);
    if (regexec(&pattern, text, 5, parts, 0) == 0) {
        cpu.vendor = name_vendor(number_of(text, &parts[1]));
        cpu.family = number_of(text, &parts[2]);
        cpu.model = number_of(text, &parts[3]);
        regfree(&pattern);
        HOLDS(regcomp(&pattern, "(^|,)009F(,|\n|$)", REG_EXTENDED) == 0);
        cpu.is_virtual = regexec(&pattern, text + parts[4].rm_so, 0, NULL, 0) == 0;
    } else if (strncmp(text, "cpu:type:", 9) == 0 && strchr(text + 9, ':') != NULL &&
               strncmp(text + 9, "x86,", 4) != 0) {
        cpu.vendor = CPU_VENDOR_NOT_X86;
    }
    regfree(&pattern);
    return cpu;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    size_t length;
    char *text = take_rest(&input, &length);
    const struct cpu_model model = cpuinfo_parse_alias(text);
    const struct cpu_model expected = parse_slowly(text);
    HOLDS(model.vendor == expected.vendor);
    HOLDS(model.family == expected.family);
    HOLDS(model.model == expected.model);
    HOLDS(model.is_virtual == expected.is_virtual);
    free(text);
    return 0;
}
