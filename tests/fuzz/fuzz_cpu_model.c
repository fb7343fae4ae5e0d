/* SPDX-License-Identifier: MIT */
/* proc/cpuinfo, and what the model table derives from it and from a unit register. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "source/cpu_model.h"
#include "system/cpuinfo.h"

#define READ_AT_MOST 8191

/* The value of the first line with that key, found by splitting each line. */
static char *find_slowly(const char *text, const char *key) {
    char *value = NULL;
    char *copy = strdup(text);
    HOLDS(copy != NULL);
    char *rest = copy;
    for (char *line = strsep(&rest, "\n"); line != NULL && value == NULL;
         line = strsep(&rest, "\n")) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        line += strlen(key);
        while (*line == ' ' || *line == '\t' || *line == ':')
            line++;
        value = strdup(line);
    }
    free(copy);
    return value;
}

static unsigned int find_number_slowly(const char *text, const char *key) {
    unsigned int number = 0;
    char *value = find_slowly(text, key);
    if (value != NULL && matches(value, "[0-9]{1,6}"))
        number = (unsigned int)strtoul(value, NULL, 10);
    free(value);
    return number;
}

static bool has_flag_slowly(const char *text, const char *flag) {
    bool has = false;
    char *flags = find_slowly(text, "flags");
    char *rest = flags;
    for (char *word = flags != NULL ? strsep(&rest, " ") : NULL; word != NULL;
         word = strsep(&rest, " "))
        has = has || strcmp(word, flag) == 0;
    free(flags);
    return has;
}

static bool is_not_x86_slowly(const char *text) {
    static const char *const keys[] = {"CPU implementer", "cpu\t", "hart\t", "CPU Family"};
    bool found = false;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        char *value = find_slowly(text, keys[i]);
        found = found || value != NULL;
        free(value);
    }
    return found;
}

static enum cpu_vendor find_vendor_slowly(const char *text) {
    enum cpu_vendor vendor = CPU_VENDOR_OTHER;
    char *name = find_slowly(text, "vendor_id");
    if (name == NULL || name[0] == '\0')
        vendor = is_not_x86_slowly(text) ? CPU_VENDOR_NOT_X86 : CPU_VENDOR_UNKNOWN;
    else if (strcmp(name, "IBM/S390") == 0)
        vendor = CPU_VENDOR_NOT_X86;
    else if (strcmp(name, "GenuineIntel") == 0)
        vendor = CPU_VENDOR_INTEL;
    else if (strcmp(name, "AuthenticAMD") == 0)
        vendor = CPU_VENDOR_AMD;
    else if (strcmp(name, "HygonGenuine") == 0)
        vendor = CPU_VENDOR_HYGON;
    free(name);
    return vendor;
}

static void check_counters(const struct cpu_counters *counters, uint64_t unit_register) {
    if (counters == NULL)
        return;
    HOLDS(counters->domains < 1U << CPU_DOMAINS);
    for (unsigned int i = 0; i < CPU_DOMAINS; i++) {
        const struct tick_scale scale =
            cpu_model_scale(counters, (enum cpu_domain)(1U << i), unit_register);
        HOLDS(scale.numerator_uj > 0 && scale.denominator > 0);
        /* Units are from 2^-31 J to 2^31 uJ: 32 bits of ticks fit into microjoules. */
        HOLDS(counter_to_uj(scale, UINT32_MAX) <= (uint64_t)UINT32_MAX << 31);
    }
    HOLDS(cpu_model_power_uw(counters, unit_register, 0x7FFF) <= UINT64_C(0x7FFF) * 32768000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct input input = {bytes, size};
    size_t length;
    const uint64_t unit_register = take_number(&input);
    char *text = take_rest(&input, &length);
    HOLDS(root_write("proc/cpuinfo", text, length));
    int error;
    const struct cpu_model model = cpuinfo_read(root_open(), &error);
    HOLDS(error == 0);
    if (length > READ_AT_MOST)
        text[READ_AT_MOST] = '\0';
    HOLDS(model.vendor == find_vendor_slowly(text));
    HOLDS(model.family == find_number_slowly(text, "cpu family"));
    HOLDS(model.model == find_number_slowly(text, "model\t"));
    HOLDS(model.is_virtual == has_flag_slowly(text, "hypervisor"));
    check_counters(cpu_model_find(&model), unit_register);
    check_counters(cpu_model_guess(model.vendor), unit_register);
    HOLDS(!cpu_model_lacks_rapl(&model) || cpu_model_find(&model) == NULL);
    HOLDS(cpu_model_powercap_module(&model) != NULL && cpu_model_perf_module(&model) != NULL);
    free(text);
    return 0;
}
