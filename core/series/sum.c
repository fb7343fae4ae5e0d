/* SPDX-License-Identifier: MIT */
#include "series/sum.h"

bool sum_has_member(const struct series *sum, const struct series *series) {
    return series->sum == sum && series->has_read;
}

void sum_take(struct series *sum, struct series *const *series, size_t count) {
    struct counter_traits traits = {.scale = {.numerator_uj = 1, .denominator = 1}};
    struct reading counted = {.ticks = 0};
    uint64_t first_ns = UINT64_MAX;
    uint64_t last_ns = 0;
    uint64_t update_ns = 0;
    bool reads = true;
    bool follows = !sum->lacks && !sum->unread;
    for (size_t i = 0; i < count; i++) {
        struct series *member = series[i];
        if (!sum_has_member(sum, member))
            continue;
        counted.ticks += member->energy_uj - member->sampled_uj;
        member->sampled_uj = member->energy_uj;
        if (member->ended || member->gone)
            continue;
        reads = reads && member->reads;
        follows = follows && member->follows;
        const bool moves = member->motion == SERIES_MOVED;
        const uint64_t member_update_ns = moves ? period_update_ns(&member->period) : 0;
        update_ns = member_update_ns > update_ns ? member_update_ns : update_ns;
        traits.unit += counter_to_uj(member->traits.scale, member->traits.unit);
        const uint64_t begin_ns = member->counter.time_ns - member->uncertainty_ns;
        const uint64_t end_ns = member->counter.time_ns + member->uncertainty_ns;
        first_ns = begin_ns < first_ns ? begin_ns : first_ns;
        last_ns = end_ns > last_ns ? end_ns : last_ns;
    }
    if (!reads || !follows)
        window_break(sum->window);
    /* A sample that began while a member is silent would contain what that one used before. */
    if (!reads || last_ns == 0)
        return;
    reading_stamp(&counted, first_ns, last_ns);
    window_take(sum->window, &traits, &counted, update_ns);
}

void sum_lose_member(struct series *sum) {
    if (sum == NULL || sum->window == NULL)
        return;
    window_break(sum->window);
    window_close(sum->window);
}
