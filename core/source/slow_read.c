/* SPDX-License-Identifier: MIT */
#include "source/slow_read.h"

void slow_reads_repeat(struct slow_reads *slow, uint64_t took_ns, uint64_t (*read)(void *counter),
                       void *counter) {
    const uint64_t budget_ns = SLOW_READ_BUDGET * slow->slow_ns;
    for (int i = 0; i < SLOW_READ_REPEATS && took_ns > slow->slow_ns; i++) {
        if (slow->repeated_ns >= budget_ns)
            return;
        const uint64_t repeat_ns = read(counter);
        slow->repeated_ns += repeat_ns;
        if (repeat_ns < took_ns)
            took_ns = repeat_ns;
    }
}
