/* SPDX-License-Identifier: MIT */
/* Compares sums with their members. */
#include "judge.h"

static struct tally *const tally = &reference.tally;

/*
 * docs/design.md, rule 15.
 *
 * The power of a sum has a span that begins and ends with readings of all members, and in which no
 * member lost energy, joined, or slept; only a member that has gone for good is left out. Until
 * that is so, the span restarts at each report.
 */
struct members {
    wide energy_aj;
    wide span_aj;
    uint64_t slack_uj;
    uint64_t begin_ns;
    uint64_t end_ns;
    size_t count;
    bool silent;
    bool is_stuck;
    bool is_unread; /* a counter besides the members */
    bool broken;
    bool is_long;
    bool is_known;
};

static struct members look_at_members(const struct account *sum) {
    struct members all = {.slack_uj = 1,
                          .begin_ns = UINT64_MAX,
                          .is_long = true,
                          .is_known = true,
                          .is_unread = sum->is_unread};
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *member = &reference.accounts[i];
        if (member->sum != sum || !member->has_read)
            continue;
        member->sum_end = member->now;
        member->sum_end.kind = AT_READING;
        all.energy_aj += member->now.energy_aj - member->held.energy_aj;
        all.slack_uj += member->now.slack_uj + 1;
        all.silent = all.silent || member->left;
        if (member->gone || member->ended)
            continue;
        all.count++;
        all.is_stuck = all.is_stuck || member->pace.is_stuck;
        all.silent = all.silent || !member->reads || member->lost || member->is_hidden;
        all.broken = all.broken || member->lost || member->joined || member->slept ||
                     member->lows > 0 || member->sum_span != sum->spans || member->pace.is_stuck;
        if (pace_end_power(member, &member->sum_power, &member->sum_end))
            all.is_known = all.is_known && judge_is_known(&member->sum_power, &member->sum_end);
        else
            all.is_long = false;
        all.span_aj += member->sum_end.energy_aj - member->sum_power.energy_aj;
        if (member->sum_power.time_ns < all.begin_ns)
            all.begin_ns = member->sum_power.time_ns;
        if (member->sum_end.time_ns > all.end_ns)
            all.end_ns = member->sum_end.time_ns;
    }
    return all;
}

static bool is_sum_expected(const struct account *sum, const struct members *all) {
    return sum->selected && all->count > 0 && !all->silent && !all->is_stuck && !all->is_unread;
}

bool judge_is_vague_sum(const struct account *sum) {
    const struct members all = look_at_members(sum);
    return is_sum_expected(sum, &all) && all.is_long && !all.broken && !all.is_known;
}

void judge_sum(struct account *sum, const struct rapl_report *report, bool explains) {
    const struct members all = look_at_members(sum);
    judge_learn_number(report, sum);
    const struct rapl_value *value = judge_find_value(report, sum);
    const bool expected = is_sum_expected(sum, &all);
    const bool has_power = expected && all.is_long && !all.broken && all.is_known;
    if ((value != NULL) != expected)
        reference_complain("%s is %s", sum->name, expected ? "missing" : "told of");
    if (value != NULL && expected) {
        judge_identity(sum, value);
        judge_energy(sum, value, all.energy_aj, all.slack_uj);
        if (value->has_power != has_power)
            reference_complain("%s has %s power", sum->name, has_power ? "no" : "a");
        window_judge(sum, value);
        tally->sum_windows += value->has_statistics;
        if (has_power) {
            if (value->start_ns != all.begin_ns || value->end_ns != all.end_ns)
                reference_complain("%s: span %llu to %llu instead of %llu to %llu", sum->name,
                                   judge_number(value->start_ns), judge_number(value->end_ns),
                                   judge_number(all.begin_ns), judge_number(all.end_ns));
            if (!judge_is_near(value->span_energy_uj, judge_to_uj(all.span_aj), all.slack_uj))
                reference_complain("%s: energy of the span", sum->name);
        }
        tally->totals += has_power && sum->kind == ZONE_TOTAL;
        tally->core_sums += has_power && sum->kind != ZONE_TOTAL;
    }
    judge_gap(sum, has_power,
              sum->told && !has_power && !all.is_stuck && (!expected || all.is_long), explains);
    sum->told = sum->told || expected;
    tally->unread += all.is_unread && all.count > 0;
    const bool goes_on = sum->selected && all.count > 0 && !all.silent && !all.is_stuck &&
                         all.is_long && all.is_known;
    if (!goes_on && !all.broken)
        return;
    sum->spans++;
    naive_begin(&sum->window);
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *member = &reference.accounts[i];
        if (member->sum != sum || !member->reads)
            continue;
        member->sum_span = sum->spans;
        member->sum_power = all.broken ? pace_begin_power(member) : member->sum_end;
    }
}

/* Returns the most that a member can have used in a span that may lack two updates, as for its own
 * power. */
static uint64_t most_uw(const struct account *member, uint64_t span_ns) {
    const uint64_t lacks_ns =
        reference.machine->period_ns > NS_PER_MS ? 2 * reference.machine->period_ns : 0;
    return (uint64_t)((wide)account_ceiling_uw(member) * (span_ns + lacks_ns) / span_ns);
}

/* The power of each member is from its own reads, some microseconds apart, so the sum is only that
 * exact. */
void judge_sum_power(const struct account *sum, const struct rapl_report *report) {
    wide power_uw = 0;
    uint64_t ceiling_uw = 0;
    size_t members = 0;
    const struct rapl_value *value = judge_find_value(report, sum);
    if (value == NULL || !value->has_power)
        return;
    for (size_t i = 0; i < reference.account_count; i++) {
        const struct account *member = &reference.accounts[i];
        if (member->sum != sum || !member->has_read || member->gone || member->ended)
            continue;
        struct moment end;
        pace_end_power(member, &member->sum_power, &end);
        const uint64_t span_ns = end.time_ns - member->sum_power.time_ns;
        power_uw += (end.energy_aj - member->sum_power.energy_aj) / span_ns / 1000;
        ceiling_uw += most_uw(member, span_ns);
        members += 1 + (2 + end.slack_uj - member->sum_power.slack_uj) * 1000000000 / span_ns;
    }
    if (!judge_is_near(value->power_uw, (uint64_t)power_uw, 2 * members))
        reference_complain("%s: %llu uW instead of %llu", sum->name, judge_number(value->power_uw),
                           judge_number((uint64_t)power_uw));
    if (value->power_uw > ceiling_uw && !reference.machine->is_hot)
        reference_complain("%s: above the ceilings", sum->name);
}
