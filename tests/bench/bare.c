/* SPDX-License-Identifier: MIT */
#include "bare.h"

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct call {
    int file;
    off_t offset;  /* register of an MSR */
    size_t length; /* largest size of a read */
    int cpu;       /* CPU of a group of events */
};

struct bare {
    bool reads; /* read(2) for events, pread(2) for files */
    struct call *calls;
    size_t count;
};

static int open_path(const char *root, const char *path) {
    char joined[4096];
    snprintf(joined, sizeof(joined), "%s/%s", root, path);
    int file = open(joined, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        err(1, "%s", joined);
    return file;
}

static uint64_t load_number(const char *root, const char *path, const char *format) {
    char text[64] = "";
    uint64_t number = 0;
    int file = open_path(root, path);
    if (read(file, text, sizeof(text) - 1) <= 0 || sscanf(text, format, &number) != 1)
        errx(1, "%s holds no number", path);
    close(file);
    return number;
}

static struct call *add_call(struct bare *bare) {
    bare->calls = realloc(bare->calls, (bare->count + 1) * sizeof(*bare->calls));
    if (bare->calls == NULL)
        err(1, "calls");
    return &bare->calls[bare->count++];
}

/* An event joins the group of its CPU, which its name contains ("power/energy-pkg@0"). */
static void add_event(struct bare *bare, const char *root, const struct rapl_zone *zone) {
    char path[512];
    const size_t pmu_length = strcspn(zone->id, "/");
    const int cpu = atoi(strrchr(zone->id, '@') + 1);
    snprintf(path, sizeof(path), "sys/bus/event_source/devices/%.*s/type", (int)pmu_length,
             zone->id);
    struct perf_event_attr attributes = {
        .size = sizeof(attributes),
        .type = (uint32_t)load_number(root, path, "%" SCNu64),
        .config = load_number(root, zone->path, "event=%" SCNi64),
        .read_format =
            PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
    };
    struct call *group = NULL;
    for (size_t i = 0; i < bare->count; i++) {
        if (bare->calls[i].cpu == cpu)
            group = &bare->calls[i];
    }
    int file = (int)syscall(SYS_perf_event_open, &attributes, -1, cpu,
                            group != NULL ? group->file : -1, PERF_FLAG_FD_CLOEXEC);
    if (file < 0)
        err(1, "perf_event_open of %s", zone->id);
    if (group == NULL)
        *add_call(bare) = (struct call){.file = file, .length = 4096, .cpu = cpu};
}

static void add_zone(struct bare *bare, const char *root, const struct rapl_zone *zone) {
    const char *address = strstr(zone->id, "/0x");
    if (bare->reads)
        add_event(bare, root, zone);
    else
        *add_call(bare) = (struct call){
            .file = open_path(root, zone->path),
            .offset = address != NULL ? (off_t)strtoll(address + 1, NULL, 16) : 0,
            .length = address != NULL ? sizeof(uint64_t) : 64,
        };
}

struct bare *bare_open(const struct rapl *rapl) {
    struct bare *bare = calloc(1, sizeof(*bare));
    if (bare == NULL)
        err(1, "bare");
    bare->reads = strcmp(rapl_source_name(rapl), "perf") == 0;
    for (size_t i = 0; i < rapl_zone_count(rapl); i++) {
        struct rapl_zone zone;
        rapl_zone(rapl, i, &zone);
        if (zone.error == 0)
            add_zone(bare, rapl_root(rapl), &zone);
    }
    return bare;
}

void bare_add_online(struct bare *bare, const struct rapl *rapl) {
    if (!bare->reads)
        *add_call(bare) = (struct call){
            .file = open_path(rapl_root(rapl), "sys/devices/system/cpu/online"), .length = 4095};
}

void bare_read(struct bare *bare) {
    char text[4096];
    for (size_t i = 0; i < bare->count; i++) {
        const struct call *call = &bare->calls[i];
        const ssize_t length = bare->reads ? read(call->file, text, call->length)
                                           : pread(call->file, text, call->length, call->offset);
        if (length <= 0)
            err(1, "read");
    }
}

size_t bare_call_count(const struct bare *bare) {
    return bare->count;
}

void bare_close(struct bare *bare) {
    for (size_t i = 0; i < bare->count; i++)
        close(bare->calls[i].file);
    free(bare->calls);
    free(bare);
}
