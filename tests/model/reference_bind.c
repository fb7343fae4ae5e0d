/* SPDX-License-Identifier: MIT */
/* Decides which zone counts for which account. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"

/* --- zones that are bound ----------------------------------------------------------------------
 */

struct fake_zone *zone_find(const struct identity *kernels) {
    for (size_t i = 0; i < reference.zone_count; i++) {
        const struct identity identity = identity_by_kernel(reference.zones[i]->place);
        if (identity_equal(&identity, kernels))
            return reference.zones[i];
    }
    return NULL;
}

struct fake_zone *zone_find_package(const struct place *place) {
    const struct identity package = {ZONE_PACKAGE,  "package",  place->package_id,
                                     place->die_id, RAPL_NO_ID, ""};
    if (place->kind == ZONE_PACKAGE || place->kind == ZONE_PSYS || place->core_id >= 0)
        return NULL;
    return zone_find(&package);
}

/* Each core has its own counter; psys and psys-0 may be the same; in a virtual machine, all
 * packages may be. */
bool zones_may_be_alike(const struct fake_zone *one, const struct fake_zone *other) {
    const struct identity a = identity_of(one->place);
    const struct identity b = identity_of(other->place);
    const bool psys = a.kind == ZONE_PSYS && a.package_id <= 0 && b.package_id <= 0;
    if (one->zone.control != 0 || other->zone.control != 0 || a.core_id >= 0 || b.core_id >= 0 ||
        a.kind != b.kind || a.kind == ZONE_LEAD_CORE || strcmp(a.domain, b.domain) != 0)
        return false;
    return psys || a.package_id == b.package_id || reference.machine->is_virtual;
}

bool account_is_mixed(const struct account *account) {
    for (size_t i = 1; i < account->zone_count; i++) {
        if (account->zones[i]->place->counter != account->zones[0]->place->counter)
            return true;
    }
    return false;
}

bool zone_gave_last(const struct account *account, const struct fake_zone *zone) {
    return account->last_zone_index == zone ||
           (account->has_read && zone->place->die_id == account->fed_die &&
            zone->place->package_id == account->fed_package);
}

/* --- names -------------------------------------------------------------------------------------
 */

/* Returns whether no zone counts for it, and none that would is lost. */
static bool is_free(const struct account *account) {
    return account->zone_count == 0 && !account->lost_zone;
}

/* Returns whether it has counted and now waits for a zone. */
static bool waits(const struct account *account) {
    return account != NULL && is_free(account) && account->has_read && !account->ended &&
           !account->was_left;
}

static struct identity with_id(const struct fake_zone *zone) {
    struct identity identity = identity_of(zone->place);
    identity.id = zone->zone.id;
    return identity;
}

/* Finds the account by the zone's own name if that was read, otherwise by the name of the zones of
 * the same counter. A second counter with the same name is found by the kernel's id. */
static struct account *find_own(const struct fake_zone *zone) {
    const struct identity own = identity_of(zone->place);
    struct account *account = account_find(&own);
    if (zone->zone.control != 0) {
        const struct identity kernels = identity_by_kernel(zone->place);
        const struct fake_zone *native = zone_find(&kernels);
        return native != NULL ? native->named : account;
    }
    const struct identity id = with_id(zone);
    struct account *second = account_find(&id);
    if (waits(second))
        return second;
    if (account == NULL || waits(account))
        return account;
    if (waits(account->same_as))
        return account->same_as;
    return is_free(account) ? account : second;
}

static struct account *make_own(const struct fake_zone *zone) {
    struct identity own = identity_of(zone->place);
    if (account_find(&own) != NULL)
        own = with_id(zone);
    return account_add(&own);
}

struct account *zone_name_own(struct fake_zone *zone) {
    zone->named = find_own(zone);
    if (zone->named == NULL)
        zone->named = make_own(zone);
    return zone->named;
}

void zone_note_last(struct fake_zone *zone, const struct account *account) {
    zone->likeness.has_common =
        account->has_baseline && account->silent_slept_ns == 0 && account->lows == 0;
    zone->likeness.common = account->last;
}

void zone_leave(struct fake_zone *zone) {
    struct account *left = zone->named;
    left->was_left = true;
    left->same_as = NULL;
    if (!zone->begins) {
        if (zone_gave_last(left, zone))
            zone_note_last(zone, left);
        zone->begins = left->has_read && zone->likeness.has_common;
    }
    zone->likeness.offset = 0;
    zone->likeness.begun = false;
    zone->is_known = true;
    zone->named = NULL;
}

