/* SPDX-License-Identifier: MIT */
/*
 * Decides whether zones that may show one counter do. Values are compared modulo the counter's
 * range. The likeness of a zone compares it with the leader: the first zone of its account that
 * reads.
 */
#include <errno.h>
#include <string.h>

#include "account.h"

static struct tally *const tally = &reference.tally;

#define UPDATE_NS (2 * NS_PER_MS)
#define PSYS_MOST_UW UINT64_C(4000000000)
#define EQUALS_ENOUGH 10

enum finding { NOT_KNOWN, THE_SAME, ANOTHER };

/* Zones that may show one counter, in the order of their appearance. */
struct family {
    struct fake_zone *zones[PLACES_MAX];
    size_t count;
};

/* --- two readings ------------------------------------------------------------------------------
 */

static bool reads(const struct fake_zone *zone) {
    return zone->glimpse.tried && zone->glimpse.error == 0;
}

/* Returns the number of values of the counter; 0: 2^64. */
static uint64_t circle_of(const struct fake_zone *zone) {
    const uint64_t ticks = UINT32_MAX;
    const uint64_t range = zone->zone.range_uj;
    if (reference.machine->style == STYLE_MSR)
        return ticks + 1;
    return range != 0 ? range + (2 * range + ticks) / (2 * ticks) : 0;
}

static uint64_t unit_of(const struct fake_zone *zone) {
    return reference.machine->style == STYLE_MSR ? 1 : circle_of(zone) - zone->zone.range_uj;
}

/* Returns the distance from one value up to the other. */
static uint64_t way_up(const struct fake_zone *zone, uint64_t from, uint64_t to) {
    const uint64_t circle = circle_of(zone);
    return circle == 0 || to >= from ? to - from : circle - (from - to);
}

static uint64_t way(const struct fake_zone *zone, uint64_t from, uint64_t to) {
    const uint64_t up = way_up(zone, from, to);
    const uint64_t down = way_up(zone, to, from);
    return up < down ? up : down;
}

static wide to_uj(wide shown) {
    return shown * 1000000 / machine_parts(reference.machine);
}

/* Returns how far the zone is ahead of the values of the leader's account. */
static uint64_t find_ahead(const struct fake_zone *leader, const struct fake_zone *zone) {
    const uint64_t row = way_up(leader, leader->likeness.offset, leader->glimpse.shown);
    return way_up(leader, row, zone->glimpse.shown);
}

/* Returns the longest time that one counter may have moved while the other was not read. */
static uint64_t find_apart_ns(const struct fake_zone *leader, const struct fake_zone *zone) {
    const struct glimpse *a = &leader->glimpse;
    const struct glimpse *b = &zone->glimpse;
    const uint64_t apart_ns =
        a->time_ns > b->time_ns ? a->time_ns - b->time_ns : b->time_ns - a->time_ns;
    return apart_ns + a->uncertainty_ns + b->uncertainty_ns + UPDATE_NS;
}

/* Returns whether that much may have been used between the two reads: 4 kW is more than any
 * platform draws. */
static bool is_near(const struct fake_zone *leader, const struct fake_zone *zone, uint64_t far) {
    uint64_t most_uw = zone->place->ceiling_uw;
    if (zone->place->kind == ZONE_PSYS && most_uw > PSYS_MOST_UW)
        most_uw = PSYS_MOST_UW;
    return to_uj(far) * 1000000000 <=
           (wide)most_uw * (find_apart_ns(leader, zone) + pace_judged_ns(leader->named));
}

static bool is_much(const struct fake_zone *zone, uint64_t step) {
    return to_uj(step) >= 100000 && step / 1000 >= unit_of(zone);
}

static bool is_of_one_kind(const struct fake_zone *a, const struct fake_zone *b) {
    return a->zone.range_uj == b->zone.range_uj;
}

static void note_common(struct fake_zone *zone) {
    zone->likeness.common = zone->glimpse;
    zone->likeness.has_common = true;
}

