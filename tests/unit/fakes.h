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
/* Time that CLOCK_MONOTONIC does not count. */
void fake_clocks_sleep(uint64_t ns);
uint64_t fake_clocks_monotonic_ns(void);

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

/* Of the allocations from here on, the one with this index fails (0: the next); -1: none. */
void fake_memory_fails_at(int index);
/* Whether it has. */
bool fake_memory_has_failed(void);

void fakes_end(void);

#endif