/* --- binding -----------------------------------------------------------------------------------
 */

void account_forget(struct account *account) {
    if (!account->has_read)
        return;
    account->has_baseline = false;
    account->silent = false;
    account->silent_slept_ns = 0;
    account->above = 0;
    account->lows = 0;
    account->lost = true;
    pace_break(account);
}

void reference_forget_zone(struct fake_zone *zone) {
    zone->account = NULL;
}

/* Forgets what is known of a zone if another one has taken its id. */
static void recall(struct fake_zone *zone) {
    zone->account = NULL;
    if (!zone->zone.identified) {
        zone->named = NULL;
        zone->learned = (struct identity){.domain = "", .id = ""};
        return;
    }
    const struct identity kernels = identity_by_kernel(zone->place);
    if (zone->learned.domain != NULL && identity_equal(&zone->learned, &kernels))
        return;
    zone->learned = kernels;
    zone->named = NULL;
    zone->is_known = zone->begins = false;
    zone->likeness = (struct likeness){.begun = false};
}

static bool is_settled(const struct fake_zone *zone) {
    return zone->named != NULL && zone->zone.control == 0 && zone->is_known;
}

static void bind_zone(struct fake_zone *zone) {
    if (!is_settled(zone))
        zone->named = find_own(zone);
    if (error_is_lost(zone->zone.error)) {
        if (is_settled(zone) && zone->place->kind == ZONE_PSYS)
            zone->named->lost_zone = true;
        return;
    }
    if (zone->named == NULL)
        zone->named = make_own(zone);
    struct account *account = zone->named;
    const struct fake_zone *first = account->zone_count > 0 ? account->zones[0] : NULL;
    if (first != NULL && first->zone.control != zone->zone.control)
        return;
    if (first == NULL) {
        if (account->ended || account->control != zone->zone.control)
            account_forget(account);
        account->control = zone->zone.control;
        account->same_as = NULL;
        account->place = zone->place;
        account->range = reference.machine->style == STYLE_POWERCAP ? zone->zone.range_uj
                         : reference.machine->style == STYLE_MSR    ? UINT32_MAX
                                                                    : 0;
    }
    zone->account = account;
    if (account->zone_count == ZONES_OF_ACCOUNT_MAX)
        abort();
    account->zones[account->zone_count++] = zone;
    reference.zones[reference.zone_count++] = zone;
}

/* Finds the zones that may show its counter. If there is no other, its counter is known. */
static void find_family(struct fake_zone *zone, size_t number) {
    bool alone = true;
    zone->family = SIZE_MAX;
    for (size_t i = 0; i < reference.zone_count; i++) {
        if (i != number && !zones_may_be_alike(zone, reference.zones[i]))
            continue;
        zone->family = zone->family == SIZE_MAX ? i : zone->family;
        alone = alone && i == number;
    }
    zone->is_known = zone->is_known || alone;
}

static void close_account(struct account *account) {
    const bool known = account->zone_count > 0 && account->zones[0]->is_known;
    account->has_window = account->has_window || (known && account->selected);
    account->ended = account->zone_count == 0 && (account->ended || account->was_left);
    account->was_left = false;
    if (account->gone || account->ended || !account->has_read || account->zone_count > 0)
        return;
    account->gone = true;
    account->left = account->reads;
    window_lose_member(account->sum);
}

void reference_bind(const struct source *source) {
    reference.zone_count = 0;
    for (size_t i = 0; i < reference.account_count; i++) {
        reference.accounts[i].zone_count = 0;
        reference.accounts[i].last_zone_index = NULL;
        reference.accounts[i].lost_zone = false;
    }
    for (size_t i = 0; i < source->zone_count; i++)
        recall(fake_zone_at(source, i));
    /* A zone known to count for an account takes it first. */
    for (int known = 1; known >= 0; known--) {
        for (size_t i = 0; i < source->zone_count; i++) {
            struct fake_zone *zone = fake_zone_at(source, i);
            if (zone->zone.identified && zone->account == NULL && (!known || is_settled(zone)))
                bind_zone(zone);
        }
    }
    for (size_t i = 0; i < reference.zone_count; i++)
        find_family(reference.zones[i], i);
    for (size_t i = 0; i < reference.account_count; i++)
        close_account(&reference.accounts[i]);
    part_bind();
    reference.bound = true;
}
