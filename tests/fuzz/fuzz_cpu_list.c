/* SPDX-License-Identifier: MIT */
/* Lists of CPUs, "0-3,8". */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "system/topology.h"

#define CPUS 8192

struct found {
    bool cpus[CPUS];
    size_t count;
    long last;
};

static int take(void *context, unsigned int number) {
    struct found *found = context;
    HOLDS(number < CPUS && (long)number > found->last);
    found->cpus[number] = true;
    found->last = (long)number;
    found->count++;
    return 0;
}

/* Parses in another way: one range of the text after the other. */
static bool parse_slowly(const char *text, struct found *found) {
    static const char ranges[] = "([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*,?)?";
    char *line = strndup(text, strcspn(text, "\n"));
    HOLDS(line != NULL);
    bool valid = matches(line, ranges);
    char *rest = line;
    for (char *range = strtok_r(rest, ",", &rest); valid && range != NULL;
         range = strtok_r(rest, ",", &rest)) {
        char *end;
        const unsigned long first = strtoul(range, &end, 10);
        const unsigned long last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;
        valid = first <= last && last < CPUS && (long)first > found->last;
        for (unsigned long i = first; valid && i <= last; i++)
            take(found, (unsigned int)i);
    }
    free(line);
    return valid;
}

/* Prints the list as the kernel does (%*pbl). */
static char *print(const struct found *found) {
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    HOLDS(to != NULL);
    for (unsigned int i = 0; i < CPUS; i++) {
        unsigned int last = i;
        if (!found->cpus[i])
            continue;
        while (last + 1 < CPUS && found->cpus[last + 1])
            last++;
        fprintf(to, ftell(to) > 0 ? ",%u" : "%u", i);
        if (last > i)
            fprintf(to, "-%u", last);
        i = last;
    }
    fputc('\n', to);
    fclose(to);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct found found, slow, again;
    struct input input = {bytes, size};
    char *text = take_text(&input);
    memset(&found, 0, sizeof(found));
    memset(&slow, 0, sizeof(slow));
    found.last = slow.last = -1;
    const int error = topology_parse_list(text, take, &found);
    HOLDS(error == 0 || error == -EINVAL);
    HOLDS((error == 0) == parse_slowly(text, &slow));
    if (error == 0) {
        HOLDS(memcmp(&found, &slow, sizeof(found)) == 0);
        char *printed = print(&found);
        memset(&again, 0, sizeof(again));
        again.last = -1;
        HOLDS(topology_parse_list(printed, take, &again) == 0);
        HOLDS(memcmp(&found, &again, sizeof(found)) == 0);
        free(printed);
    }
    free(text);
    return 0;
}
