/* SPDX-License-Identifier: MIT */
/* Computes when counters are due, and checks statistics of the power inside an interval
 * (docs/design.md, rules 7 and 12; struct rapl_statistics). */
#include "account.h"

static struct tally *const tally = &reference.tally;

/* --- when ------------------------------------------------------------------------------------- */

static uint64_t guard_due_ns(void) {
    wide soonest_ns = UINT64_MAX;
    for (size_t i = 0; i < reference.account_count; i++) {
        const struct account *account = &reference.accounts[i];
        const struct step turn = {.style = reference.machine->style,
                                  .range = account->range,
                                  .parts = machine_parts(reference.machine)};
        uint64_t most_uw = account->place != NULL ? account_ceiling_uw(account) : 0;
        if (most_uw > UINT64_C(4000000000))
            most_uw = UINT64_C(4000000000);
        const wide twice_uj =
            reference.machine->style == STYLE_PERF ? 2 * FAKE_UNREAD_UJ : step_energy_uj(&turn, 1);
        if (!account->reads && account->lows == 0)
            continue;
        const wide half_ns = twice_uj * 1000000000 / most_uw / 2;
        if (half_ns < soonest_ns)
            soonest_ns = half_ns;
    }
    if (soonest_ns != UINT64_MAX && soonest_ns < NS_PER_S)
        soonest_ns = NS_PER_S;
    if (reference.look_ns < soonest_ns)
        soonest_ns = reference.look_ns;
    return soonest_ns != UINT64_MAX ? world.end_ns + (uint64_t)soonest_ns : 0;
}

static bool any_reads(void) {
    for (size_t i = 0; i < reference.account_count; i++) {
        if (reference.accounts[i].reads)
            return true;
    }
    return false;
}

/* Returns the first instant of the grid after the given one. */
static uint64_t next_instant_ns(uint64_t after_ns) {
    const uint64_t every_ns = reference.sample_interval_ns;
    return after_ns - after_ns % every_ns + every_ns;
}

uint64_t reference_due_ns(void) {
    const uint64_t guard_ns = guard_due_ns();
    if (reference.sample_interval_ns == 0 || !any_reads())
        return guard_ns;
    const uint64_t grid_ns = next_instant_ns(world.end_ns);
    return guard_ns != 0 && guard_ns < grid_ns ? guard_ns : grid_ns;
}

/* One instant since the last sample belongs to this sample, the others are missed. None was due if
 * nothing reads. */
void grid_sampled(void) {
    if (reference.sample_interval_ns != 0 && reference.sampled && any_reads()) {
        uint64_t missed = 0;
        const uint64_t first_ns = next_instant_ns(reference.sampled_ns);
        if (first_ns <= world.begin_ns)
            missed = (world.begin_ns - first_ns) / reference.sample_interval_ns;
        reference.health.missed_samples += missed;
        tally->missed += missed;
    }
    reference.sampled_ns = world.begin_ns;
}

/* --- one series ------------------------------------------------------------------------------- */

static bool has_window(const struct account *account) {
    const bool is_sum = account >= reference.sums && account < reference.sums + reference.sum_count;
    return reference.sample_interval_ns != 0 && account->selected &&
           (account->has_window || is_sum);
}

static uint64_t unit_of(const struct account *account) {
    if (reference.machine->style != STYLE_POWERCAP)
        return machine_unit_parts(reference.machine);
    return (account->range + UINT32_MAX / 2) / UINT32_MAX;
}

/* After a sleep as well, its next reading does not continue the last one. */
void window_sample(struct account *account, bool slept) {
    const struct naive_scale scale = {.parts = machine_parts(reference.machine),
                                      .unit = unit_of(account),
                                      .update_ns = pace_update_ns(account)};
    const struct naive_reading reading = {.time_ns = account->last.time_ns,
                                          .uncertainty_ns = account->last.uncertainty_ns,
                                          .parts = (uint64_t)(account->shown - account->observed)};
    if (!has_window(account))
        return;
    if (slept || (account->reads && !account->follows))
        naive_break(&account->window);
    if (account->reads)
        naive_take(&account->window, &scale, &reading);
    account->observed = account->shown;
}

