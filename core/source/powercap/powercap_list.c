/* SPDX-License-Identifier: MIT */
#include "source/powercap/powercap_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "system/sysfs.h"

/* Length of the control type in "intel-rapl-mmio:0:1"; 0: the entry is not RAPL. The numbers are
 * hexadecimal (powercap_sys.c: "%s:%x"). The check is strict because ids are printed as they
 * are. */
static size_t parse_id(const char *id) {
    if (strncmp(id, POWERCAP_CONTROL_TYPE, strlen(POWERCAP_CONTROL_TYPE)) != 0)
        return 0;
    const size_t type = strspn(id, SYSFS_NAME_CHARACTERS);
    if (type > strlen(POWERCAP_CONTROL_TYPE) && id[strlen(POWERCAP_CONTROL_TYPE)] != '-')
        return 0;
    const char *at = id + type;
    while (*at == ':') {
        size_t digits = strspn(at + 1, "0123456789abcdef");
        if (digits == 0 || digits > 8 || (digits > 1 && at[1] == '0'))
            return 0;
        at += 1 + digits;
    }
    return *at == '\0' ? type : 0;
}

/* intel-rapl comes first, then ids are ordered by their numbers: a parent before its sub-zones. */
int powercap_list_compare(const char *a, const char *b) {
    const size_t type_a = strcspn(a, ":");
    const size_t type_b = strcspn(b, ":");
    if (type_a != type_b)
        return type_a < type_b ? -1 : 1;
    int order = strncmp(a, b, type_a);
    a += type_a;
    b += type_b;
    while (order == 0 && *a == ':' && *b == ':') {
        char *end_a;
        char *end_b;
        unsigned long number_a = strtoul(a + 1, &end_a, 16);
        unsigned long number_b = strtoul(b + 1, &end_b, 16);
        order = (number_a > number_b) - (number_a < number_b);
        a = end_a;
        b = end_b;
    }
    return order != 0 ? order : (*a != '\0') - (*b != '\0');
}

static int compare_entries(const void *a, const void *b) {
    return powercap_list_compare(*(char *const *)a, *(char *const *)b);
}

static size_t count_colons(const char *id) {
    size_t colons = 0;
    for (; *id != '\0'; id++)
        colons += *id == ':' ? 1 : 0;
    return colons;
}

static int compare_by_depth(const void *a, const void *b) {
    const size_t depth_a = count_colons(*(char *const *)a);
    const size_t depth_b = count_colons(*(char *const *)b);
    return depth_a != depth_b ? (depth_a < depth_b ? -1 : 1) : compare_entries(a, b);
}

uint32_t powercap_list_control(const char *id) {
    const size_t length = strcspn(id, ":");
    uint32_t number = 0;
    for (size_t i = strlen(POWERCAP_CONTROL_TYPE); i < length; i++)
        number = number * 131 + (unsigned char)id[i];
    return number;
}

void powercap_list_free(char **entries, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

/* State of a listing. */
struct list {
    char **entries;
    size_t count;
    size_t room;
    size_t unlisted;
};

/* Keeps the first POWERCAP_LIST_MAX entries, parents first. */
static void shorten(struct list *list) {
    if (list->count <= POWERCAP_LIST_MAX)
        return;
    qsort(list->entries, list->count, sizeof(*list->entries), compare_by_depth);
    for (; list->count > POWERCAP_LIST_MAX; list->unlisted++)
        free(list->entries[--list->count]);
}

static int append(struct list *list, const char *id) {
    if (list->count == 2 * POWERCAP_LIST_MAX)
        shorten(list);
    if (list->count == list->room) {
        const size_t room = list->room > 0 ? 2 * list->room : 64;
        char **entries = realloc(list->entries, room * sizeof(*entries));
        if (entries == NULL)
            return -ENOMEM;
        list->entries = entries;
        list->room = room;
    }
    list->entries[list->count] = strdup(id);
    return list->entries[list->count] != NULL ? (list->count++, 0) : -ENOMEM;
}

int powercap_list(int root, char ***listed, size_t *listed_count, size_t *unlisted) {
    struct list list = {.entries = NULL};
    int error = 0;
    const struct dirent *entry;

    int fd = sysfs_open_folder(root, POWERCAP_CLASS);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    if (folder == NULL) {
        error = fd < 0 ? fd : -errno;
        if (fd >= 0)
            close(fd);
        return error;
    }
    for (errno = 0; error == 0 && (entry = readdir(folder)) != NULL; errno = 0) {
        size_t type = parse_id(entry->d_name);
        if (type > 0 && entry->d_name[type] != '\0') /* a RAPL zone, not the control type itself */
            error = append(&list, entry->d_name);
    }
    /* A truncated list would remove zones. */
    if (error == 0)
        error = -errno;
    closedir(folder);
    if (error != 0) {
        powercap_list_free(list.entries, list.count);
        return error;
    }
    shorten(&list);
    if (list.count > 0)
        qsort(list.entries, list.count, sizeof(*list.entries), compare_entries);
    *listed = list.entries;
    *listed_count = list.count;
    *unlisted = list.unlisted;
    return 0;
}
