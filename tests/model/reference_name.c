/* SPDX-License-Identifier: MIT */
/* Names, and the accounts with these names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "account.h"

static bool is_amd(void) {
    const enum cpu_vendor vendor = reference.machine->vendor;
    return vendor == CPU_VENDOR_AMD || vendor == CPU_VENDOR_HYGON;
}

struct identity identity_by_kernel(const struct place *place) {
    return (struct identity){place->kind,   place->domain,  place->package_id,
                             place->die_id, place->core_id, ""};
}

/* docs/design.md, rule 10: the meaning of a zone's name on this machine. */
struct identity identity_of(const struct place *place) {
    struct identity identity = identity_by_kernel(place);
    if (is_amd() && place->kind == ZONE_CORE && place->core_id == RAPL_NO_ID) {
        identity.kind = ZONE_LEAD_CORE;
        identity.domain = "lead_core";
    }
    return identity;
}

static void write_name(const struct identity *identity, char name[NAME_SIZE]) {
    char number[16] = "";
    char die[24] = "";
    char core[24] = "";
    char id[72] = "";
    if (identity->die_id >= 0)
        snprintf(die, sizeof(die), "-die-%d", identity->die_id);
    if (identity->core_id >= 0)
        snprintf(core, sizeof(core), "-core-%d", identity->core_id);
    if (identity->id[0] != '\0')
        snprintf(id, sizeof(id), "-%s", identity->id);
    if (identity->package_id >= 0)
        snprintf(number, sizeof(number), "-%d", identity->package_id);
    if (identity->kind == ZONE_PSYS || identity->kind == ZONE_PACKAGE)
        snprintf(name, NAME_SIZE, "%s%s%s%s", identity->domain, number, die, id);
    else
        snprintf(name, NAME_SIZE, "package%s%s%s%s/%s", number, die, core, id, identity->domain);
}

bool identity_equal(const struct identity *a, const struct identity *b) {
    return a->kind == b->kind && a->package_id == b->package_id && a->die_id == b->die_id &&
           a->core_id == b->core_id && strcmp(a->domain, b->domain) == 0 &&
           strcmp(a->id, b->id) == 0;
}

struct identity identity_of_account(const struct account *account) {
    return (struct identity){account->kind,   account->domain,  account->package_id,
                             account->die_id, account->core_id, account->id};
}

static bool is_identity(const struct account *account, const struct identity *identity) {
    const struct identity own = identity_of_account(account);
    return identity_equal(&own, identity);
}

struct account *account_find(const struct identity *identity) {
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
    snprintf(account->id, sizeof(account->id), "%s", identity->id);
    write_name(identity, account->name);
    account->selected = account_is_selected(account->name);
}

/* docs/design.md, rule 15, and the sum of all cores of a package. */
struct account *account_find_sum(const struct identity *identity) {
    if (identity->kind == ZONE_PACKAGE || identity->kind == ZONE_DRAM)
        return &reference.sums[0];
    if (identity->kind != ZONE_CORE || identity->core_id < 0)
        return NULL;
    const struct identity whole = {ZONE_CORE,  "core",     identity->package_id,
                                   RAPL_NO_ID, RAPL_NO_ID, ""};
    for (size_t i = 0; i < reference.sum_count; i++) {
        if (is_identity(&reference.sums[i], &whole))
            return &reference.sums[i];
    }
    struct account *sum = &reference.sums[reference.sum_count++];
    write_identity(sum, &whole);
    return sum;
}

struct account *account_add(const struct identity *identity) {
    if (reference.account_count == ACCOUNTS_MAX)
        abort();
    struct account *account = &reference.accounts[reference.account_count++];
    write_identity(account, identity);
    account->sum = account_find_sum(identity);
    if (identity->kind == ZONE_CORE && identity->core_id >= 0)
        account->selected = account->selected && reference.cores;
    return account;
}

void account_rename(struct account *account, const struct identity *identity) {
    account->die_id = identity->die_id;
    write_name(identity, account->name);
    account->selected = account_is_selected(account->name);
}
