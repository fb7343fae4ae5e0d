/* SPDX-License-Identifier: MIT */
/* Only the system calls that a source cannot do without, to compare its cost with. */
#ifndef RAPL_BENCH_BARE_H
#define RAPL_BENCH_BARE_H

#include <stddef.h>

#include "rapl.h"

struct bare;

/* Opens again the files and events of all readable zones of the handle. Ends the program on
 * failure. */
struct bare *bare_open(const struct rapl *rapl);

/* Adds the list of online CPUs, which a report also reads to find new zones. */
void bare_add_online(struct bare *bare, const struct rapl *rapl);

/* Reads everything once: a pread(2) for each zone, or a read(2) for each group of perf events. */
void bare_read(struct bare *bare);

/* Number of system calls of bare_read(). */
size_t bare_call_count(const struct bare *bare);

void bare_close(struct bare *bare);

#endif
