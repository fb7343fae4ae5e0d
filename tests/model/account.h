/* SPDX-License-Identifier: MIT */
/* Functions on accounts that the files of the reference share. */
#ifndef RAPL_MODEL_ACCOUNT_H
#define RAPL_MODEL_ACCOUNT_H

#include "reference.h"

bool account_is_selected(const char *name);

/* Its next reading does not continue the previous ones. */
void account_forget(struct account *account);

/* Returns the step from its last reading to a value. */
struct step account_make_step(const struct account *account, uint64_t shown, uint64_t time_ns,
                              uint64_t slept_ns);

/* A reading lower than the one before begins a series of low readings; these judge the following
 * ones. */
enum low_verdict {
    LOW_GOES_ON, /* not decided yet */
    LOW_ENDS,    /* it does not continue the earlier values */
    LOW_FOLLOWS,
};
bool low_begins(const struct account *account, const struct glimpse *glimpse, uint64_t slept_ns);
/* Considers the counter in all accounts. */
bool low_is_pending(size_t counter);
void low_note(struct account *account, const struct glimpse *glimpse);
enum low_verdict low_judge(struct account *account, const struct glimpse *glimpse,
                           uint64_t slept_ns);

/* Assigns to parts the packages that limit them. */
void part_bind(void);

/* Returns whether the step is larger than what the account's package used; then it is left out. */
bool part_overruns(struct account *account, const struct glimpse *glimpse, wide shown);

/* Call after it was read: its sequence continues or begins, and it is compared with its package
 * from here on. */
void part_follow(struct account *account);

/* How a reading relates to the counter's sequence of values. */
enum course {
    COURSE_ON,
    COURSE_ON_AFTER_LOW, /* the low readings were failed reads */
    COURSE_WRAP,
    COURSE_RESTART, /* begins with the first low reading */
    COURSE_JUMP,
    COURSE_BROKEN, /* starts again with nothing known, or undecided */
};

/* Returns whether two counters may answer for it in turns, so that the step is not energy; then it
 * is left out. energy_uj: what would be counted. */
bool steady_refuses(struct account *account, const struct glimpse *glimpse, enum course course,
                    uint64_t energy_uj);

/* Returns the same for a value that its zone might show now. */
bool steady_would_refuse(const struct account *account, uint64_t shown, uint64_t time_ns,
                         uint64_t energy_uj);

/* It has its first reading, or the first one after account_forget(). */
void steady_begin(struct account *account, const struct glimpse *glimpse);

/* --- names (reference_name.c) --- */

/* Returns the identity of a place on this machine, or by the kernel's name. */
struct identity identity_of(const struct place *place);
struct identity identity_by_kernel(const struct place *place);
bool identity_equal(const struct identity *a, const struct identity *b);
struct identity identity_of_account(const struct account *account);
struct account *account_find(const struct identity *identity);
struct account *account_add(const struct identity *identity);
void account_rename(struct account *account, const struct identity *identity);
/* Returns the sum that contains a place with that identity; NULL: none. */
struct account *account_find_sum(const struct identity *identity);

/* --- which zone counts for which account (reference_bind.c) --- */

/* Returns the bound zone with that kernel name; NULL: none. */
struct fake_zone *zone_find(const struct identity *kernels);
/* Returns the zone of the package that contains the place. */
struct fake_zone *zone_find_package(const struct place *place);
/* Returns the account for its name, and makes it if needed. */
struct account *zone_name_own(struct fake_zone *zone);
/* Takes the zone from its account. It counts for the next one from their last common reading on. */
void zone_leave(struct fake_zone *zone);
/* Notes where a zone that gave the account's last reading begins, should it leave. */
void zone_note_last(struct fake_zone *zone, const struct account *account);
/* Returns whether it gave the account's last reading, or has the same name as the zone that did. */
bool zone_gave_last(const struct account *account, const struct fake_zone *zone);
/* Returns whether two zones may show one counter. */
bool zones_may_be_alike(const struct fake_zone *one, const struct fake_zone *other);

/* --- whether they do (reference_alike.c) --- */

/* Compares the zones of a sample without sleep. Returns whether their accounts change. */
bool alike_compare(void);
/* Returns whether two of its zones show different counters, known or not. */
bool account_is_mixed(const struct account *account);

/* --- samples --- */

/* The lead core may change with the set of online CPUs; reference_notice_online() handles and
 * reports such a change. */
bool account_is_lead_core(const struct account *account);
bool reference_notice_online(void);
void reference_forget_lead_cores(void);

/* Starts the accounts of zones that parted at an earlier reading. */
void account_begin_earlier(const struct source *source);
/* Notes which sums lack a counter that has never been read. */
void note_unread(const struct source *source);

/* Passes to its window what it has read in this sample, or that it has not; the same for sums. */
void window_sample(struct account *account, bool slept);
void window_sample_sums(void);

/* A member of the sum has gone; NULL: does nothing. */
void window_lose_member(struct account *sum);

/* Compares the statistics with the window and, if the window covers the span, with the power. */
void window_judge(const struct account *account, const struct rapl_value *value);
void window_judge_mean(const struct account *account, const struct rapl_value *value);

/* --- how often its counter moves (reference_pace.c) --- */

/* Takes a reading that continues account->last: it moved by these parts of a joule. The account's
 * moment is already that of the reading. */
void pace_take(struct account *account, const struct glimpse *glimpse, wide moved);
/* The next reading does not continue. */
void pace_break(struct account *account);
/* Returns the update period for judging a step. */
uint64_t pace_judged_ns(const struct account *account);
/* Returns the update period for samples of power; UINT64_MAX: not known. */
uint64_t pace_update_ns(const struct account *account);
/* Returns the time until a reading may reveal more; UINT64_MAX: never. */
uint64_t pace_look_ns(const struct account *account);
/* Holds a step that is a jump, if the counter may be slow; decides about held steps. */
bool pace_hold(struct account *account, const struct glimpse *glimpse, bool is_start);
void pace_decide(struct account *account);
/* Returns whether power that began there ends now, and where. */
bool pace_end_power(const struct account *account, const struct moment *begin, struct moment *end);
/* Returns the moment from which power is counted. */
struct moment pace_begin_power(const struct account *account);
/* Call after a report. */
void pace_report(struct account *account);

/* Call after a sample: samples that were due earlier and not taken are missed. */
void grid_sampled(void);

/* Returns how long before the end of its sample a report's counters were read. */
uint64_t report_age_ns(void);

/* Returns the power above which its steps are not energy. */
static inline uint64_t account_ceiling_uw(const struct account *account) {
    const bool is_raised = account->raised && account->place->raised_uw != 0;
    return is_raised ? account->place->raised_uw : account->place->ceiling_uw;
}

/* Returns whether its zones are read at all. */
static inline bool account_is_wanted(const struct account *account) {
    return account->selected || (account->sum != NULL && account->sum->selected);
}

#endif
