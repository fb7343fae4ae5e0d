/* SPDX-License-Identifier: MIT */
#include "waiting.h"

#include <stdbool.h>

#include "log.h"
#include "monotonic.h"

/* Pause after rapl_sample() ran out of memory. */
#define RETRY_NS UINT64_C(1000000000)

/* Waits as prompt_wait() does, but not beyond the time at which a sample is due. Takes the sample
 * if it is due now, and returns whether it did. */
static bool wait_or_sample(struct rapl *rapl, struct prompt *prompt, uint64_t timeout_ns) {
    const uint64_t due_ns = rapl_sample_due_ns(rapl);
    const uint64_t now_ns = clock_now_ns();
    if (due_ns == 0 || (timeout_ns != UINT64_MAX && due_ns > now_ns + timeout_ns)) {
        prompt_wait(prompt, timeout_ns);
        return false;
    }
    if (due_ns > now_ns) {
        prompt_wait(prompt, due_ns - now_ns);
        return false;
    }
    if (rapl_sample(rapl) != 0)
        prompt_wait(prompt, RETRY_NS);
    return true;
}

void wait_for_prompt(struct rapl *rapl, struct prompt *prompt, uint64_t timeout_ns) {
    if (wait_or_sample(rapl, prompt, timeout_ns))
        log_problems(rapl);
}

void wait_until(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns) {
    for (uint64_t now = clock_now_ns(); now < end_ns && !prompt->stop; now = clock_now_ns())
        wait_for_prompt(rapl, prompt, end_ns - now);
}

void wait_for_power(struct rapl *rapl, struct prompt *prompt, uint64_t end_ns) {
    for (uint64_t now = clock_now_ns(); now < end_ns && !prompt->stop && rapl_expects_power(rapl);
         now = clock_now_ns())
        wait_for_prompt(rapl, prompt, end_ns - now);
}

size_t count_moved(const struct rapl *rapl, bool moved) {
    struct rapl_zone zone;
    size_t count = 0;
    for (size_t i = 0; i < rapl_zone_count(rapl); i++) {
        rapl_zone(rapl, i, &zone);
        count += zone.error == 0 && zone.reported && zone.mirrors == NULL && zone.moved == moved;
    }
    return count;
}

void wait_for_table(struct rapl *rapl, struct prompt *prompt, uint64_t longest_ns) {
    uint64_t end_ns = longest_ns;
    for (uint64_t now = clock_now_ns(); now < end_ns && !prompt->stop; now = clock_now_ns()) {
        wait_or_sample(rapl, prompt, end_ns - now);
        const uint64_t ready_ns = rapl_power_ready_ns(rapl);
        if (count_moved(rapl, false) == 0)
            end_ns = ready_ns < longest_ns ? ready_ns : longest_ns;
    }
}
