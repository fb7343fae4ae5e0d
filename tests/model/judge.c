/* SPDX-License-Identifier: MIT */
/* A report held against the accounts: what section 4 says of energy, power, total and health. */
#include <stdio.h>
#include <string.h>

#include "account.h"

/* What the second read of a low reading may make of a step: it is judged as if it were that long.
 */
#define SHORT_STEP_NS (50 * NS_PER_MS)

static struct tally *const tally = &reference.tally;

static unsigned long long number(uint64_t value) {
    return value;
}

/* --- health ------------------------------------------------------------------------------------
 */

static void judge_health(const struct rapl_health *health) {
    struct rapl_count told[RAPL_HEALTH_COUNTS];
    struct rapl_count expected[RAPL_HEALTH_COUNTS];
    rapl_health_list(health, told);
    rapl_health_list(&reference.health, expected);
    for (size_t i = 0; i < RAPL_HEALTH_COUNTS; i++) {
        if (told[i].count != expected[i].count)
            reference_complain("health: %s is %llu instead of %llu", told[i].name,
                               number(told[i].count), number(expected[i].count));
    }
}

/* Whether this interval's counts explain that something is missing from it. */
static bool health_explains(const struct rapl_health *health) {
    const struct rapl_health *before = &reference.told_health;
    return health->read_errors > before->read_errors || health->gaps > before->gaps ||
           health->resets > before->resets || health->rediscoveries > before->rediscoveries ||
           health->sleeps > before->sleeps || health->stalls > before->stalls ||
           health->zones != before->zones;
}

/* --- one value -----------------------------------------------------------------------------------
 */

static bool is_near(uint64_t a, uint64_t b, uint64_t slack) {
    return a > b ? a - b <= slack : b - a <= slack;
}

static uint64_t to_uj(wide aj) {
    return (uint64_t)(aj / AJ_PER_UJ);
}

/* How long it was from one moment to the other is known to 5 %: the two reads took, together, at
 * most a tenth of it. */
static bool is_known(const struct moment *begin, const struct moment *end) {
    const uint64_t reads_ns = 2 * begin->doubt_ns + 2 * end->doubt_ns;
    return end->time_ns - begin->time_ns >= 10 * reads_ns;
}

static const struct rapl_value *find_value(const struct rapl_report *report,
                                           const struct account *account) {
    const struct rapl_value *found = NULL;
    for (size_t i = 0; i < report->value_count; i++) {
        if (report->values[i].series != account->number)
            continue;
        if (found != NULL)
            reference_complain("%s is told twice", account->name);
        found = &report->values[i];
    }
    return found;
}

static void learn_number(const struct rapl_report *report, struct account *account) {
    for (size_t i = 0; account->number == NO_NUMBER && i < report->value_count; i++) {
        if (strcmp(report->values[i].name, account->name) == 0)
            account->number = report->values[i].series;
    }
}

static void judge_identity(const struct account *account, const struct rapl_value *value) {
    if (strcmp(value->name, account->name) != 0)
        reference_complain("series %zu is %s, and was %s", value->series, value->name,
                           account->name);
    if (strcmp(value->domain, account->domain) != 0 || value->package_id != account->package_id ||
        value->die_id != account->die_id || value->core_id != account->core_id)
        reference_complain("%s: identity", account->name);
}

static void judge_energy(struct account *account, const struct rapl_value *value, wide energy_aj,
                         uint64_t slack_uj) {
    if (!is_near(value->energy_uj, to_uj(energy_aj), slack_uj))
        reference_complain("%s: %llu uJ instead of %llu (+- %llu)", account->name,
                           number(value->energy_uj), number(to_uj(energy_aj)), number(slack_uj));
    if (value->energy_uj < account->told_energy_uj)
        reference_complain("%s: energy falls", account->name);
    account->told_energy_uj = value->energy_uj;
}

/* Power x time is energy, to a microwatt; and never above the ceiling, but for a counter that uses
 * more. A step of less than 50 ms is judged as if it were that long: where the second read of a low
 * reading makes one, what a read that failed by less leaves to count may use that. */
static void judge_power(const struct account *account, const struct rapl_value *value,
                        uint64_t ceiling_uw, uint64_t slack_uw) {
    const uint64_t span_ns = value->end_ns - value->start_ns;
    const wide energy = (wide)value->span_energy_uj * 1000000000;
    const wide product = (wide)value->power_uw * span_ns;
    const wide apart = energy > product ? energy - product : product - energy;
    if (apart > (wide)span_ns * slack_uw)
        reference_complain("%s: %llu uW over %llu ns is not %llu uJ", account->name,
                           number(value->power_uw), number(span_ns), number(value->span_energy_uj));
    const uint64_t short_ns =
        2 * reference.machine->period_ns + (reference.machine->habits.low != 0 ? SHORT_STEP_NS : 0);
    if (product > (wide)ceiling_uw * (span_ns + short_ns) && !reference.machine->is_hot)
        reference_complain("%s: %llu uW over %llu ns is above the ceiling", account->name,
                           number(value->power_uw), number(span_ns));
    tally->powers++;
}

