/* SPDX-License-Identifier: MIT */
/*
 * What the code under test gets in place of some calls. All of it is off, and the calls are the
 * real ones, until a test turns it on; fakes_end() turns it off.
 */
#ifndef RAPL_TEST_FAKES_H
#define RAPL_TEST_FAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

/* CLOCK_REALTIME when the clocks are stopped. */
#define FAKE_EPOCH_NS UINT64_C(1763792592000000000)

/* From here on clocks move only when told to. */
void fake_clocks_stop(void);
void fake_clocks_pass(uint64_t ns);
/* Time that CLOCK_MONOTONIC and CLOCK_MONOTONIC_RAW do not count. */
void fake_clocks_sleep(uint64_t ns);
/* From here on all clocks but CLOCK_MONOTONIC_RAW run faster by so many millionths. */
void fake_clocks_slew(int64_t ppm);
uint64_t fake_clocks_monotonic_ns(void);
uint64_t fake_clocks_raw_ns(void);
/* Readings of one clock, or of every (-1), go wrong: count of them, after those that are skipped.
 * They fail, leaving junk, or show the time so many seconds from the true one. */
#define FAKE_CLOCK_FAILS INT64_MIN
void fake_clocks_err(int clock, unsigned int skipped, unsigned int count, int64_t seconds);
/* Whether one has. */
bool fake_clocks_have_erred(void);

/* Each read takes that long, by clocks that are stopped. */
void fake_reads_take(uint64_t ns);

/* The next reads of counters stall: so much time passes before the counter gives its value, and so
 * much afterwards. pass: what passes it; NULL: fake_clocks_pass(). */
struct fake_stall {
    uint64_t before_ns;
    uint64_t after_ns;
};
#define FAKE_STALLS_MAX 16
void fake_reads_stall(const struct fake_stall *stalls, size_t count, void (*pass)(uint64_t ns));
/* How many have yet to stall. */
size_t fake_stalls_left(void);

/* A file that holds "errno N" cannot be read, and N is why. */
#define FAKE_ERRNO "errno %d\n"

/*
 * Registers of CPUs: a read of 8 bytes at an offset of a plain file .../dev/cpu/N/msr or msr_safe,
 * which could not hold them, for they lie one apart. Once one is set, those that are not give EIO.
 */
void fake_msr_set(unsigned int cpu, uint32_t address, uint64_t value);
/* The next read gives 0, and those after it the value. */
void fake_msr_set_late(unsigned int cpu, uint32_t address, uint64_t value);
void fake_msr_fail(unsigned int cpu, uint32_t address, int error);
/* Every read on it gives ENXIO. */
void fake_msr_offline(unsigned int cpu, bool offline);
/* Reads so far. */
size_t fake_msr_reads(void);

/* The next calls of openat2 fail: ENOSYS and EPERM are a kernel, or a container's filter, without
 * it; EAGAIN is a rename somewhere in the system while it went through a "..". */
#define FAKE_ALWAYS UINT32_MAX
void fake_openat2_fails(int error, uint32_t times);

/* Before the next openat2 of this path, what makes the world another one. */
void fake_before_openat2(const char *path, void (*change)(void));

/* After so many entries every list of a folder is cut short by that error; 0: none is. */
void fake_readdir_fails(int error, unsigned int after);

/*
 * perf_event_open(2), and read(2) of what it opened, are fakes from here on. Counts begin at first
 * and move only when told to; the times that an event was enabled and ran are
 * CLOCK_MONOTONIC_RAW's.
 */
void fake_perf_start(uint64_t first);
/* The next calls fail; after that those of one config, always; of any on one CPU; and those that
 * would join a group. */
void fake_perf_fails(int error, uint32_t times);
void fake_perf_fails_config(uint64_t config, int error);
void fake_perf_fails_on(unsigned int cpu, int error);
void fake_perf_fails_sibling(uint64_t config);
/* Events opened so far, and how many of them are open now. */
uint32_t fake_perf_opened(void);
uint32_t fake_perf_open(void);
/* Calls of read(2) so far. */
uint32_t fake_perf_reads(void);
/* The open event of that config and CPU; the test fails without one. */
uint32_t fake_perf_type(uint64_t config, unsigned int cpu);
void fake_perf_add(uint64_t config, unsigned int cpu, int64_t ticks);
/* The last CPU of the package goes: for good, its events stop and leave their groups. */
void fake_perf_offline(unsigned int cpu);
/* What is read from another CPU than an event's is another counter: by so many ticks more. */
void fake_perf_differs(uint64_t ticks);
/* No thread may run there. */
void fake_perf_forbids(unsigned int cpu);
/* The times of events are those of a clock that ticks every 10 ms. */
void fake_perf_tick(void);
/* Its events did not run for that long; it leaves its group; reading the CPU's events fails. */
void fake_perf_pause(unsigned int cpu, uint64_t ns);
void fake_perf_detach(uint64_t config, unsigned int cpu);
#define FAKE_END_OF_FILE (-1)
void fake_perf_read_fails(unsigned int cpu, int error);

/* Of the allocations from here on, the one with this index fails (0: the next); -1: none. */
void fake_memory_fails_at(int index);
/* Whether it has. */
bool fake_memory_has_failed(void);

void fakes_end(void);

#endif
