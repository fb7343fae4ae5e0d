/* SPDX-License-Identifier: MIT */
/* Which zone counts for which series. */
#include "reference.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"

struct reference reference;

static bool complained;

bool reference_has_complained(void) {
    return complained;
}

void reference_complain(const char *format, ...) {
    va_list arguments;
    if (complained)
        return;
    complained = true;
    va_start(arguments, format);
    fprintf(stderr, "# wrong: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
}

void reference_begin(struct machine *machine, const struct rapl_options *options) {
    const struct tally tally = reference.tally;
    for (size_t i = 0; i < reference.account_count; i++)
        naive_free(&reference.accounts[i].window);
    for (size_t i = 0; i < reference.sum_count; i++)
        naive_free(&reference.sums[i].window);
    memset(&reference, 0, sizeof(reference));
    reference.tally = tally;
    reference.machine = machine;
    reference.include = options->include;
    reference.include_count = options->include_count;
    reference.total = options->total;
    reference.cores = options->cores;
    if (options->statistics != 0)
        reference.sample_interval_ns = options->sample_interval_ns;
    reference.online_mark = machine->online_mark;
    reference.sum_count = 1;
    reference.sums[0] =
        (struct account){.kind = ZONE_TOTAL,
                         .domain = "total",
                         .name = "total",
                         .package_id = RAPL_NO_ID,
                         .die_id = RAPL_NO_ID,
                         .core_id = RAPL_NO_ID,
                         .number = NO_NUMBER,
                         .selected = options->total && account_is_selected("total")};
}

bool account_is_selected(const char *name) {
    for (size_t i = 0; i < reference.include_count; i++) {
        if (fnmatch(reference.include[i], name, FNM_PATHNAME) == 0)
            return true;
    }
    return reference.include_count == 0;
}

/* --- names ----------------------------------------------------------------------------------- */

struct identity {
    enum zone_kind kind;
    const char *domain;
    int package_id;
    int die_id;
    int core_id;
};

static bool is_amd(void) {
    const enum cpu_vendor vendor = reference.machine->vendor;
    return vendor == CPU_VENDOR_AMD || vendor == CPU_VENDOR_HYGON;
}

/* Rules 9 and 10: what a zone of that name is on this machine. */
static struct identity interpret(const struct place *place) {
    struct identity identity = {place->kind, place->domain, place->package_id, place->die_id,
                                place->core_id};
    if (is_amd() && place->kind == ZONE_PACKAGE)
        identity.die_id = RAPL_NO_ID;
    if (is_amd() && place->kind == ZONE_CORE && place->core_id == RAPL_NO_ID) {
        identity.kind = ZONE_LEAD_CORE;
        identity.domain = "lead_core";
    }
    return identity;
}

static void write_name(const struct identity *identity, char name[NAME_SIZE]) {
    char die[24] = "";
    char core[24] = "";
    if (identity->die_id >= 0)
        snprintf(die, sizeof(die), "-die-%d", identity->die_id);
    if (identity->core_id >= 0)
        snprintf(core, sizeof(core), "-core-%d", identity->core_id);
    if (identity->kind == ZONE_PSYS && identity->package_id < 0)
        snprintf(name, NAME_SIZE, "psys");
    else if (identity->kind == ZONE_PSYS)
        snprintf(name, NAME_SIZE, "psys-%d", identity->package_id);
    else if (identity->kind == ZONE_PACKAGE)
        snprintf(name, NAME_SIZE, "package-%d%s", identity->package_id, die);
    else
        snprintf(name, NAME_SIZE, "package-%d%s%s/%s", identity->package_id, die, core,
                 identity->domain);
}

static bool is_identity(const struct account *account, const struct identity *identity) {
    return account->kind == identity->kind && account->package_id == identity->package_id &&
           account->die_id == identity->die_id && account->core_id == identity->core_id &&
           strcmp(account->domain, identity->domain) == 0;
}

static struct account *find_account(const struct identity *identity) {
    for (size_t i = 0; i < reference.account_count; i++) {
        if (is_identity(&reference.accounts[i], identity))
            return &reference.accounts[i];
    }
    return NULL;
}

static void write_identity(struct account *account, const struct identity *identity) {
    *account = (struct account){.kind = identity->kind,
                                .package_id = identity->package_id,
                                .die_id = identity->die_id,
                                .core_id = identity->core_id,
                                .number = NO_NUMBER};
    snprintf(account->domain, sizeof(account->domain), "%s", identity->domain);
    write_name(identity, account->name);
    account->selected = account_is_selected(account->name);
}

/* The sum that it is added to (section 4, total; all cores of a package). */
static struct account *find_sum(const struct identity *identity) {
    if (identity->kind == ZONE_PACKAGE || identity->kind == ZONE_DRAM)
        return &reference.sums[0];
    if (identity->kind != ZONE_CORE || identity->core_id < 0)
        return NULL;
    const struct identity whole = {ZONE_CORE, "core", identity->package_id, RAPL_NO_ID, RAPL_NO_ID};
    for (size_t i = 0; i < reference.sum_count; i++) {
        if (is_identity(&reference.sums[i], &whole))
            return &reference.sums[i];
    }
    struct account *sum = &reference.sums[reference.sum_count++];
    write_identity(sum, &whole);
    return sum;
}

static struct account *add_account(const struct identity *identity) {
    if (reference.account_count == ACCOUNTS_MAX)
        abort();
    struct account *account = &reference.accounts[reference.account_count++];
    write_identity(account, identity);
    account->sum = find_sum(identity);
    if (identity->kind == ZONE_CORE && identity->core_id >= 0)
        account->selected = account->selected && reference.cores;
    return account;
}

/* --- presumptions (rule 9) ----------------------------------------------------------------------
 */

static bool may_be_presumed(const struct place *place) {
    if (place->kind == ZONE_PSYS)
        return place->package_id <= 0;
    return reference.machine->vendor == CPU_VENDOR_UNKNOWN && place->die_id >= 0;
}

static bool is_about(const struct presumption *presumption, const struct place *place) {
    const bool psys = place->kind == ZONE_PSYS;
    return presumption->kind == place->kind && strcmp(presumption->domain, place->domain) == 0 &&
           (psys || presumption->package_id == place->package_id);
}

static struct presumption *find_presumption(const struct place *place) {
    for (size_t i = 0; may_be_presumed(place) && i < reference.presumption_count; i++) {
        if (is_about(&reference.presumptions[i], place))
            return &reference.presumptions[i];
    }
    return NULL;
}

struct presumption *presumption_of(const struct fake_zone *zone) {
    if (!zone->zone.identified)
        return NULL;
    struct presumption *presumption = find_presumption(zone->place);
    return presumption != NULL && !presumption->parted ? presumption : NULL;
}

static struct identity identity_of(const struct fake_zone *zone) {
    struct identity identity = interpret(zone->place);
    const struct presumption *presumption = presumption_of(zone);
    if (presumption != NULL) {
        identity.package_id = presumption->named_package;
        identity.die_id = presumption->named_die;
    }
    return identity;
}

/* Two zones that may show one counter are presumed to, from the moment when both are there. Where
 * one of them has been reported already, the series keeps that name. */
static void presume(const struct source *source) {
    for (size_t i = 0; i < source->zone_count; i++) {
        const struct fake_zone *zone = fake_zone_at(source, i);
        if (!zone->zone.identified || !may_be_presumed(zone->place) ||
            find_presumption(zone->place) != NULL)
            continue;
        const bool psys = zone->place->kind == ZONE_PSYS;
        struct presumption presumption = {.kind = zone->place->kind,
                                          .package_id = psys ? RAPL_NO_ID : zone->place->package_id,
                                          .named_package =
                                              psys ? RAPL_NO_ID : zone->place->package_id,
                                          .named_die = RAPL_NO_ID};
        snprintf(presumption.domain, sizeof(presumption.domain), "%s", zone->place->domain);
        size_t alike = 0;
        for (size_t j = 0; j < source->zone_count; j++) {
            const struct fake_zone *other = fake_zone_at(source, j);
            if (!other->zone.identified || other->place->is_mmio != zone->place->is_mmio ||
                !may_be_presumed(other->place) || !is_about(&presumption, other->place))
                continue;
            const struct identity own = interpret(other->place);
            const struct account *account = find_account(&own);
            alike++;
            if (account != NULL && account->has_read) {
                presumption.named_package = own.package_id;
                presumption.named_die = own.die_id;
            }
        }
        if (alike > 1)
            reference.presumptions[reference.presumption_count++] = presumption;
    }
}

/* --- zones and accounts ------------------------------------------------------------------------
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
    zone->stands_by = false;
    zone->is_same = false;
}

static bool shows_the_same(const struct fake_zone *zone, const struct fake_zone *first) {
    if (zone->place->is_mmio != first->place->is_mmio)
        return false;
    return presumption_of(zone) != NULL || (is_amd() && zone->place->kind == ZONE_PACKAGE);
}

static void bind_zone(struct fake_zone *zone) {
    const struct account *was = zone->account;
    const bool stood_by = zone->stands_by;
    zone->account = NULL;
    zone->stands_by = false;
    if (!zone->zone.identified || source_lost_zone(zone->zone.error))
        return;
    const struct identity identity = identity_of(zone);
    struct account *account = find_account(&identity);
    if (account == NULL)
        account = add_account(&identity);
    struct fake_zone *first = account->zone_count > 0 ? account->zones[0] : NULL;
    if (first != NULL && !shows_the_same(zone, first)) {
        zone->stands_by = true;
        /* Another counter as far as anyone knows: what went by before it is read is lost. */
        if (was == account)
            account_forget(account);
        return;
    }
    if (first == NULL) {
        if (stood_by || account->control != zone->zone.control)
            account_forget(account);
        account->control = zone->zone.control;
        account->place = zone->place;
        account->range = reference.machine->style == STYLE_POWERCAP ? zone->zone.range_uj
                         : reference.machine->style == STYLE_MSR    ? UINT32_MAX
                                                                    : 0;
    }
    if (is_amd() && zone->place->kind == ZONE_PACKAGE)
        zone->is_same = true;
    zone->account = account;
    if (account->zone_count == ZONES_OF_ACCOUNT_MAX)
        abort();
    account->zones[account->zone_count++] = zone;
    reference.tally.mirrored += first != NULL;
}

