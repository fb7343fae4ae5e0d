/* SPDX-License-Identifier: MIT */
#include "fakes.h"

#include <errno.h>
#include <stdarg.h>
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

static struct {
    bool clocks_stopped;
    uint64_t awake_ns;
    uint64_t slept_ns;
    int openat2_error;
    uint32_t openat2_failures;
    const char *path;
    void (*change)(void);
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

ssize_t __wrap_pread(int file, void *text, size_t size, off_t offset) {
    static const char mark[] = "errno ";
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
    memset(&fakes, 0, sizeof(fakes));
}