/* --- sums ------------------------------------------------------------------------------------- */

static uint64_t to_uj(wide shown) {
    return (uint64_t)(shown * 1000000 / machine_parts(reference.machine));
}

/* Without one of its members a sum has another power. */
void window_lose_member(struct account *sum) {
    if (sum == NULL)
        return;
    naive_break(&sum->window);
    naive_begin(&sum->window);
}

/*
 * Samples the sum if all members were read at both ends and none has restarted, gone or slept. Its
 * readings lie between the begin of the first read and the end of the last; each member may lack a
 * unit.
 */
static void sample_sum(struct account *sum) {
    struct naive_scale scale = {.parts = 1000000};
    uint64_t first_ns = UINT64_MAX;
    uint64_t last_ns = 0;
    wide energy_uj = 0;
    bool all_read = true;
    bool all_follow = !sum->is_unread;
    for (size_t i = 0; i < reference.account_count; i++) {
        const struct account *member = &reference.accounts[i];
        if (member->sum != sum || !member->has_read)
            continue;
        energy_uj += to_uj(member->shown);
        if (member->gone || member->ended)
            continue;
        all_read = all_read && member->reads;
        all_follow = all_follow && member->follows && !member->returns;
        scale.unit += to_uj(unit_of(member));
        if (member->pace.moves && pace_update_ns(member) > scale.update_ns)
            scale.update_ns = pace_update_ns(member);
        if (member->last.time_ns - member->last.uncertainty_ns < first_ns)
            first_ns = member->last.time_ns - member->last.uncertainty_ns;
        if (member->last.time_ns + member->last.uncertainty_ns > last_ns)
            last_ns = member->last.time_ns + member->last.uncertainty_ns;
    }
    if (!all_read || !all_follow || last_ns == 0)
        naive_break(&sum->window);
    if (!all_read || last_ns == 0)
        return;
    const uint64_t half_ns = (last_ns - first_ns) / 2;
    const struct naive_reading reading = {.time_ns = first_ns + half_ns,
                                          .uncertainty_ns = half_ns,
                                          .parts = (uint64_t)(energy_uj - sum->observed)};
    naive_take(&sum->window, &scale, &reading);
    sum->observed = energy_uj;
}

void window_sample_sums(void) {
    for (size_t i = 0; i < reference.sum_count; i++) {
        if (has_window(&reference.sums[i]))
            sample_sum(&reference.sums[i]);
    }
}

/* --- a report --------------------------------------------------------------------------------- */

void window_judge(const struct account *account, const struct rapl_value *value) {
    const bool expected = has_window(account) && value->has_power;
    if (value->has_statistics != expected)
        reference_complain("%s has %s statistics", account->name, expected ? "no" : "some");
    if (!expected)
        return;
    const char *wrong = naive_find_wrong(&account->window, &value->statistics, &value->power_uw);
    if (wrong != NULL)
        reference_complain("%s: %s is wrong, of %zu samples", account->name, wrong,
                           account->window.count);
    tally->windows++;
    tally->window_samples += account->window.count;
    tally->empty_windows += account->window.count == 0;
}

/* If the samples cover the span, their mean is its power, except for rounding: of the power, the
 * mean and each sample to microwatts, and of each energy to microjoules. */
void window_judge_mean(const struct account *account, const struct rapl_value *value) {
    if (!value->has_statistics || !naive_covers(&account->window, value->start_ns, value->end_ns))
        return;
    const uint64_t span_ns = value->end_ns - value->start_ns;
    const uint64_t mean_uw = value->statistics.mean_uw;
    const uint64_t slack_uw = 2 + (value->statistics.samples + 1) * NS_PER_S / span_ns;
    if (mean_uw + slack_uw < value->power_uw || value->power_uw + slack_uw < mean_uw)
        reference_complain("%s: a mean of %llu uW, and a power of %llu", account->name,
                           (unsigned long long)mean_uw, (unsigned long long)value->power_uw);
    tally->covered++;
}
