/* SPDX-License-Identifier: MIT */
#include "fakes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "cmocka_all.h"

/* The linker gives the real functions these names (ld --wrap). */
int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __real_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);
ssize_t __real_pread(int file, void *text, size_t size, off_t offset);
ssize_t __wrap_pread(int file, void *text, size_t size, off_t offset);
ssize_t __wrap___pread_chk(int file, void *text, size_t size, off_t offset, size_t room);
int __real_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *cpus);
int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *cpus);
int __real_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *cpus);
int __wrap_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *cpus);
ssize_t __real_read(int file, void *buffer, size_t size);
ssize_t __wrap_read(int file, void *buffer, size_t size);
ssize_t __wrap___read_chk(int file, void *buffer, size_t size, size_t room);
struct dirent *__real_readdir(DIR *folder);
struct dirent *__wrap_readdir(DIR *folder);
int __real_close(int file);
int __wrap_close(int file);
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
    bool late; /* the next read returns 0 */
    uint64_t value;
};

struct fake_event {
    int file; /* -1: closed */
    int leader;
    uint32_t type;
    uint64_t config;
    unsigned int cpu;
    uint64_t count;
    uint64_t began_ns;
    uint64_t paused_ns;
    uint64_t stopped_ns; /* 0: it is running */
    bool detached;
    int error;
};

#define EVENTS_MAX 256

static struct {
    bool clocks_stopped;
    uint64_t read_ns;
    struct fake_stall stalls[FAKE_STALLS_MAX];
    size_t stall_count;
    size_t stalled;
    void (*pass)(uint64_t ns);
    uint64_t raw_ns;
    uint64_t awake_ns; /* the same, with slewing applied */
    uint64_t slept_ns;
    int64_t slew_ppm;
    int erring_clock;
    unsigned int erring_skipped;
    unsigned int erring_count;
    int64_t erring_seconds;
    bool clocks_erred;
    int openat2_error;
    uint32_t openat2_failures;
    const char *path;
    void (*change)(void);
    int readdir_error;
    unsigned int readdir_left;
    struct fake_register *registers; /* in the order set; the last entry of an address counts */
    size_t register_count;
    bool msr_offline[FAKE_CPUS];
    size_t msr_reads;
    bool has_perf;
    bool perf_ticks;
    uint64_t other_ticks;
    unsigned int forbidden_cpu; /* CPU number + 1; 0: none */
    unsigned int pinned_cpu;    /* CPU number + 1; 0: none */
    uint64_t perf_first;
    int perf_error;
    uint32_t perf_failures;
    uint64_t failing_config;
    int failing_config_error;
    unsigned int failing_cpu;
    int failing_cpu_error;
    uint64_t failing_sibling;
    struct fake_event events[EVENTS_MAX];
    uint32_t opened;
    uint32_t reads;
    bool counts_memory;
    int memory_left;
    bool memory_failed;
} fakes;

/* --- clocks ---------------------------------------------------------------------------------- */

#define RAW_BASE_NS (UINT64_C(300) * NS_PER_S)
#define MONOTONIC_BASE_NS (UINT64_C(1000) * NS_PER_S)
#define BOOTTIME_BASE_NS (UINT64_C(5000) * NS_PER_S)

void fake_clocks_stop(void) {
    fakes.clocks_stopped = true;
    fakes.raw_ns = 0;
    fakes.awake_ns = 0;
    fakes.slept_ns = 0;
    fakes.slew_ppm = 0;
}

void fake_clocks_pass(uint64_t ns) {
    fakes.raw_ns += ns;
    fakes.awake_ns += ns + (uint64_t)((int64_t)ns / 1000 * fakes.slew_ppm / 1000);
}

void fake_clocks_slew(int64_t ppm) {
    fakes.slew_ppm = ppm;
}

void fake_reads_take(uint64_t ns) {
    fakes.read_ns = ns;
}

void fake_reads_stall(const struct fake_stall *stalls, size_t count, void (*pass)(uint64_t ns)) {
    if (count > FAKE_STALLS_MAX)
        abort();
    for (size_t i = 0; i < count; i++)
        fakes.stalls[i] = stalls[i];
    fakes.stall_count = count;
    fakes.stalled = 0;
    fakes.pass = pass != NULL ? pass : fake_clocks_pass;
}

size_t fake_stalls_left(void) {
    return fakes.stall_count - fakes.stalled;
}

