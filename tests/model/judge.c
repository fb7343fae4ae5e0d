/* SPDX-License-Identifier: MIT */
/* Compares a report with the accounts: energy, power, total and health (docs/design.md, rules 15
 * and 19). */
#include <stdio.h>
#include <string.h>

#include "judge.h"

/* The second read of a low reading makes short steps; they are judged as if they were this long. */
#define SHORT_STEP_NS (50 * NS_PER_MS)

static struct tally *const tally = &reference.tally;

unsigned long long judge_number(uint64_t value) {
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
                               judge_number(told[i].count), judge_number(expected[i].count));
    }
}

/* Returns whether this interval's counts explain a missing value. */
static bool health_explains(const struct rapl_health *health) {
    const struct rapl_health *before = &reference.told_health;
    return health->read_errors > before->read_errors || health->gaps > before->gaps ||
           health->resets > before->resets || health->rediscoveries > before->rediscoveries ||
           health->sleeps > before->sleeps || health->stalls > before->stalls ||
           health->zones != before->zones;
}

/* --- one value -----------------------------------------------------------------------------------
 */

bool judge_is_near(uint64_t a, uint64_t b, uint64_t slack) {
    return a > b ? a - b <= slack : b - a <= slack;
}

uint64_t judge_to_uj(wide aj) {
    return (uint64_t)(aj / AJ_PER_UJ);
}

/* The two reads together took at most a tenth of the duration. */
bool judge_is_known(const struct moment *begin, const struct moment *end) {
    const uint64_t reads_ns = 2 * begin->uncertainty_ns + 2 * end->uncertainty_ns;
    return end->time_ns - begin->time_ns >= 10 * reads_ns;
}

const struct rapl_value *judge_find_value(const struct rapl_report *report,
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

void judge_learn_number(const struct rapl_report *report, struct account *account) {
    for (size_t i = 0; account->number == NO_NUMBER && i < report->value_count; i++) {
        if (strcmp(report->values[i].name, account->name) == 0)
            account->number = report->values[i].series;
    }
}

void judge_identity(const struct account *account, const struct rapl_value *value) {
    if (strcmp(value->name, account->name) != 0)
        reference_complain("series %zu is %s, and was %s", value->series, value->name,
                           account->name);
    if (strcmp(value->domain, account->domain) != 0 || value->package_id != account->package_id ||
        value->die_id != account->die_id || value->core_id != account->core_id)
        reference_complain("%s: identity", account->name);
    if (strcmp(value->zone_id != NULL ? value->zone_id : "", account->id) != 0)
        reference_complain("%s: id", account->name);
}

void judge_energy(struct account *account, const struct rapl_value *value, wide energy_aj,
                  uint64_t slack_uj) {
    if (!judge_is_near(value->energy_uj, judge_to_uj(energy_aj), slack_uj))
        reference_complain("%s: %llu uJ instead of %llu (+- %llu)", account->name,
                           judge_number(value->energy_uj), judge_number(judge_to_uj(energy_aj)),
                           judge_number(slack_uj));
    if (value->energy_uj < account->told_energy_uj)
        reference_complain("%s: energy falls", account->name);
    account->told_energy_uj = value->energy_uj;
}

/* Checks that power x time is energy, to a microwatt, and that power is at most the ceiling unless
 * the counter may use more. Steps of less than 50 ms, which the second read of a low reading makes,
 * are judged as if they were that long; energy left from a failed read may use that allowance. */
static void judge_power(const struct account *account, const struct rapl_value *value,
                        uint64_t ceiling_uw, uint64_t slack_uw) {
    const uint64_t span_ns = value->end_ns - value->start_ns;
    const wide energy = (wide)value->span_energy_uj * 1000000000;
    const wide product = (wide)value->power_uw * span_ns;
    const wide apart = energy > product ? energy - product : product - energy;
    if (apart > (wide)span_ns * slack_uw)
        reference_complain("%s: %llu uW over %llu ns is not %llu uJ", account->name,
                           judge_number(value->power_uw), judge_number(span_ns),
                           judge_number(value->span_energy_uj));
    const uint64_t short_ns =
        2 * reference.machine->period_ns +
        (reference.machine->habits.low != 0 || account->was_mistaken ? SHORT_STEP_NS : 0);
    if (product > (wide)ceiling_uw * (span_ns + short_ns) && !reference.machine->is_hot)
        reference_complain("%s: %llu uW over %llu ns is above the ceiling", account->name,
                           judge_number(value->power_uw), judge_number(span_ns));
    tally->powers++;
}

/* Checks that a span from update to update is the true one, to a twentieth. */
static void judge_updates(const struct account *account, const struct moment *begin,
                          const struct moment *end) {
    const uint64_t span_ns = end->time_ns - begin->time_ns;
    const uint64_t true_ns = end->true_ns - begin->true_ns;
    if (!judge_is_near(span_ns, true_ns, true_ns / 20))
        reference_complain("%s: power over %llu ns, its updates are %llu apart", account->name,
                           judge_number(span_ns), judge_number(true_ns));
    tally->slow_powers++;
}

void judge_gap(struct account *account, bool tells_power, bool is_gap, bool explains) {
    account->explained = !tells_power && (account->explained || explains);
    if (is_gap && !account->explained)
        reference_complain("%s: health does not explain the gap", account->name);
}

/* --- one series
 * ----------------------------------------------------------------------------------- */

static bool is_expected(const struct account *account) {
    return account->selected && account->reads && !account->lost && !account->is_hidden &&
           !account->pace.is_stuck;
}

/* Returns whether it would have power if its reads had been faster. */
static bool is_vague(const struct account *account) {
    struct moment end;
    return is_expected(account) && !account->slept &&
           pace_end_power(account, &account->power, &end) && !judge_is_known(&account->power, &end);
}

static void judge_series(struct account *account, const struct rapl_report *report, bool explains) {
    judge_learn_number(report, account);
    const struct rapl_value *value = judge_find_value(report, account);
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
    const bool has_power = is_long && !account->slept && judge_is_known(power, &end);
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
                           judge_number(value->start_ns), judge_number(value->end_ns),
                           judge_number(power->time_ns), judge_number(end.time_ns));
    /* Without power, the span lacks the energy that is held since it began; after a restart, all of
     * it. */
    const bool lacks = !has_power && account->held.is_start && value->span_energy_uj == 0;
    if (!lacks && !judge_is_near(value->span_energy_uj,
                                 judge_to_uj(end.energy_aj - power->energy_aj), slack_uj))
        reference_complain("%s: %llu uJ of the span instead of %llu", account->name,
                           judge_number(value->span_energy_uj),
                           judge_number(judge_to_uj(end.energy_aj - power->energy_aj)));
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

/* Counts powers that are missing because the length of their span is not known. */
static void count_vague(void) {
    uint64_t vague = 0;
    for (size_t i = 0; i < reference.account_count; i++)
        vague += is_vague(&reference.accounts[i]);
    for (size_t i = 0; i < reference.sum_count; i++)
        vague += judge_is_vague_sum(&reference.sums[i]);
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
        told += judge_find_value(report, &reference.accounts[i]) != NULL;
    }
    for (size_t i = 0; i < reference.sum_count; i++) {
        judge_sum_power(&reference.sums[i], report);
        judge_sum(&reference.sums[i], report, explains);
        told += judge_find_value(report, &reference.sums[i]) != NULL;
    }
    if (told != report->value_count)
        reference_complain("%zu values are of no series", report->value_count - told);
    begin_interval();
    reference.told_health = report->health;
    tally->reports++;
    return !reference_has_complained();
}