static void begin_likeness(const struct fake_zone *leader, struct fake_zone *zone) {
    zone->likeness.ahead = find_ahead(leader, zone);
    zone->likeness.shown = zone->glimpse.shown;
    zone->likeness.begun = true;
    zone->likeness.differs = false;
    zone->likeness.equals = 0;
    zone->likeness.since_ns = 0;
    if (!zone->begins)
        note_common(zone);
}

/* --- what they say -----------------------------------------------------------------------------
 */

/* Parts of two packages are two counters. */
static enum finding judge_packages(const struct fake_zone *one, const struct fake_zone *other) {
    const struct fake_zone *a = zone_find_package(one->place);
    const struct fake_zone *b = zone_find_package(other->place);
    if (a == NULL || b == NULL || a->named == b->named)
        return THE_SAME;
    return a->is_known && b->is_known ? ANOTHER : NOT_KNOWN;
}

/* Returns whether the difference is more than the time between two reads explains, at the power of
 * the span. */
static bool lies_apart(const struct fake_zone *zone, uint64_t step, uint64_t far, uint64_t span_ns,
                       uint64_t apart_ns) {
    return far > 2 * unit_of(zone) && (wide)far * span_ns > (wide)step * 2 * apart_ns;
}

static bool is_near_now(const struct fake_zone *leader, const struct fake_zone *zone) {
    return is_near(leader, zone, way(leader, 0, find_ahead(leader, zone)));
}

static enum finding judge_start(const struct fake_zone *leader, struct fake_zone *zone) {
    zone->likeness.offset = 0;
    begin_likeness(leader, zone);
    return is_near_now(leader, zone) ? THE_SAME : ANOTHER;
}

/* Zones of several packages may have started together: once enough energy was used since they were
 * first seen, it decides. */
static enum finding judge_energy(const struct fake_zone *leader, struct fake_zone *zone) {
    struct likeness *likeness = &zone->likeness;
    const bool begins = !likeness->begun || !likeness->has_common;
    if (begins) {
        likeness->offset = 0;
        likeness->moved = false;
        begin_likeness(leader, zone);
    }
    if (!is_near_now(leader, zone))
        return ANOTHER;
    const uint64_t step = way_up(zone, likeness->shown, zone->glimpse.shown);
    const uint64_t far = way(leader, 0, find_ahead(leader, zone));
    const uint64_t span_ns = zone->glimpse.time_ns - likeness->common.time_ns;
    const uint64_t apart_ns = find_apart_ns(leader, zone);
    if (!begins)
        likeness->moved = step > 0 || far > 0;
    if (begins || !is_much(zone, step))
        return NOT_KNOWN;
    if (lies_apart(zone, step, far, span_ns, apart_ns))
        return ANOTHER;
    if (span_ns / 100 < (far == 0 ? apart_ns - UPDATE_NS : apart_ns))
        return NOT_KNOWN;
    begin_likeness(leader, zone);
    return THE_SAME;
}

static enum finding judge_first(const struct fake_zone *leader, struct fake_zone *zone) {
    if (!is_of_one_kind(leader, zone))
        return ANOTHER;
    return leader->place->package_id == zone->place->package_id ? judge_start(leader, zone)
                                                                : judge_energy(leader, zone);
}

/* Returns whether it differs for the second time in a row. */
static bool goes_its_own_way(struct fake_zone *leader, struct fake_zone *zone) {
    struct likeness *likeness = &zone->likeness;
    const bool differed = likeness->differs;
    if (!likeness->begun) {
        begin_likeness(leader, zone);
        return false;
    }
    likeness->ahead = find_ahead(leader, zone);
    likeness->shown = zone->glimpse.shown;
    likeness->differs = !is_near(leader, zone, way(leader, likeness->offset, likeness->ahead));
    if (likeness->ahead == likeness->offset) {
        note_common(zone);
        note_common(leader);
    }
    return likeness->differs && differed;
}