/* Returns the stall for the read that begins; the time before the value passes here. */
static struct fake_stall begin_read(bool of_counter) {
    if (fakes.read_ns > 0)
        fake_clocks_pass(fakes.read_ns);
    if (!of_counter || fake_stalls_left() == 0)
        return (struct fake_stall){.before_ns = 0};
    const struct fake_stall stall = fakes.stalls[fakes.stalled++];
    fakes.pass(stall.before_ns);
    return stall;
}

static void end_read(struct fake_stall stall) {
    const int error = errno;
    if (stall.after_ns > 0)
        fakes.pass(stall.after_ns);
    errno = error;
}

static bool is_energy_file(int file) {
    static const char ending[] = "/energy_uj";
    char own[32];
    char path[512];
    if (fake_stalls_left() == 0)
        return false;
    snprintf(own, sizeof(own), "/proc/self/fd/%d", file);
    const ssize_t length = readlink(own, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    const char *tail = strrchr(path, '/');
    return tail != NULL && strcmp(tail, ending) == 0;
}

void fake_clocks_sleep(uint64_t ns) {
    fakes.slept_ns += ns;
}

uint64_t fake_clocks_monotonic_ns(void) {
    return MONOTONIC_BASE_NS + fakes.awake_ns;
}

uint64_t fake_clocks_raw_ns(void) {
    return RAW_BASE_NS + fakes.raw_ns;
}

void fake_clocks_err(int clock, unsigned int skipped, unsigned int count, int64_t seconds) {
    fakes.erring_clock = clock;
    fakes.erring_skipped = skipped;
    fakes.erring_count = count;
    fakes.erring_seconds = seconds;
    fakes.clocks_erred = false;
}

bool fake_clocks_have_erred(void) {
    return fakes.clocks_erred;
}

static bool clock_errs(clockid_t id) {
    if (fakes.erring_count == 0 || (fakes.erring_clock != -1 && fakes.erring_clock != id))
        return false;
    if (fakes.erring_skipped > 0) {
        fakes.erring_skipped--;
        return false;
    }
    fakes.erring_count--;
    fakes.clocks_erred = true;
    return true;
}

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
    if (!fakes.clocks_stopped)
        return __real_clock_gettime(id, now);
    const bool errs = clock_errs(id);
    if (errs && fakes.erring_seconds == FAKE_CLOCK_FAILS) {
        memset(now, 0x5a, sizeof(*now));
        errno = EINVAL;
        return -1;
    }
    uint64_t ns = fakes.awake_ns + fakes.slept_ns;
    if (id == CLOCK_MONOTONIC)
        ns = fake_clocks_monotonic_ns();
    else if (id == CLOCK_MONOTONIC_RAW)
        ns = fake_clocks_raw_ns();
    else
        ns += id == CLOCK_BOOTTIME ? BOOTTIME_BASE_NS : FAKE_EPOCH_NS;
    now->tv_sec = (time_t)(ns / NS_PER_S);
    now->tv_nsec = (long)(ns % NS_PER_S);
    if (errs)
        now->tv_sec += fakes.erring_seconds;
    return 0;
}

