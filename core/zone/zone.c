/* SPDX-License-Identifier: MIT */
#include "zone/zone.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "rapl.h"

/* Reads a number as the kernel prints one with %d, without sign or leading zero. Returns the text
 * after it, or NULL. */
static const char *read_id(const char *text, int *id) {
    if (*text < '0' || *text > '9')
        return NULL;
    if (*text == '0' && text[1] >= '0' && text[1] <= '9')
        return NULL;
    int value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        int digit = *text - '0';
        if (value > (INT_MAX - digit) / 10)
            return NULL;
        value = value * 10 + digit;
    }
    *id = value;
    return text;
}

static bool read_package(const char *name, struct zone_identity *identity) {
    static const char package[] = "package-";
    static const char die[] = "-die-";
    if (strncmp(name, package, strlen(package)) != 0)
        return false;
    int package_id = RAPL_NO_ID;
    int die_id = RAPL_NO_ID;
    const char *rest = read_id(name + strlen(package), &package_id);
    if (rest != NULL && strncmp(rest, die, strlen(die)) == 0)
        rest = read_id(rest + strlen(die), &die_id);
    if (rest == NULL || *rest != '\0')
        return false;
    identity->kind = ZONE_PACKAGE;
    identity->package_id = package_id;
    identity->die_id = die_id;
    return true;
}

static bool read_psys(const char *name, struct zone_identity *identity) {
    static const char psys[] = "psys";
    if (strncmp(name, psys, strlen(psys)) != 0)
        return false;
    const char *rest = name + strlen(psys);
    int package_id = RAPL_NO_ID;
    if (*rest == '-')
        rest = read_id(rest + 1, &package_id);
    if (rest == NULL || *rest != '\0')
        return false;
    identity->kind = ZONE_PSYS;
    identity->package_id = package_id;
    return true;
}

/* The caller has checked that the name fits. */
static void copy_safely(char to[ZONE_TEXT_SIZE], const char *name) {
    for (; *name != '\0'; name++, to++) {
        const char c = *name;
        const bool safe = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
        *to = c;
        if (!safe)
            *to = '_';
    }
    *to = '\0';
}

static bool is_ours(const char *domain) {
    static const char *const ours[] = {"total", "lead_core", "package", "psys"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (strcmp(domain, ours[i]) == 0)
            return true;
    }
    return false;
}

static void format_place(const struct zone_identity *identity, char *text, size_t size) {
    char die[24] = "";
    char core[24] = "";
    if (identity->die_id != RAPL_NO_ID)
        snprintf(die, sizeof(die), "-die-%d", identity->die_id);
    if (identity->core_id != RAPL_NO_ID)
        snprintf(core, sizeof(core), "-core-%d", identity->core_id);
    if (identity->kind == ZONE_TOTAL)
        text[0] = '\0';
    else if (identity->kind == ZONE_PSYS && identity->package_id != RAPL_NO_ID)
        snprintf(text, size, "psys-%d", identity->package_id);
    else if (identity->kind == ZONE_PSYS)
        snprintf(text, size, "psys");
    else if (identity->package_id == RAPL_NO_ID)
        snprintf(text, size, "%s",
                 identity->parent[0] != '\0' ? identity->parent : identity->domain);
    else
        snprintf(text, size, "package-%d%s%s", identity->package_id, die, core);
}

int zone_identify(const char *name, const struct zone_identity *parent,
                  struct zone_identity *identity) {
    static const struct {
        const char *name;
        enum zone_kind kind;
    } sub_zones[] = {{"core", ZONE_CORE}, {"uncore", ZONE_UNCORE}, {"dram", ZONE_DRAM}};

    if (*name == '\0' || strlen(name) >= ZONE_TEXT_SIZE)
        return -EINVAL;
    *identity = (struct zone_identity){
        .kind = ZONE_OTHER, .package_id = RAPL_NO_ID, .die_id = RAPL_NO_ID, .core_id = RAPL_NO_ID};
    if (parent == NULL && read_package(name, identity)) {
        copy_safely(identity->domain, "package");
        return 0;
    }
    if (parent == NULL && read_psys(name, identity)) {
        copy_safely(identity->domain, "psys");
        return 0;
    }
    copy_safely(identity->domain, name);
    for (size_t i = 0; i < sizeof(sub_zones) / sizeof(sub_zones[0]); i++) {
        if (strcmp(name, sub_zones[i].name) == 0)
            identity->kind = sub_zones[i].kind;
    }
    /* A series named by the kernel must not look like one of ours. */
    if (identity->kind == ZONE_OTHER && is_ours(identity->domain))
        memcpy(identity->domain + strlen(identity->domain), "_", sizeof("_"));
    if (parent != NULL) {
        identity->package_id = parent->package_id;
        identity->die_id = parent->die_id;
        if (parent->package_id == RAPL_NO_ID)
            format_place(parent, identity->parent, sizeof(identity->parent));
    }
    return 0;
}

