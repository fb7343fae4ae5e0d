/* SPDX-License-Identifier: MIT */
/* Ids of zones: which entries of the class are listed, and in which order. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "source/powercap/powercap_list.h"

#define ENTRIES 12

static const char zone_pattern[] = "intel-rapl(-[A-Za-z0-9_-]*)?(:(0|[1-9a-f][0-9a-f]{0,7}))+";

static bool is_among(const char *name, char **names, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* Below 0: a is before b by their numbers. Both have the same control type. */
static int compare_numbers(const char *a, const char *b) {
    while (*a != '\0' && *b != '\0') {
        unsigned int number_a = 0;
        unsigned int number_b = 0;
        int length_a = 0;
        int length_b = 0;
        HOLDS(sscanf(a, ":%x%n", &number_a, &length_a) == 1);
        HOLDS(sscanf(b, ":%x%n", &number_b, &length_b) == 1);
        if (number_a != number_b)
            return number_a < number_b ? -1 : 1;
        a += length_a;
        b += length_b;
    }
    return *a != '\0' ? 1 : *b != '\0' ? -1 : 0;
}

static void check_order(const char *before, const char *after) {
    const size_t type_before = strcspn(before, ":");
    const size_t type_after = strcspn(after, ":");
    HOLDS(type_before <= type_after);
    if (type_before == type_after && strncmp(before, after, type_before) == 0)
        HOLDS(compare_numbers(before + type_before, after + type_after) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    char *made[ENTRIES];
    size_t made_count = 0;
    size_t wanted = 0;
    HOLDS(root_write(POWERCAP_CLASS "/uevent", "", 0));
    while (input.left > 0 && made_count < ENTRIES) {
        char path[2048];
        char *name = take_text(&input);
        snprintf(path, sizeof(path), POWERCAP_CLASS "/%.1024s", name);
        if (strchr(name, '/') == NULL && !is_among(name, made, made_count) &&
            root_write(path, "", 0)) {
            made[made_count++] = name;
            wanted += matches(name, zone_pattern) ? 1 : 0;
        } else {
            free(name);
        }
    }
    char **listed = NULL;
    size_t count = 0;
    size_t unlisted = 0;
    HOLDS(powercap_list(root_open(), &listed, &count, &unlisted) == 0);
    HOLDS(count == wanted && unlisted == 0);
    for (size_t i = 0; i < count; i++) {
        HOLDS(is_among(listed[i], made, made_count) && matches(listed[i], zone_pattern));
        if (i > 0)
            check_order(listed[i - 1], listed[i]);
    }
    powercap_list_free(listed, count);
    for (size_t i = 0; i < made_count; i++)
        free(made[i]);
    root_clear(POWERCAP_CLASS);
    return 0;
}
