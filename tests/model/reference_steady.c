/* SPDX-License-Identifier: MIT */
/* Detects a zone for which two counters answer in turns. */
#include "account.h"

static struct tally *const tally = &reference.tally;

/* Two moves up and two down, of which the first is not a return. */
#define RETURNS_MOST 3
#define QUIET_READINGS 10
#define QUIET_NS (60 * NS_PER_S)

static uint64_t power_uw(uint64_t energy_uj, uint64_t span_ns) {
    if (span_ns == 0)
        span_ns = 1;
    return (uint64_t)(((wide)energy_uj * 1000000000 + span_ns / 2) / span_ns);
}

/* Returns whether a counter with that sequence may show this value by now. */
static bool is_on_row(const struct account *account, const struct row *row, uint64_t shown,
                      uint64_t time_ns) {
    struct step step = account_make_step(account, shown, time_ns, 0);
    step.before = row->shown;
    step.span_ns = time_ns > row->time_ns ? time_ns - row->time_ns : 0;
    step.slept_ns = 0;
    return shown >= row->shown && step_may_be_energy(&step);
}

static bool returns(const struct account *account, const struct glimpse *glimpse,
                    enum course course, uint64_t step, uint64_t step_uw) {
    const struct row *row = &account->left_row;
    const struct glimpse *low = &account->last_low;
    switch (course) {
    case COURSE_ON: /* may be a move up that looks like energy */
        return row->where == ROW_ABOVE && step > row->distance / 2 &&
               step_uw / 2 > account->most_uw &&
               is_on_row(account, row, glimpse->shown, glimpse->time_ns);
    case COURSE_ON_AFTER_LOW: /* the sequence read in between moves, too */
        return row->where == ROW_BEHIND && low->shown != row->shown &&
               is_on_row(account, row, low->shown, low->time_ns);
    case COURSE_JUMP:
        return (row->where == ROW_ABOVE || row->where == ROW_BEHIND) &&
               is_on_row(account, row, glimpse->shown, glimpse->time_ns);
    case COURSE_WRAP:
    case COURSE_RESTART:
        return row->where == ROW_BELOW && is_on_row(account, row, glimpse->shown, glimpse->time_ns);
    case COURSE_BROKEN:
        break;
    }
    return false;
}

static struct row find_row(const struct account *account, enum course course) {
    struct row row = {
        .where = ROW_BELOW, .shown = account->last.shown, .time_ns = account->last.time_ns};
    if (course == COURSE_RESTART) {
        row.where = ROW_ABOVE;
        row.distance = account->last.shown - account->first_low.shown;
    } else if (course == COURSE_WRAP) {
        row.where = ROW_BEHIND;
    } else if (course == COURSE_ON_AFTER_LOW) {
        row = (struct row){.where = ROW_BEHIND,
                           .shown = account->last_low.shown,
                           .time_ns = account->last_low.time_ns};
    }
    return row;
}

/* Forgets the sequence after ten readings and a minute without such a move; a higher sequence after
 * ten times as long. */
static void calm_down(struct account *account, uint64_t time_ns) {
    const uint64_t calm_ns = time_ns - account->stirred_ns;
    if (account->quiet >= QUIET_READINGS && calm_ns >= QUIET_NS) {
        account->is_unsteady = false;
        account->row_returns = 0;
        const bool is_long = account->quiet >= 10 * QUIET_READINGS && calm_ns >= 10 * QUIET_NS;
        if (account->left_row.where != ROW_ABOVE || is_long)
            account->minds_rows = false;
    }
}

static void stir(struct account *account, uint64_t time_ns) {
    account->quiet = 0;
    account->stirred_ns = time_ns;
}

static void mind(struct account *account) {
    if (account->minds_rows)
        return;
    account->minds_rows = true;
    account->left_row = (struct row){.where = ROW_OF_NONE};
    account->most_uw = 0;
    account->quiet = 0;
}

void steady_begin(struct account *account, const struct glimpse *glimpse) {
    if (!account->minds_rows)
        return;
    stir(account, glimpse->time_ns);
    account->left_row.where = ROW_OF_NONE;
}

bool steady_refuses(struct account *account, const struct glimpse *glimpse, enum course course,
                    uint64_t energy_uj) {
    if ((course == COURSE_ON || course == COURSE_BROKEN) && !account->minds_rows)
        return false;
    const bool was_minded = account->minds_rows;
    const uint64_t from_ns =
        course == COURSE_RESTART ? account->first_low.time_ns : account->last.time_ns;
    const uint64_t step_uw = power_uw(energy_uj, glimpse->time_ns - from_ns);
    mind(account);
    const bool is_back =
        returns(account, glimpse, course, glimpse->shown - account->last.shown, step_uw);
    if (is_back || !(course == COURSE_ON || (course == COURSE_WRAP && was_minded)))
        stir(account, glimpse->time_ns);
    else
        account->quiet++;
    if (course == COURSE_BROKEN) {
        account->left_row.where = ROW_OF_NONE;
    } else if (is_back || course != COURSE_ON) {
        account->left_row = find_row(account, course);
        account->most_uw = 0;
    }
    if (step_uw > account->most_uw)
        account->most_uw = step_uw;
    account->row_returns += is_back;
    account->is_unsteady = account->is_unsteady || account->row_returns >= RETURNS_MOST;
    const bool refuses =
        account->is_unsteady || (is_back && (course == COURSE_ON || course == COURSE_WRAP));
    tally->unsteady += account->is_unsteady;
    tally->returned += is_back;
    tally->climbs += is_back && course == COURSE_ON && glimpse->restarts != account->last.restarts;
    calm_down(account, glimpse->time_ns);
    if (!refuses)
        return false;
    reference.health.gaps++;
    account->now.slack_uj++;
    account->lost = true;
    return true;
}

bool steady_would_refuse(const struct account *account, uint64_t shown, uint64_t time_ns,
                         uint64_t energy_uj) {
    const struct glimpse glimpse = {.shown = shown, .time_ns = time_ns};
    if (!account->minds_rows || account->lows > 0 || account->silent)
        return false;
    return account->is_unsteady ||
           returns(account, &glimpse, COURSE_ON, shown - account->last.shown,
                   power_uw(energy_uj, time_ns - account->last.time_ns));
}

uint64_t reference_find_row(const struct fake_zone *zone, uint64_t shown) {
    const struct account *account = zone->account;
    const bool has_left = account != NULL && account->minds_rows && account->has_baseline &&
                          account->left_row.where != ROW_OF_NONE;
    return has_left ? account->left_row.shown : shown;
}