/* Returns at once, and no time passes. */
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left) {
    return fakes.clocks_stopped ? 0 : __real_nanosleep(wanted, left);
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

/* The CPU that an open msr file belongs to; -1: not an msr file. */
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
    const struct fake_stall stall = begin_read(cpu >= 0 || is_energy_file(file));
    ssize_t length = cpu >= 0 ? read_register((unsigned int)cpu, text, size, (uint32_t)offset)
                              : __real_pread(file, text, size, offset);
    end_read(stall);
    if (cpu >= 0)
        return length;
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

void fake_readdir_fails(int error, unsigned int after) {
    fakes.readdir_error = error;
    fakes.readdir_left = after;
}

struct dirent *__wrap_readdir(DIR *folder) {
    if (fakes.readdir_error == 0 || fakes.readdir_left-- > 0)
        return __real_readdir(folder);
    fakes.readdir_left = 0;
    errno = fakes.readdir_error;
    return NULL;
}

/* --- perf ------------------------------------------------------------------------------------ */

static uint64_t now_ns(void) {
    struct timespec now;
    __wrap_clock_gettime(CLOCK_MONOTONIC_RAW, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void fake_perf_start(uint64_t first) {
    fakes.has_perf = true;
    fakes.perf_first = first;
}

void fake_perf_fails(int error, uint32_t times) {
    fakes.perf_error = error;
    fakes.perf_failures = times;
}

void fake_perf_fails_config(uint64_t config, int error) {
    fakes.failing_config = config;
    fakes.failing_config_error = error;
}

void fake_perf_fails_on(unsigned int cpu, int error) {
    fakes.failing_cpu = cpu;
    fakes.failing_cpu_error = error;
}

void fake_perf_fails_sibling(uint64_t config) {
    fakes.failing_sibling = config;
}

uint32_t fake_perf_opened(void) {
    return fakes.opened;
}

uint32_t fake_perf_reads(void) {
    return fakes.reads;
}

uint32_t fake_perf_open(void) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fakes.opened; i++)
        count += fakes.events[i].file >= 0;
    return count;
}

static struct fake_event *find_event(int file) {
    for (uint32_t i = 0; i < fakes.opened; i++) {
        if (file >= 0 && fakes.events[i].file == file)
            return &fakes.events[i];
    }
    return NULL;
}

static struct fake_event *event_of(uint64_t config, unsigned int cpu) {
    for (uint32_t i = 0; i < fakes.opened; i++) {
        struct fake_event *event = &fakes.events[i];
        if (event->file >= 0 && event->config == config && event->cpu == cpu)
            return event;
    }
    fail_msg("no event %u is open on CPU %u", (unsigned int)config, cpu);
    return NULL;
}

uint32_t fake_perf_type(uint64_t config, unsigned int cpu) {
    return event_of(config, cpu)->type;
}

void fake_perf_add(uint64_t config, unsigned int cpu, int64_t ticks) {
    event_of(config, cpu)->count += (uint64_t)ticks;
}

void fake_perf_detach(uint64_t config, unsigned int cpu) {
    event_of(config, cpu)->detached = true;
}

void fake_perf_offline(unsigned int cpu) {
    for (uint32_t i = 0; i < fakes.opened; i++) {
        if (fakes.events[i].cpu != cpu || fakes.events[i].stopped_ns != 0)
            continue;
        fakes.events[i].stopped_ns = now_ns();
        fakes.events[i].detached = true;
    }
}

void fake_perf_pause(unsigned int cpu, uint64_t ns) {
    for (uint32_t i = 0; i < fakes.opened; i++) {
        if (fakes.events[i].cpu == cpu)
            fakes.events[i].paused_ns += ns;
    }
}

void fake_perf_read_fails(unsigned int cpu, int error) {
    for (uint32_t i = 0; i < fakes.opened; i++) {
        if (fakes.events[i].cpu == cpu)
            fakes.events[i].error = error;
    }
}

void fake_perf_tick(void) {
    fakes.perf_ticks = true;
}

void fake_perf_differs(uint64_t ticks) {
    fakes.other_ticks = ticks;
}

void fake_perf_forbids(unsigned int cpu) {
    fakes.forbidden_cpu = cpu + 1;
}

int __wrap_sched_getaffinity(pid_t thread, size_t size, cpu_set_t *cpus) {
    if (!fakes.has_perf)
        return __real_sched_getaffinity(thread, size, cpus);
    memset(cpus, 0xff, size);
    return 0;
}

int __wrap_sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *cpus) {
    if (!fakes.has_perf)
        return __real_sched_setaffinity(thread, size, cpus);
    unsigned int cpu = 0;
    while (!CPU_ISSET_S(cpu, size, cpus))
        cpu++;
    const bool one = CPU_COUNT_S(size, cpus) == 1;
    if (one && cpu + 1 == fakes.forbidden_cpu) {
        errno = EINVAL;
        return -1;
    }
    fakes.pinned_cpu = one ? cpu + 1 : 0;
    return 0;
}

static int refuse(uint64_t config, long cpu, int leader) {
    if (fakes.perf_failures > 0) {
        if (fakes.perf_failures != FAKE_ALWAYS)
            fakes.perf_failures--;
        return fakes.perf_error;
    }
    if (fakes.failing_config_error != 0 && config == fakes.failing_config)
        return fakes.failing_config_error;
    if (fakes.failing_cpu_error != 0 && cpu == (long)fakes.failing_cpu)
        return fakes.failing_cpu_error;
    return leader >= 0 && fakes.failing_sibling == config ? EINVAL : 0;
}

