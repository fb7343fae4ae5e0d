/* SPDX-License-Identifier: MIT */
/*
 * Replacements for some calls of the code under test. They call the real functions until a test
 * turns a fake on; fakes_end() turns all fakes off.
 */
#ifndef RAPL_TEST_FAKES_H
#define RAPL_TEST_FAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* CLOCK_REALTIME while the clocks are stopped, in ns. */
#define FAKE_EPOCH_NS UINT64_C(1763792592000000000)

/* Stops the clocks: from now on they only move when a test moves them. */
void fake_clocks_stop(void);
void fake_clocks_pass(uint64_t ns);
/* Adds time that CLOCK_MONOTONIC and CLOCK_MONOTONIC_RAW do not count (sleep). */
void fake_clocks_sleep(uint64_t ns);
/* From now on all clocks but CLOCK_MONOTONIC_RAW run faster by ppm. */
void fake_clocks_slew(int64_t ppm);
uint64_t fake_clocks_monotonic_ns(void);
uint64_t fake_clocks_raw_ns(void);
/* The next count readings of one clock, or of all clocks (-1), go wrong, after skipping some. They
 * fail and leave junk, or return a time that is off by that many seconds. */
#define FAKE_CLOCK_FAILS INT64_MIN
void fake_clocks_err(int clock, unsigned int skipped, unsigned int count, int64_t seconds);
/* Whether any reading has gone wrong. */
bool fake_clocks_have_erred(void);

/* Each read takes ns while the clocks are stopped. */
void fake_reads_take(uint64_t ns);

/* Makes the next reads of counters stall: one time passes before the counter gives its value, one
 * after it. pass: called to pass the time; NULL: fake_clocks_pass(). */
struct fake_stall {
    uint64_t before_ns;
    uint64_t after_ns;
};
#define FAKE_STALLS_MAX 16
void fake_reads_stall(const struct fake_stall *stalls, size_t count, void (*pass)(uint64_t ns));
/* Number of stalls that have not happened yet. */
size_t fake_stalls_left(void);

/* A file with the content "errno N" fails to read with errno N. */
#define FAKE_ERRNO "errno %d\n"

/*
 * Registers of CPUs, read as 8 bytes at an offset of a plain file .../dev/cpu/N/msr or msr_safe. A
 * real file could not hold them, because registers are one byte offset apart. Once one register is
 * set, all that are not set fail with EIO.
 */
void fake_msr_set(unsigned int cpu, uint32_t address, uint64_t value);
/* The next read returns 0, and those after it return the value. */
void fake_msr_set_late(unsigned int cpu, uint32_t address, uint64_t value);
void fake_msr_fail(unsigned int cpu, uint32_t address, int error);
/* While offline, every read on that CPU fails with ENXIO. */
void fake_msr_offline(unsigned int cpu, bool offline);
/* Number of register reads so far. */
size_t fake_msr_reads(void);

/* Makes the next calls of openat2 fail. ENOSYS and EPERM: a kernel, or the seccomp filter of a
 * container, without openat2. EAGAIN: a rename somewhere in the system while it resolved a "..". */
#define FAKE_ALWAYS UINT32_MAX
void fake_openat2_fails(int error, uint32_t times);

/* Calls change() before the next openat2 of this path. */
void fake_before_openat2(const char *path, void (*change)(void));

/* Every directory listing fails with that error after this many entries; 0: none fails. */
void fake_readdir_fails(int error, unsigned int after);

/*
 * From now on perf_event_open(2), and read(2) on its descriptors, are fakes. Counts begin at first
 * and only move when a test moves them. The times enabled and running of an event follow
 * CLOCK_MONOTONIC_RAW.
 */
void fake_perf_start(uint64_t first);
/* Makes calls of perf_event_open(2) fail: the next ones; every one with that config; every one on
 * that CPU; every one that would join a group. */
void fake_perf_fails(int error, uint32_t times);
void fake_perf_fails_config(uint64_t config, int error);
void fake_perf_fails_on(unsigned int cpu, int error);
void fake_perf_fails_sibling(uint64_t config);
/* Number of events opened so far, and of events open now. */
uint32_t fake_perf_opened(void);
uint32_t fake_perf_open(void);
/* Number of read(2) calls so far. */
uint32_t fake_perf_reads(void);
/* The type of the open event with that config and CPU; the test fails if there is none. */
uint32_t fake_perf_type(uint64_t config, unsigned int cpu);
void fake_perf_add(uint64_t config, unsigned int cpu, int64_t ticks);
/* Takes the last CPU of a package offline: its events stop for good and leave their groups. */
void fake_perf_offline(unsigned int cpu);
/* Reads from another CPU than the event's return a count that is higher by ticks. */
void fake_perf_differs(uint64_t ticks);
/* No thread may be moved to that CPU. */
void fake_perf_forbids(unsigned int cpu);
/* The times of events come from a clock that ticks every 10 ms. */
void fake_perf_tick(void);
/* Faults of events: not running for a time; leaving the group; reads of the CPU's events
 * failing. */
void fake_perf_pause(unsigned int cpu, uint64_t ns);
void fake_perf_detach(uint64_t config, unsigned int cpu);
#define FAKE_END_OF_FILE (-1)
void fake_perf_read_fails(unsigned int cpu, int error);

/* The allocation with this index, counted from now on (0: the next), fails; -1: none fails. */
void fake_memory_fails_at(int index);
/* Whether that allocation has failed. */
bool fake_memory_has_failed(void);

void fakes_end(void);

#endif