/* Returns whether two accounts have counted the same for so long that they are one. */
static bool have_joined(const struct fake_zone *leader, struct fake_zone *zone) {
    struct likeness *likeness = &zone->likeness;
    const uint64_t ahead = find_ahead(leader, zone);
    const uint64_t step = way_up(zone, likeness->shown, zone->glimpse.shown);
    const uint64_t far = way(leader, likeness->ahead, ahead);
    const uint64_t span_ns = zone->glimpse.time_ns - likeness->since_ns;
    const uint64_t apart_ns = find_apart_ns(leader, zone);
    const bool follows = likeness->begun && likeness->since_ns != 0 && is_of_one_kind(leader, zone);
    if (follows && span_ns / 100 < apart_ns)
        return false;
    if (!follows || lies_apart(zone, step, far, span_ns, apart_ns))
        likeness->equals = 0;
    else
        likeness->equals += far == 0 && is_much(zone, step);
    likeness->ahead = ahead;
    likeness->shown = zone->glimpse.shown;
    likeness->since_ns = zone->glimpse.time_ns;
    likeness->begun = true;
    return likeness->equals >= EQUALS_ENOUGH;
}

/* --- what follows from it ----------------------------------------------------------------------
 */

/* Also moves zones that cannot be read now. */
static void move_all(struct account *from, struct account *to) {
    for (size_t i = 0; i < world.source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(world.source, i);
        if (zone->named == from)
            zone->named = to;
    }
    from->was_left = true;
    from->same_as = to;
}

/* Names the account of a package's dies after the package, if that name is free and the other name
 * was not reported yet. */
static void name_for_all(const struct fake_zone *leader, const struct fake_zone *zone) {
    struct account *account = leader->named;
    struct identity own = identity_of_account(account);
    struct identity whole = own;
    char id[sizeof(account->id)];
    whole.die_id = RAPL_NO_ID;
    if (account->told || leader->place->die_id == zone->place->die_id ||
        leader->place->package_id != zone->place->package_id || account_find(&whole) != NULL)
        return;
    memcpy(id, account->id, sizeof(id));
    own.id = whole.id = id;
    account_rename(account, &whole);
    account_add(&own)->same_as = account;
}

/* Accounts that were separate until now have no earlier common reading. */
static void begin_common(struct fake_zone *zone) {
    if (zone->begins)
        return;
    zone->likeness.has_common = false;
    if (reads(zone))
        note_common(zone);
}

static void share(struct fake_zone *leader, struct fake_zone *zone) {
    name_for_all(leader, zone);
    zone->named->was_left = true;
    zone->named->same_as = leader->named;
    zone->named = leader->named;
    zone->is_known = true;
    begin_common(leader);
    tally->shared++;
}

static void join(struct fake_zone *first, const struct fake_zone *second) {
    struct account *account = second->named;
    const uint64_t on = way_up(second, second->likeness.offset, second->likeness.ahead);
    for (size_t i = 0; i < world.source->zone_count; i++) {
        struct fake_zone *zone = fake_zone_at(world.source, i);
        if (zone->named != account)
            continue;
        zone->likeness.offset = way_up(zone, circle_of(zone) - on, zone->likeness.offset);
        begin_common(zone);
    }
    begin_common(first);
    move_all(account, first->named);
    tally->joins++;
}

/* If ranges are known, a counter must not differ from itself. */
static void check_strangers(const struct fake_zone *leader, const struct fake_zone *zone) {
    if (leader->place->counter == zone->place->counter && leader->place->shows_range &&
        judge_packages(leader, zone) != ANOTHER && reference.machine->habits.low == 0)
        reference_complain("%s parts from itself", zone->zone.id);
    tally->partings++;
}

static bool has_own_name(const struct fake_zone *zone, const struct account *account) {
    const struct identity now = identity_of_account(account);
    const struct identity own = identity_of(zone->place);
    return identity_equal(&now, &own);
}

/* Lets the zone with the account's name keep the account, alone if it differs from the first
 * zone. */
static bool keep_name(struct account *account) {
    for (size_t i = 0; i < account->zone_count; i++) {
        struct fake_zone *zone = account->zones[i];
        if (has_own_name(account->leader, account) || !has_own_name(zone, account) ||
            !zone->likeness.differs)
            continue;
        zone_leave(zone);
        zone->named = account;
        for (size_t j = 0; j < account->zone_count; j++)
            account->zones[j]->likeness.differs = j != i;
        account->leader = zone;
        return true;
    }
    return false;
}

