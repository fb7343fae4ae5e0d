/* SPDX-License-Identifier: MIT */
#include "fakes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Names that the linker gives the wrapped calls (ld, --wrap). */
int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
ssize_t __real_pread(int file, void *text, size_t size, off_t offset);
ssize_t __wrap_pread(int file, void *text, size_t size, off_t offset);
ssize_t __wrap___pread_chk(int file, void *text, size_t size, off_t offset, size_t room);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);

#define FAKE_CPUS 2048

struct fake_register {
    unsigned int cpu;
    uint32_t address;
    int error;
    bool late; /* the next read gives 0 */
    uint64_t value;
};

static struct {
    bool clocks_stopped;
    uint64_t awake_ns;
    uint64_t slept_ns;
    int openat2_error;
    uint32_t openat2_failures;
    const char *path;
    void (*change)(void);
    struct fake_register *registers; /* as set: the last one of an address counts */
    size_t register_count;
    bool msr_offline[FAKE_CPUS];
    size_t msr_reads;
    bool counts_memory;
    int memory_left;
    bool memory_failed;
} fakes;

/* --- clocks ---------------------------------------------------------------------------------- */

#define MONOTONIC_BASE_NS (UINT64_C(1000) * NS_PER_S)
#define BOOTTIME_BASE_NS (UINT64_C(5000) * NS_PER_S)

void fake_clocks_stop(void) {
    fakes.clocks_stopped = true;
    fakes.awake_ns = 0;
    fakes.slept_ns = 0;
}

void fake_clocks_pass(uint64_t ns) {
    fakes.awake_ns += ns;
}

void fake_clocks_sleep(uint64_t ns) {
    fakes.slept_ns += ns;
}

uint64_t fake_clocks_monotonic_ns(void) {
    return MONOTONIC_BASE_NS + fakes.awake_ns;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
    if (!fakes.clocks_stopped)
        return __real_clock_gettime(id, now);
    uint64_t ns = fakes.awake_ns + fakes.slept_ns;
    if (id == CLOCK_MONOTONIC)
        ns = fake_clocks_monotonic_ns();
    else
        ns += id == CLOCK_BOOTTIME ? BOOTTIME_BASE_NS : FAKE_EPOCH_NS;
    now->tv_sec = (time_t)(ns / NS_PER_S);
    now->tv_nsec = (long)(ns % NS_PER_S);
    return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

static struct fake_register *find_register(unsigned int cpu, uint32_t address) {
    for (size_t i = 0; i < fakes.register_count; i++) {
        if (fakes.registers[i].cpu == cpu && fakes.registers[i].address == address)
            return &fakes.registers[i];
    }
    return NULL;
}

static void put_register(unsigned int cpu, uint32_t address, uint64_t value, int error) {
    struct fake_register *found = find_register(cpu, address);
    if (found == NULL) {
        fakes.registers =
            __real_realloc(fakes.registers, (fakes.register_count + 1) * sizeof(*fakes.registers));
        if (fakes.registers == NULL || cpu >= FAKE_CPUS)
            abort();
        found = &fakes.registers[fakes.register_count++];
    }
    *found = (struct fake_register){.cpu = cpu, .address = address, .value = value, .error = error};
}

void fake_msr_set(unsigned int cpu, uint32_t address, uint64_t value) {
    put_register(cpu, address, value, 0);
}

void fake_msr_set_late(unsigned int cpu, uint32_t address, uint64_t value) {
    put_register(cpu, address, value, 0);
    find_register(cpu, address)->late = true;
}

void fake_msr_fail(unsigned int cpu, uint32_t address, int error) {
    put_register(cpu, address, 0, error);
}

void fake_msr_offline(unsigned int cpu, bool offline) {
    fakes.msr_offline[cpu] = offline;
}

size_t fake_msr_reads(void) {
    return fakes.msr_reads;
}

/* The CPU whose registers an open file stands for; -1: it is another file. */
static int msr_cpu(int file) {
    char own[32];
    char path[512];
    unsigned int cpu = 0;
    int end = 0;
    snprintf(own, sizeof(own), "/proc/self/fd/%d", file);
    const ssize_t length = readlink(own, path, sizeof(path) - 1);
    if (length < 0)
        return -1;
    path[length] = '\0';
    const char *tail = strstr(path, "/dev/cpu/");
    if (tail == NULL || sscanf(tail, "/dev/cpu/%u/msr%n", &cpu, &end) != 1 || end == 0)
        return -1;
    return (int)cpu;
}

static ssize_t read_register(unsigned int cpu, void *value, size_t size, uint32_t address) {
    struct fake_register *found = find_register(cpu, address);
    fakes.msr_reads++;
    errno = found == NULL ? EIO : found->error;
    if (size != sizeof(found->value))
        errno = EINVAL;
    if (fakes.msr_offline[cpu])
        errno = ENXIO;
    if (errno != 0)
        return -1;
    memcpy(value, &found->value, size);
    if (found->late)
        memset(value, 0, size);
    found->late = false;
    return (ssize_t)size;
}

ssize_t __wrap_pread(int file, void *text, size_t size, off_t offset) {
    static const char mark[] = "errno ";
    const int cpu = fakes.register_count > 0 ? msr_cpu(file) : -1;
    if (cpu >= 0)
        return read_register((unsigned int)cpu, text, size, (uint32_t)offset);
    ssize_t length = __real_pread(file, text, size, offset);
    if (length > (ssize_t)strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) {
        errno = (int)strtol((const char *)text + strlen(mark), NULL, 10);
        return -1;
    }
    return length;
}

ssize_t __wrap___pread_chk(int file, void *text, size_t size, off_t offset, size_t room) {
    if (size > room)
        abort();
    return __wrap_pread(file, text, size, offset);
}

void fake_openat2_fails(int error, uint32_t times) {
    fakes.openat2_error = error;
    fakes.openat2_failures = times;
}

void fake_before_openat2(const char *path, void (*change)(void)) {
    fakes.path = path;
    fakes.change = change;
}

long __wrap_syscall(long number, ...) {
    va_list arguments;
    va_start(arguments, number);
    const long first = va_arg(arguments, long);
    const long second = va_arg(arguments, long);
    const long third = va_arg(arguments, long);
    const long fourth = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_openat2 && fakes.openat2_failures > 0) {
        if (fakes.openat2_failures != FAKE_ALWAYS)
            fakes.openat2_failures--;
        errno = fakes.openat2_error;
        return -1;
    }
    if (number == SYS_openat2 && fakes.change != NULL &&
        strcmp((const char *)second, fakes.path) == 0) {
        void (*const change)(void) = fakes.change;
        fakes.change = NULL;
        change();
    }
    return __real_syscall(number, first, second, third, fourth);
}

/* --- memory ---------------------------------------------------------------------------------- */

void fake_memory_fails_at(int index) {
    fakes.counts_memory = index >= 0;
    fakes.memory_left = index;
    fakes.memory_failed = false;
}

bool fake_memory_has_failed(void) {
    return fakes.memory_failed;
}

static bool memory_fails(void) {
    if (!fakes.counts_memory || fakes.memory_left-- > 0)
        return false;
    fakes.counts_memory = false;
    fakes.memory_failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_calloc(size_t count, size_t size) {
    return memory_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return memory_fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text) {
    return memory_fails() ? NULL : __real_strdup(text);
}

void fakes_end(void) {
    free(fakes.registers);
    memset(&fakes, 0, sizeof(fakes));
}