/* Refuses what the kernel refuses (arch/x86/events/rapl.c, rapl_pmu_event_init). */
static long open_event(const struct perf_event_attr *attributes, long pid, long cpu, int leader,
                       long flags) {
    assert_int_equal(pid, -1);
    assert_int_equal(flags, PERF_FLAG_FD_CLOEXEC);
    assert_int_equal(attributes->size, sizeof(*attributes));
    assert_int_equal(attributes->read_format, PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED |
                                                  PERF_FORMAT_TOTAL_TIME_RUNNING);
    assert_int_equal(attributes->sample_period, 0);
    assert_int_equal(attributes->disabled, 0);
    assert_int_equal(attributes->exclude_kernel, 0);
    assert_int_equal(attributes->inherit, 0);
    errno = refuse(attributes->config, cpu, leader);
    if (errno != 0)
        return -1;
    assert_in_range(fakes.opened, 0, EVENTS_MAX - 1);
    struct fake_event *event = &fakes.events[fakes.opened++];
    *event = (struct fake_event){.file = open("/dev/null", O_RDONLY | O_CLOEXEC),
                                 .leader = leader,
                                 .type = attributes->type,
                                 .config = attributes->config,
                                 .cpu = (unsigned int)cpu,
                                 .count = fakes.perf_first,
                                 .began_ns = now_ns()};
    assert_true(event->file >= 0);
    return event->file;
}

static ssize_t read_event(const struct fake_event *leader, uint64_t *values, size_t size) {
    size_t count = 3;
    size_t left = 0; /* of events that are no longer members */
    fakes.reads++;
    if (leader->error == FAKE_END_OF_FILE)
        return 0;
    if (leader->error != 0) {
        errno = leader->error;
        return -1;
    }
    for (uint32_t i = 0; i < fakes.opened; i++) {
        const struct fake_event *event = &fakes.events[i];
        if (event != leader && (event->leader != leader->file || event->file < 0))
            continue;
        if (event != leader && event->detached)
            left++;
        else if (size >= (count + 1) * sizeof(*values))
            values[count++] =
                event->count + (fakes.pinned_cpu != event->cpu + 1 ? fakes.other_ticks : 0);
    }
    const uint64_t end_ns = leader->stopped_ns != 0 ? leader->stopped_ns : now_ns();
    values[0] = count - 3;
    /* The time differs between two reads even while the clocks are stopped. */
    values[1] = end_ns - leader->began_ns + (leader->stopped_ns == 0 ? fakes.reads : 0);
    values[2] = values[1] - leader->paused_ns;
    if (fakes.perf_ticks)
        values[2] -= values[2] % (10 * NS_PER_MS);
    return (ssize_t)((count + left) * sizeof(*values));
}

ssize_t __wrap_read(int file, void *buffer, size_t size) {
    const struct fake_event *event = fakes.has_perf ? find_event(file) : NULL;
    if (event == NULL)
        return __real_read(file, buffer, size);
    const struct fake_stall stall = begin_read(true);
    const ssize_t length = read_event(event, buffer, size);
    end_read(stall);
    return length;
}

ssize_t __wrap___read_chk(int file, void *buffer, size_t size, size_t room) {
    if (size > room)
        abort();
    return __wrap_read(file, buffer, size);
}

int __wrap_close(int file) {
    struct fake_event *event = find_event(file);
    if (event != NULL)
        event->file = -1;
    return __real_close(file);
}

long __wrap_syscall(long number, ...) {
    va_list arguments;
    va_start(arguments, number);
    const long first = va_arg(arguments, long);
    const long second = va_arg(arguments, long);
    const long third = va_arg(arguments, long);
    const long fourth = va_arg(arguments, long);
    const long fifth = number == SYS_perf_event_open ? va_arg(arguments, long) : 0;
    va_end(arguments);
    if (number == __NR_openat2 && fakes.openat2_failures > 0) {
        if (fakes.openat2_failures != FAKE_ALWAYS)
            fakes.openat2_failures--;
        errno = fakes.openat2_error;
        return -1;
    }
    if (number == __NR_openat2 && fakes.change != NULL &&
        strcmp((const char *)second, fakes.path) == 0) {
        void (*const change)(void) = fakes.change;
        fakes.change = NULL;
        change();
    }
    if (number == SYS_perf_event_open && fakes.has_perf)
        return open_event((const struct perf_event_attr *)first, second, third, (int)fourth, fifth);
    return __real_syscall(number, first, second, third, fourth, fifth);
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