static bool is_left_alone(const struct account *account) {
    size_t left = 0;
    for (size_t i = 0; i < account->zone_count; i++) {
        const struct fake_zone *zone = account->zones[i];
        if (has_own_name(zone, account))
            return false;
        left += zone == account->leader || !zone->likeness.differs;
    }
    return left == 1;
}

/* Zones that differ go to accounts with their own names and are compared again; so does the first
 * one, if it remains alone under another name. */
static void part(struct account *account) {
    struct fake_zone *leader = account->leader;
    const bool swaps = keep_name(account);
    const bool ends = is_left_alone(account);
    for (size_t i = 0; i < account->zone_count; i++) {
        struct fake_zone *zone = account->zones[i];
        const bool stays = zone == account->leader || !zone->likeness.differs;
        zone->likeness.differs = false;
        if (stays && !ends)
            continue;
        if (!stays && !swaps)
            check_strangers(leader, zone);
        zone_leave(zone);
        zone_name_own(zone);
        zone->is_known = stays;
        if (stays)
            zone->named->leader = zone;
    }
    tally->swaps += swaps;
}

/* --- a family ----------------------------------------------------------------------------------
 */

static bool judge_known(struct fake_zone *zone, struct fake_zone **before) {
    struct account *account = zone->named;
    if (account->leader != NULL) {
        const bool strange = judge_packages(account->leader, zone) == ANOTHER;
        const bool parts = goes_its_own_way(account->leader, zone) || strange;
        zone->likeness.differs = zone->likeness.differs || strange;
        account->parts = account->parts || parts;
        account->withheld = account->withheld || zone->likeness.differs;
        return false;
    }
    account->leader = zone;
    const bool joins =
        *before != NULL && judge_packages(*before, zone) == THE_SAME && have_joined(*before, zone);
    if (joins)
        join(*before, zone);
    else
        *before = zone;
    return joins;
}

static bool judge_new(const struct family *family, size_t index) {
    struct fake_zone *zone = family->zones[index];
    for (size_t i = 0; i < index; i++) {
        struct fake_zone *leader = family->zones[i];
        const enum finding packages = judge_packages(leader, zone);
        if (leader->named->leader != leader || packages == ANOTHER)
            continue;
        const enum finding finding = judge_first(leader, zone);
        if (finding == ANOTHER)
            continue;
        if (finding == THE_SAME && packages == THE_SAME) {
            share(leader, zone);
            return true;
        }
        zone->named->withheld =
            zone->named->withheld || zone->likeness.moved || packages == NOT_KNOWN;
        zone->named->is_hidden = finding == NOT_KNOWN && !zone->named->told;
        return false;
    }
    zone->named->leader = zone;
    zone->is_known = true;
    return true;
}

static bool compare(const struct family *family) {
    struct fake_zone *before = NULL;
    bool changed = false;
    for (size_t i = 0; i < family->count; i++) {
        struct account *account = family->zones[i]->named;
        account->leader = NULL;
        account->parts = false;
    }
    for (size_t i = 0; i < family->count; i++) {
        if (reads(family->zones[i]) && family->zones[i]->is_known)
            changed = judge_known(family->zones[i], &before) || changed;
    }
    for (size_t i = 0; i < family->count; i++) {
        struct account *account = family->zones[i]->named;
        if (!account->parts)
            continue;
        account->parts = account->withheld = false;
        part(account);
        changed = true;
    }
    for (size_t i = 0; i < family->count; i++) {
        if (reads(family->zones[i]) && !family->zones[i]->is_known)
            changed = judge_new(family, i) || changed;
    }
    return changed;
}

bool alike_compare(void) {
    bool changed = false;
    for (size_t i = 0; i < reference.account_count; i++)
        reference.accounts[i].withheld = reference.accounts[i].is_hidden = false;
    for (size_t i = 0; i < reference.zone_count; i++) {
        struct family family = {.count = 0};
        for (size_t j = i; j < reference.zone_count && reference.zones[i]->family == i; j++) {
            if (reference.zones[j]->family == i)
                family.zones[family.count++] = reference.zones[j];
        }
        if (family.count > 1)
            changed = compare(&family) || changed;
    }
    return changed;
}
