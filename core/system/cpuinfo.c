/* SPDX-License-Identifier: MIT */
#include "system/cpuinfo.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "system/sysfs.h"

/* --- proc/cpuinfo ---------------------------------------------------------------------------- */

/* The rest of the first line that begins with key, without spaces and colon before it; or NULL. */
static const char *find_value(const char *text, const char *key, size_t *length) {
    const char *line = text;
    while (line != NULL && strncmp(line, key, strlen(key)) != 0) {
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    if (line == NULL)
        return NULL;
    line += strlen(key);
    line += strspn(line, " \t:");
    *length = strcspn(line, "\n");
    return line;
}

/* Keys that proc/cpuinfo has on other architectures and never on x86 (arch/x86/kernel/cpu/proc.c):
 * see setup.c or cpuinfo.c of arm, arm64, powerpc and riscv, proc.c of loongarch. */
static bool is_not_x86(const char *text) {
    static const char *const keys[] = {"CPU implementer", "cpu\t", "hart\t", "CPU Family"};
    size_t length;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        if (find_value(text, keys[i], &length) != NULL)
            return true;
    }
    return false;
}

static enum cpu_vendor find_vendor(const char *text) {
    static const struct {
        const char *name;
        enum cpu_vendor vendor;
    } vendors[] = {{"GenuineIntel", CPU_VENDOR_INTEL},
                   {"AuthenticAMD", CPU_VENDOR_AMD},
                   {"HygonGenuine", CPU_VENDOR_HYGON},
                   {"IBM/S390", CPU_VENDOR_NOT_X86}};
    size_t length = 0;
    const char *name = find_value(text, "vendor_id", &length);
    if (name == NULL || length == 0)
        return is_not_x86(text) ? CPU_VENDOR_NOT_X86 : CPU_VENDOR_UNKNOWN;
    for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
        if (strlen(vendors[i].name) == length && strncmp(name, vendors[i].name, length) == 0)
            return vendors[i].vendor;
    }
    return CPU_VENDOR_OTHER;
}

static bool has_flag(const char *text, const char *flag) {
    size_t length = 0;
    const char *at = find_value(text, "flags", &length);
    const char *end = at != NULL ? at + length : NULL;
    while (at < end) {
        const size_t word = strcspn(at, " \n");
        if (word == strlen(flag) && strncmp(at, flag, word) == 0)
            return true;
        at += word + 1;
    }
    return false;
}

/* Reads a decimal number of at most six digits; 0: there is none. */
static unsigned int find_number(const char *text, const char *key) {
    size_t length = 0;
    const char *value = find_value(text, key, &length);
    unsigned int number = 0;
    if (length > 6)
        return 0;
    for (size_t i = 0; value != NULL && i < length; i++) {
        if (value[i] < '0' || value[i] > '9')
            return 0;
        number = number * 10 + (unsigned int)(value[i] - '0');
    }
    return number;
}

/* 0 or a negative errno. */
static int read_proc(int root, struct cpu_model *cpu) {
    char text[8192]; /* the first CPU's section is at the start of the file */
    int file = sysfs_open(root, CPUINFO_PROC);
    if (file < 0)
        return file;
    const ssize_t length = sysfs_read_at(file, text, sizeof(text) - 1, 0);
    close(file);
    if (length < 0)
        return (int)length;
    text[length] = '\0';
    cpu->vendor = find_vendor(text);
    cpu->family = find_number(text, "cpu family");
    cpu->model = find_number(text, "model\t");
    cpu->is_virtual = has_flag(text, "hypervisor");
    return 0;
}

/* --- the alias ------------------------------------------------------------------------------- */

/* X86_VENDOR_* in arch/x86/include/asm/processor.h */
enum { X86_INTEL = 0, X86_AMD = 2, X86_HYGON = 9 };

/* X86_FEATURE_HYPERVISOR, word 4 bit 31 (arch/x86/include/asm/cpufeatures.h) */
#define X86_HYPERVISOR "009F"

static unsigned int digit_of(char character) {
    static const char digits[] = "0123456789ABCDEF";
    const char *at = character != '\0' ? strchr(digits, character) : NULL;
    return at != NULL ? (unsigned int)(at - digits) : sizeof(digits);
}