int zone_identify_counter(enum zone_kind kind, const char *sub_zone, int package_id, int die_id,
                          bool leads, struct zone_identity *identity) {
    char name[ZONE_TEXT_SIZE];
    struct zone_identity package = {.kind = ZONE_PACKAGE};
    if (kind == ZONE_PSYS) {
        snprintf(name, sizeof(name), "psys-%d", package_id);
        return zone_identify(leads ? "psys" : name, NULL, identity);
    }
    if (die_id != RAPL_NO_ID)
        snprintf(name, sizeof(name), "package-%d-die-%d", package_id, die_id);
    else
        snprintf(name, sizeof(name), "package-%d", package_id);
    (void)zone_identify(name, NULL, &package);
    if (kind != ZONE_PACKAGE)
        return zone_identify(sub_zone, &package, identity);
    *identity = package;
    return 0;
}

bool zone_equal(const struct zone_identity *a, const struct zone_identity *b) {
    return a->kind == b->kind && a->package_id == b->package_id && a->die_id == b->die_id &&
           a->core_id == b->core_id && strcmp(a->domain, b->domain) == 0 &&
           strcmp(a->id, b->id) == 0;
}

/* psys belongs to the first die of package 0, and psys-0 to another die of package 0:
 * intel_rapl_common.c uses the package's number once the die's is above 0. */
bool zone_may_be_alike(const struct zone_identity *identity, bool is_virtual,
                       struct zone_identity *key) {
    *key = *identity;
    key->id[0] = '\0';
    key->die_id = RAPL_NO_ID;
    if (is_virtual || (identity->kind == ZONE_PSYS && identity->package_id == 0))
        key->package_id = RAPL_NO_ID;
    /* Each core has its own counter. */
    return identity->core_id == RAPL_NO_ID && identity->kind != ZONE_LEAD_CORE;
}

bool zone_in_total(const struct zone_identity *identity) {
    return identity->kind == ZONE_PACKAGE || identity->kind == ZONE_DRAM;
}

bool zone_is_core_of(const struct zone_identity *identity, struct zone_identity *whole) {
    *whole = *identity;
    whole->die_id = RAPL_NO_ID;
    whole->core_id = RAPL_NO_ID;
    return identity->kind == ZONE_CORE && identity->core_id != RAPL_NO_ID;
}

static bool is_top_level(const struct zone_identity *identity) {
    return identity->kind == ZONE_PACKAGE || identity->kind == ZONE_PSYS ||
           (identity->package_id == RAPL_NO_ID && identity->parent[0] == '\0');
}

bool zone_is_part_of(const struct zone_identity *identity, struct zone_identity *parent) {
    const bool in_package = identity->package_id != RAPL_NO_ID;
    *parent = *identity;
    parent->kind = in_package ? ZONE_PACKAGE : ZONE_OTHER;
    if (strcmp(identity->parent, "psys") == 0)
        parent->kind = ZONE_PSYS;
    snprintf(parent->domain, sizeof(parent->domain), "%s",
             in_package ? "package" : identity->parent);
    parent->parent[0] = '\0';
    return !is_top_level(identity) && identity->core_id == RAPL_NO_ID;
}

/* Replaces '/', so that the name can be used in a log, a tag and a file name. */
void zone_set_id(struct zone_identity *identity, const char *id) {
    const size_t length = strnlen(id, ZONE_TEXT_SIZE - 1);
    for (size_t i = 0; i < length; i++)
        identity->id[i] = id[i] == '/' ? '_' : id[i];
    identity->id[length] = '\0';
}

void zone_format_parent(const struct zone_identity *identity, char text[ZONE_PARENT_SIZE]) {
    format_place(identity, text, ZONE_PARENT_SIZE);
    const size_t length = strlen(text);
    if (identity->id[0] != '\0')
        snprintf(text + length, ZONE_PARENT_SIZE - length, "-%s", identity->id);
}

void zone_format_name(const struct zone_identity *identity, char text[ZONE_NAME_SIZE]) {
    char parent[ZONE_PARENT_SIZE];
    zone_format_parent(identity, parent);
    if (identity->kind == ZONE_TOTAL)
        snprintf(text, ZONE_NAME_SIZE, "total");
    else if (is_top_level(identity))
        snprintf(text, ZONE_NAME_SIZE, "%s", parent);
    else
        snprintf(text, ZONE_NAME_SIZE, "%s/%s", parent, identity->domain);
}