/* From update to update, the span is the true one to a twentieth. */
static void judge_updates(const struct account *account, const struct moment *begin,
                          const struct moment *end) {
    const uint64_t span_ns = end->time_ns - begin->time_ns;
    const uint64_t true_ns = end->true_ns - begin->true_ns;
    if (!is_near(span_ns, true_ns, true_ns / 20))
        reference_complain("%s: power over %llu ns, its updates are %llu apart", account->name,
                           number(span_ns), number(true_ns));
    tally->slow_powers++;
}

/* A gap in a dashboard: no value, or no power although the span allows it. */
static void judge_gap(struct account *account, bool tells_power, bool is_gap, bool explains) {
    account->explained = !tells_power && (account->explained || explains);
    if (is_gap && !account->explained)
        reference_complain("%s: health does not explain the gap", account->name);
}

/* --- one series
 * ----------------------------------------------------------------------------------- */

static bool is_expected(const struct account *account) {
    return account->selected && account->reads && !account->lost && !account->pace.is_stuck;
}

/* It would have power if its reads had taken less time. */
static bool is_vague(const struct account *account) {
    struct moment end;
    return is_expected(account) && !account->slept &&
           pace_end_power(account, &account->power, &end) && !is_known(&account->power, &end);
}

static void judge_series(struct account *account, const struct rapl_report *report, bool explains) {
    learn_number(report, account);
    const struct rapl_value *value = find_value(report, account);
    const bool expected = is_expected(account);
    if ((value != NULL) != expected)
        reference_complain("%s is %s", account->name, expected ? "missing" : "told of");
    if (value == NULL || !expected) {
        judge_gap(account, false, account->told && !account->pace.is_stuck, explains);
        tally->left_out += account->lost;
        return;
    }
    const struct moment *power = &account->power;
    const struct moment *now = &account->now;
    struct moment end;
    const bool is_long = pace_end_power(account, power, &end);
    const bool has_power = is_long && !account->slept && is_known(power, &end);
    if (!has_power) {
        end = *now;
        end.energy_aj -= account->held.energy_aj;
        if (end.energy_aj < power->energy_aj)
            end.energy_aj = power->energy_aj;
    }
    const uint64_t slack_uj = 2 + end.slack_uj - power->slack_uj;
    judge_identity(account, value);
    judge_energy(account, value, now->energy_aj - account->held.energy_aj, now->slack_uj + 1);
    if (value->start_ns != power->time_ns || value->end_ns != end.time_ns)
        reference_complain("%s: span %llu to %llu instead of %llu to %llu", account->name,
                           number(value->start_ns), number(value->end_ns), number(power->time_ns),
                           number(end.time_ns));
    if (!is_near(value->span_energy_uj, to_uj(end.energy_aj - power->energy_aj), slack_uj))
        reference_complain("%s: %llu uJ of the span instead of %llu", account->name,
                           number(value->span_energy_uj),
                           number(to_uj(end.energy_aj - power->energy_aj)));
    if (value->has_power != has_power)
        reference_complain("%s has %s power", account->name, has_power ? "no" : "a");
    if (has_power)
        judge_power(account, value, account_ceiling_uw(account), 1);
    if (has_power && power->kind == AT_UPDATE && end.kind == AT_UPDATE)
        judge_updates(account, power, &end);
    window_judge(account, value);
    window_judge_mean(account, value);
    judge_gap(account, has_power, account->told && is_long && !has_power, explains);
    account->told = true;
    tally->intervals++;
    if (!has_power)
        return;
    account->power = end;
    naive_begin(&account->window);
}

/* --- sums
 * ------------------------------------------------------------------------------------------ */

