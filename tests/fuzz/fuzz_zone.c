/* SPDX-License-Identifier: MIT */
/* Names of zones, of their parents, and of counters from other sources. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "rapl.h"
#include "zone/zone.h"

#define NUMBER "(0|[1-9][0-9]*)"
static const char package_pattern[] = "package-" NUMBER "(-die-" NUMBER ")?";
static const char psys_pattern[] = "psys(-" NUMBER ")?";

/* Whether every number in the text is small enough. */
static bool has_small_numbers(const char *text) {
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            continue;
        char *end;
        errno = 0;
        const unsigned long long number = strtoull(text, &end, 10);
        if (errno == ERANGE || number > INT_MAX)
            return false;
        text = end - 1;
    }
    return true;
}

static void check_texts(const struct zone_identity *identity) {
    char parent[ZONE_PARENT_SIZE];
    char name[ZONE_NAME_SIZE];
    zone_format_parent(identity, parent);
    zone_format_name(identity, name);
    HOLDS(is_plain_name(parent));
    HOLDS(is_plain_name(identity->domain));
    const char *slash = strchr(name, '/');
    HOLDS(slash == NULL ? strcmp(name, parent) == 0
                        : strncmp(name, parent, (size_t)(slash - name)) == 0 &&
                              strcmp(slash + 1, identity->domain) == 0);
    HOLDS(zone_equal(identity, identity));
}

/* No zone of the kernel may get the name of one of our own series. */
static void check_not_ours(const struct zone_identity *identity) {
    static const char *const ours[] = {"package", "psys", "total", "lead_core"};
    for (size_t i = 0; i < COUNT_OF(ours); i++)
        HOLDS(strcmp(identity->domain, ours[i]) != 0);
}

/* Identifies a top-level name with another parser. */
static void check_top(const char *name, const struct zone_identity *identity) {
    char text[ZONE_NAME_SIZE];
    const bool fits = has_small_numbers(name);
    const bool package = matches(name, package_pattern) && fits;
    const bool psys = matches(name, psys_pattern) && fits;
    HOLDS(package == (identity->kind == ZONE_PACKAGE));
    HOLDS(psys == (identity->kind == ZONE_PSYS));
    zone_format_name(identity, text);
    if (package || psys || (is_plain_name(name) && identity->kind != ZONE_OTHER))
        HOLDS(strcmp(text, name) == 0);
    if (package)
        HOLDS(identity->package_id >= 0 &&
              (identity->die_id >= 0) == (strstr(name, "-die-") != NULL));
    if (!package && !psys)
        check_not_ours(identity);
}

static void check_sub_zone(const char *name, const struct zone_identity *parent) {
    struct zone_identity identity;
    char parent_text[ZONE_PARENT_SIZE];
    char text[ZONE_PARENT_SIZE];
    if (zone_identify(name, parent, &identity) != 0)
        return;
    check_texts(&identity);
    check_not_ours(&identity);
    HOLDS(identity.kind != ZONE_PACKAGE && identity.kind != ZONE_PSYS);
    HOLDS(identity.package_id == parent->package_id && identity.die_id == parent->die_id);
    zone_format_parent(parent, parent_text);
    zone_format_parent(&identity, text);
    if (parent->kind != ZONE_PSYS || parent->package_id == RAPL_NO_ID)
        HOLDS(strcmp(parent_text, text) == 0);
}

/* A counter without a name is identified like a zone with one. */
static void check_counter(struct input *input, const char *sub_zone) {
    static const enum zone_kind kinds[] = {ZONE_PACKAGE, ZONE_PSYS, ZONE_CORE, ZONE_OTHER};
    struct zone_identity found;
    struct zone_identity again;
    char name[ZONE_NAME_SIZE];
    const enum zone_kind kind = kinds[take_byte(input) % COUNT_OF(kinds)];
    const int package_id = (int)(take_number(input) & INT_MAX);
    const int die_id = take_byte(input) % 2 != 0 ? (int)(take_number(input) & INT_MAX) : RAPL_NO_ID;
    const bool leads = take_byte(input) % 2 != 0;
    const int error = zone_identify_counter(kind, sub_zone, package_id, die_id, leads, &found);
    if (error != 0) {
        HOLDS(error == -EINVAL && (sub_zone[0] == '\0' || strlen(sub_zone) >= ZONE_TEXT_SIZE));
        return;
    }
    check_texts(&found);
    zone_format_name(&found, name);
    if (kind == ZONE_PACKAGE || kind == ZONE_PSYS)
        HOLDS(zone_identify(name, NULL, &again) == 0 && zone_equal(&found, &again));
    if (kind == ZONE_PACKAGE || kind == ZONE_CORE)
        HOLDS(found.package_id == package_id && found.die_id == die_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    struct zone_identity identity;
    char *name = take_text(&input);
    char *sub_zone = take_text(&input);
    const int error = zone_identify(name, NULL, &identity);
    HOLDS((error == 0) == (name[0] != '\0' && strlen(name) < ZONE_TEXT_SIZE));
    HOLDS(error == 0 || error == -EINVAL);
    if (error == 0) {
        check_texts(&identity);
        check_top(name, &identity);
        check_sub_zone(sub_zone, &identity);
    }
    check_counter(&input, sub_zone);
    free(name);
    free(sub_zone);
    return 0;
}
