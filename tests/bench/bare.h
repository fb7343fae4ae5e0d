/* SPDX-License-Identifier: MIT */
/* The system calls that a source cannot do without, and nothing else: what its cost is held
 * against. */
#ifndef RAPL_BENCH_BARE_H
#define RAPL_BENCH_BARE_H

#include <stddef.h>

#include "rapl.h"

struct bare;

/* Opens what the zones of the handle that read are read from, once more. Ends the program where
 * that fails. */
struct bare *bare_open(const struct rapl *rapl);

/* A report also reads which CPUs are online, to find zones that come with them. */
void bare_add_online(struct bare *bare, const struct rapl *rapl);

/* One read of everything: a pread(2) for each zone, or for each group of perf events a read(2). */
void bare_read(struct bare *bare);

/* How many system calls that is. */
size_t bare_call_count(const struct bare *bare);

void bare_close(struct bare *bare);

#endif