/*
 * Section 4, total. Its power is that of a span at whose begin and end all members were read, and
 * in which none lost energy, joined, or slept; only a member that has gone for good is left out. As
 * long as that is not so, the span begins anew at each report.
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
    bool broken;
    bool is_long;
    bool is_known;
};

static struct members look_at_members(const struct account *sum) {
    struct members all = {.slack_uj = 1, .begin_ns = UINT64_MAX, .is_long = true, .is_known = true};
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
        all.silent = all.silent || !member->reads || member->lost;
        all.broken = all.broken || member->lost || member->joined || member->slept ||
                     member->lows > 0 || member->sum_span != sum->spans || member->pace.is_stuck;
        if (pace_end_power(member, &member->sum_power, &member->sum_end))
            all.is_known = all.is_known && is_known(&member->sum_power, &member->sum_end);
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
    return sum->selected && all->count > 0 && !all->silent && !all->is_stuck;
}

static bool is_sum_vague(const struct account *sum) {
    const struct members all = look_at_members(sum);
    return is_sum_expected(sum, &all) && all.is_long && !all.broken && !all.is_known;
}

static void judge_sum(struct account *sum, const struct rapl_report *report, bool explains) {
    const struct members all = look_at_members(sum);
    learn_number(report, sum);
    const struct rapl_value *value = find_value(report, sum);
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
                                   number(value->start_ns), number(value->end_ns),
                                   number(all.begin_ns), number(all.end_ns));
            if (!is_near(value->span_energy_uj, to_uj(all.span_aj), all.slack_uj))
                reference_complain("%s: energy of the span", sum->name);
        }
        tally->totals += has_power && sum->kind == ZONE_TOTAL;
        tally->core_sums += has_power && sum->kind != ZONE_TOTAL;
    }
    judge_gap(sum, has_power,
              sum->told && !has_power && !all.is_stuck && (!expected || all.is_long), explains);
    sum->told = sum->told || expected;
    if (!has_power && !all.broken)
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

/* What a member can have used in a span that may lack two updates, as for a power of its own. */
static uint64_t most_uw(const struct account *member, uint64_t span_ns) {
    const uint64_t lacks_ns =
        reference.machine->period_ns > NS_PER_MS ? 2 * reference.machine->period_ns : 0;
    return (uint64_t)((wide)account_ceiling_uw(member) * (span_ns + lacks_ns) / span_ns);
}

/* Each member's power is that of its own reads, some microseconds apart: so is their sum. */
static void judge_sum_power(const struct account *sum, const struct rapl_report *report) {
    wide power_uw = 0;
    uint64_t ceiling_uw = 0;
    size_t members = 0;
    const struct rapl_value *value = find_value(report, sum);
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
    if (!is_near(value->power_uw, (uint64_t)power_uw, 2 * members))
        reference_complain("%s: %llu uW instead of %llu", sum->name, number(value->power_uw),
                           number((uint64_t)power_uw));
    if (value->power_uw > ceiling_uw && !reference.machine->is_hot)
        reference_complain("%s: above the ceilings", sum->name);
}

/* --- the report ----------------------------------------------------------------------------------
 */

static void judge_values(const struct rapl_report *report) {
    for (size_t i = 0; i < report->value_count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (report->values[i].series == report->values[j].series ||
                strcmp(report->values[i].name, report->values[j].name) == 0)
                reference_complain("%s and %s are one", report->values[i].name,
                                   report->values[j].name);
        }
    }
}

static void begin_interval(void) {
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *account = &reference.accounts[i];
        pace_report(account);
        if (account->lost || account->slept) {
            account->power = pace_begin_power(account);
            tally->left_windows += account->window.count > 0;
            naive_begin(&account->window);
        }
        account->lost = account->joined = account->left = false;
        account->low_told = account->lows > 0;
        account->slept = account->slept && !account->reads;
    }
}

void reference_close_first(void) {
    reference.reported_ns = reference.sampled ? reference.sampled_ns : 0;
    for (size_t i = 0; i < reference.account_count; i++) {
        struct account *account = &reference.accounts[i];
        if (account->sum == NULL || !account->reads)
            continue;
        account->sum->spans = 1;
        account->sum_span = 1;
        account->sum_power = account->now;
    }
    begin_interval();
    reference.told_health = reference.health;
}

/* Powers that are missing because the length of their spans is not known. */
static void count_vague(void) {
    uint64_t vague = 0;
    for (size_t i = 0; i < reference.account_count; i++)
        vague += is_vague(&reference.accounts[i]);
    for (size_t i = 0; i < reference.sum_count; i++)
        vague += is_sum_vague(&reference.sums[i]);
    reference.health.stalls += vague;
    tally->vague += vague;
}

bool reference_judge(const struct rapl_report *report) {
    const struct machine *machine = reference.machine;
    if (reference.reported_ns != 0)
        reference.interval_ns = reference.sampled_ns - reference.reported_ns;
    reference.reported_ns = reference.sampled_ns;
    count_vague();
    const bool explains = health_explains(&report->health);
    const uint64_t wall_ns = world.end_ns + world.end_ahead_ns + machine->wall_ns - report_age_ns();
    if (report->time_ns != wall_ns)
        reference_complain("the report is of another time");
    if (report->value_count > reference.account_count + reference.sum_count)
        reference_complain("there are more values than series");
    if (tally->reports % 16 == 0)
        judge_values(report);
    judge_health(&report->health);
    size_t told = 0;
    for (size_t i = 0; i < reference.account_count; i++) {
        judge_series(&reference.accounts[i], report, explains);
        told += find_value(report, &reference.accounts[i]) != NULL;
    }
    for (size_t i = 0; i < reference.sum_count; i++) {
        judge_sum_power(&reference.sums[i], report);
        judge_sum(&reference.sums[i], report, explains);
        told += find_value(report, &reference.sums[i]) != NULL;
    }
    if (told != report->value_count)
        reference_complain("%zu values are of no series", report->value_count - told);
    begin_interval();
    reference.told_health = report->health;
    tally->reports++;
    return !reference_has_complained();
}
