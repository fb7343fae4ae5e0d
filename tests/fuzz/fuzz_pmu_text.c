/* SPDX-License-Identifier: MIT */
/* Texts in which a PMU describes its events: format, event, scale. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "source/perf/perf_pmu.h"
#include "system/error.h"

#define BIT "[0-9]{1,2}"

static bool check_format(const char *text, struct pmu_field *field) {
    static const char pattern[] = "config:" BIT "(-" BIT ")?";
    unsigned int first = 64;
    unsigned int last = 64;
    const int error = pmu_parse_format(text, field);
    bool valid = matches(text, pattern);
    if (valid && sscanf(text, "config:%u-%u", &first, &last) == 1)
        last = first;
    valid = valid && first <= last && last < 64;
    HOLDS(error == (valid ? 0 : PMU_NOT_A_FORMAT));
    HOLDS(error != 0 || (field->first == first && field->last == last));
    return error == 0;
}

static void check_event(const char *text, struct pmu_field field) {
    uint64_t config = 0;
    const int error = pmu_parse_event(text, field, &config);
    HOLDS(error == 0 || error == PMU_NOT_AN_EVENT);
    const bool hexadecimal = matches(text, "event=0x[0-9a-fA-F]{1,16}");
    const bool valid = hexadecimal || matches(text, "event=[0-9]{1,19}");
    uint64_t number = 0;
    if (valid)
        number = strtoull(text + strlen(hexadecimal ? "event=0x" : "event="), NULL,
                          hexadecimal ? 16 : 10);
    const unsigned int width = field.last - field.first + 1;
    HOLDS((error == 0) == (valid && (width == 64 || number < UINT64_C(1) << width)));
    if (error == 0)
        HOLDS(config >> field.first == number &&
              config << (63 - field.last) >> (63 - field.last) == config);
}

/* Compares with strtold, whose 64 bits of precision are twice as many as needed. */
static void check_scale(const char *text) {
    static const char pattern[] = "[0-9]+(\\.[0-9]+)?([eE][+-]?[0-9]{1,2})?";
    struct tick_scale scale = {.numerator_uj = 0};
    const int error = pmu_parse_scale(text, &scale);
    HOLDS(error == 0 || error == PMU_NOT_A_SCALE);
    const bool decimal = matches(text, pattern);
    const long double microjoules = decimal ? strtold(text, NULL) * 1e6L : 0;
    if (error == 0) {
        HOLDS(decimal && scale.numerator_uj > 0 && scale.denominator > 0);
        const long double found = (long double)scale.numerator_uj / (long double)scale.denominator;
        HOLDS(fabsl(found / microjoules - 1) <= 0x1.0001p-32L);
    } else if (strlen(text) < 30) {
        /* Scales that a register can have must be accepted. */
        HOLDS(!(microjoules > 1e-9L && microjoules < 1e9L));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct pmu_field field = {.first = 0, .last = 63};
    char *format = take_text(&input);
    char *event = take_text(&input);
    char *scale = take_text(&input);
    if (!check_format(format, &field))
        field = (struct pmu_field){.first = 0, .last = 7};
    check_event(event, field);
    check_scale(scale);
    free(format);
    free(event);
    free(scale);
    return 0;
}