/* Rule 9: the merged series of mirrors that parted ends; psys goes on under its own name. So does
 * a series whose zone is presumed to be another's mirror by now. */
static bool has_ended(const struct account *account) {
    for (size_t i = 0; i < reference.presumption_count; i++) {
        const struct presumption *presumption = &reference.presumptions[i];
        const bool psys = presumption->kind == ZONE_PSYS;
        if (presumption->kind != account->kind ||
            strcmp(presumption->domain, account->domain) != 0 ||
            (psys ? account->package_id > 0 : presumption->package_id != account->package_id))
            continue;
        const bool named = presumption->named_package == account->package_id &&
                           presumption->named_die == account->die_id;
        const bool merged = psys ? account->package_id < 0 : account->die_id < 0;
        if (presumption->parted)
            return merged && !psys;
        if (named)
            return false;
        for (size_t j = 0; j < reference.account_count; j++) {
            const struct account *other = &reference.accounts[j];
            if (other->kind == account->kind && strcmp(other->domain, account->domain) == 0 &&
                other->package_id == presumption->named_package &&
                other->die_id == presumption->named_die)
                return other->zone_count > 0;
        }
    }
    return false;
}

void reference_bind(const struct source *source) {
    presume(source);
    for (size_t i = 0; i < reference.account_count; i++)
        reference.accounts[i].zone_count = 0;
    for (size_t i = 0; i < source->zone_count; i++)
        bind_zone(fake_zone_at(source, i));
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *account = &reference.accounts[i];
        account->ended = account->zone_count == 0 && has_ended(account);
        if (account->gone || account->ended || !account->has_read || account->zone_count > 0)
            continue;
        account->gone = true;
        account->left = account->reads;
        window_lose_member(account->sum);
    }
    part_bind();
    reference.bound = true;
}
