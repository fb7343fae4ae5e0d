/* SPDX-License-Identifier: MIT */
#include "powercap_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sysfs.h"

/* Length of the control type in "intel-rapl-mmio:0:1"; 0 for what is not RAPL. The ids are
 * hexadecimal (powercap_sys.c: "%s:%x"). */
static size_t parse_id(const char *id) {
    if (strncmp(id, POWERCAP_CONTROL_TYPE, strlen(POWERCAP_CONTROL_TYPE)) != 0)
        return 0;
    const size_t type = strcspn(id, ":");
    if (type > strlen(POWERCAP_CONTROL_TYPE) && id[strlen(POWERCAP_CONTROL_TYPE)] != '-')
        return 0;
    const char *at = id + type;
    while (*at == ':') {
        size_t digits = strspn(at + 1, "0123456789abcdef");
        if (digits == 0 || digits > 8)
            return 0;
        at += 1 + digits;
    }
    return *at == '\0' ? type : 0;
}

/* intel-rapl before all others, then by the numbers of the ids: a parent before its sub-zones. */
static int compare_ids(const char *a, const char *b) {
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
    return compare_ids(*(char *const *)a, *(char *const *)b);
}

void powercap_list_free(char **entries, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
}

int powercap_list(int root, char ***listed, size_t *listed_count) {
    char **entries = NULL;
    size_t count = 0;
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
    for (errno = 0; (entry = readdir(folder)) != NULL; errno = 0) {
        size_t type = parse_id(entry->d_name);
        if (type == 0 || entry->d_name[type] == '\0')
            continue; /* not RAPL, or a control type */
        char **more = realloc(entries, (count + 1) * sizeof(*entries));
        if (more != NULL)
            entries = more;
        char *copy = more != NULL ? strdup(entry->d_name) : NULL;
        if (copy == NULL) {
            error = -ENOMEM;
            break;
        }
        entries[count++] = copy;
    }
    /* A list that is cut short would take zones away. */
    if (entry == NULL)
        error = -errno;
    closedir(folder);
    if (error != 0) {
        powercap_list_free(entries, count);
        return error;
    }
    if (count > 0)
        qsort(entries, count, sizeof(*entries), compare_entries);
    *listed = entries;
    *listed_count = count;
    return 0;
}