/* Reads the key and four to six digits as "%04X" prints them. Returns the rest, or NULL. */
static const char *read_field(const char *text, const char *key, unsigned int *number) {
    if (text == NULL || strncmp(text, key, strlen(key)) != 0)
        return NULL;
    text += strlen(key);
    const char *begin = text;
    *number = 0;
    for (; digit_of(*text) < 16 && text - begin < 7; text++)
        *number = *number * 16 + digit_of(*text);
    return text - begin >= 4 && text - begin <= 6 ? text : NULL;
}

/* Searches a list such as ",0000,0001,…". */
static bool has_feature(const char *text, const char *feature) {
    const size_t length = strlen(feature);
    for (; text != NULL; text = strchr(text, ',')) {
        text += *text == ',' ? 1 : 0;
        if (strncmp(text, feature, length) == 0 && strcspn(text, ",\n") == length)
            return true;
    }
    return false;
}

/* Format: drivers/base/cpu.c, print_cpu_modalias; arch/x86/include/asm/cpufeature.h,
 * CPU_FEATURE_TYPEFMT */
struct cpu_model cpuinfo_parse_alias(const char *text) {
    static const char type[] = "cpu:type:";
    static const char features[] = ":feature:";
    struct cpu_model cpu = {.vendor = CPU_VENDOR_UNKNOWN};
    unsigned int vendor = 0;
    if (strncmp(text, type, strlen(type)) != 0 || strchr(text + strlen(type), ':') == NULL)
        return cpu;
    text += strlen(type);
    if (strncmp(text, "x86,", strlen("x86,")) != 0)
        return (struct cpu_model){.vendor = CPU_VENDOR_NOT_X86};
    text = read_field(text + strlen("x86,"), "ven", &vendor);
    text = read_field(text, "fam", &cpu.family);
    text = read_field(text, "mod", &cpu.model);
    if (text == NULL || strncmp(text, features, strlen(features)) != 0)
        return (struct cpu_model){.vendor = CPU_VENDOR_UNKNOWN};
    cpu.is_virtual = has_feature(text + strlen(features), X86_HYPERVISOR);
    switch (vendor) {
    case X86_INTEL:
        cpu.vendor = CPU_VENDOR_INTEL;
        break;
    case X86_AMD:
        cpu.vendor = CPU_VENDOR_AMD;
        break;
    case X86_HYGON:
        cpu.vendor = CPU_VENDOR_HYGON;
        break;
    default:
        cpu.vendor = CPU_VENDOR_OTHER;
        break;
    }
    return cpu;
}

static struct cpu_model read_alias(int root) {
    char text[4096] = ""; /* a sysfs attribute is at most one page */
    int file = sysfs_open(root, CPUINFO_SYS);
    if (file < 0)
        return (struct cpu_model){.vendor = CPU_VENDOR_UNKNOWN};
    const int length = sysfs_read(file, text, sizeof(text));
    close(file);
    return cpuinfo_parse_alias(length > 0 ? text : "");
}

struct cpu_model cpuinfo_read(int root, int *proc_error) {
    struct cpu_model cpu = {.vendor = CPU_VENDOR_UNKNOWN};
    *proc_error = read_proc(root, &cpu);
    if (cpu.vendor != CPU_VENDOR_UNKNOWN)
        return cpu;
    const struct cpu_model alias = read_alias(root);
    return alias.vendor != CPU_VENDOR_UNKNOWN ? alias : cpu;
}

const char *cpuinfo_vendor_name(enum cpu_vendor vendor) {
    static const char *const names[] = {
        [CPU_VENDOR_UNKNOWN] = "unknown", [CPU_VENDOR_INTEL] = "Intel",
        [CPU_VENDOR_AMD] = "AMD",         [CPU_VENDOR_HYGON] = "Hygon",
        [CPU_VENDOR_OTHER] = "other",     [CPU_VENDOR_NOT_X86] = "not x86",
    };
    return names[vendor];
}

void cpuinfo_format_model(const struct cpu_model *cpu, char text[CPUINFO_MODEL_SIZE]) {
    if (cpu->vendor == CPU_VENDOR_NOT_X86)
        snprintf(text, CPUINFO_MODEL_SIZE, "a processor that is not x86");
    else
        snprintf(text, CPUINFO_MODEL_SIZE, "family %u model 0x%02x", cpu->family, cpu->model);
}
