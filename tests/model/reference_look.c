/* SPDX-License-Identifier: MIT */
/* Decides when the core has to look for zones, and which do not exist (docs/design.md, rule 5). */
#include <errno.h>

#include "account.h"

bool account_is_lead_core(const struct account *account) {
    return account->kind == ZONE_LEAD_CORE ||
           (account->kind == ZONE_CORE && reference.machine->vendor == CPU_VENDOR_UNKNOWN);
}

/* Their earlier values are from other cores. */
void reference_forget_lead_cores(void) {
    for (size_t i = 0; world.source != NULL && i < world.source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(world.source, i);
        if (zone->named != NULL && account_is_lead_core(zone->named))
            zone->likeness.has_common = false;
    }
}

/* docs/design.md, rule 10: when the set of online CPUs changes, the lead core may be another
 * one. */
bool reference_notice_online(void) {
    if (reference.online_mark == reference.machine->online_mark)
        return false;
    reference.online_mark = reference.machine->online_mark;
    reference.rescans_left = 3;
    for (size_t i = 0; i < reference.account_count; i++) {
        if (account_is_lead_core(&reference.accounts[i]))
            account_forget(&reference.accounts[i]);
    }
    reference_forget_lead_cores();
    return true;
}

void reference_watch(void) {
    reference_notice_online();
}

/* Returns whether looking again can help: the zone has gone; only root may read it, as after a
 * driver was loaded again until udev's rules ran; or descriptors or memory ran out. */
static bool is_mendable(int error) {
    return error_is_lost(error) || error == -EACCES || error == -EPERM || error == -EMFILE ||
           error == -ENFILE || error == -ENOMEM;
}

static bool is_missing(const struct account *account) {
    if (!account->has_read || account->ended || account->reads)
        return false;
    for (size_t i = 0; i < account->zone_count; i++) {
        if (!is_mendable(account->zones[i]->zone.error))
            return false;
    }
    return true;
}

bool reference_look_is_due(void) {
    const struct machine *machine = reference.machine;
    bool due =
        !reference.bound ||
        machine->monotonic_ns + machine->suspend_offset_ns - reference.looked_ns >= 60 * NS_PER_S;
    for (size_t i = 0; i < reference.account_count; i++)
        due = due || is_missing(&reference.accounts[i]);
    if (reference.rescans_left > 0) {
        reference.rescans_left--;
        due = true;
    }
    return due;
}

void reference_looked(const struct source *source, bool changed) {
    const struct machine *machine = reference.machine;
    const bool first = !reference.sampled;
    reference.looked_ns = machine->monotonic_ns + machine->suspend_offset_ns;
    if (changed && !first)
        reference.health.rediscoveries++;
    if (changed)
        reference.bound = false;
    (void)source;
}

void reference_look_failed(void) {
    reference.looked_ns = 0;
    reference.bound = false;
}

/* --- what has never been read ------------------------------------------------------------------
 */

/* Returns whether a counter exists but cannot be read. perf refuses events that the processor
 * lacks. */
static bool hides(const struct fake_zone *zone) {
    const int error = zone->glimpse.error;
    const bool refused = error == -EINVAL && reference.machine->style == STYLE_PERF;
    return zone->glimpse.tried && error != 0 && !error_is_lost(error) && !refused;
}

void note_unread(const struct source *source) {
    for (size_t i = 0; i < reference.sum_count; i++)
        reference.sums[i].is_unread = false;
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct fake_zone *zone = fake_zone_at(source, i);
        if (!zone->zone.identified || !hides(zone) ||
            (zone->named != NULL && zone->named->has_read))
            continue;
        const struct identity kernels = identity_by_kernel(zone->place);
        struct account *sum = account_find_sum(&kernels);
        if (sum != NULL)
            sum->is_unread = true;
    }
}
