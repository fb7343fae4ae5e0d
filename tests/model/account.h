/* SPDX-License-Identifier: MIT */
/* What the reference's files share of its accounts. */
#ifndef RAPL_MODEL_ACCOUNT_H
#define RAPL_MODEL_ACCOUNT_H

#include "reference.h"

bool account_is_selected(const char *name);

/* What it reads next is no continuation of what it has read. */
void account_forget(struct account *account);

/* From its last reading to a value. */
struct step account_make_step(const struct account *account, uint64_t shown, uint64_t time_ns,
                              uint64_t slept_ns);

/* A reading that shows less than before begins a row of low ones; those that follow are judged. */
enum low_verdict {
    LOW_GOES_ON, /* not decided yet */
    LOW_ENDS,    /* it does not follow on what was read before */
    LOW_FOLLOWS,
};
bool low_begins(const struct account *account, const struct glimpse *glimpse, uint64_t slept_ns);
/* Of a counter, in whatever account. */
bool low_is_pending(size_t counter);
void low_note(struct account *account, const struct glimpse *glimpse);
enum low_verdict low_judge(struct account *account, const struct glimpse *glimpse,
                           uint64_t slept_ns);

/* Gives parts the packages that bound them. */
void part_bind(void);

/* Whether a step of so much is more than the package of the account used; if so, it is left out. */
bool part_overruns(struct account *account, const struct glimpse *glimpse, wide shown);

/* It has been read: its row goes on or begins, and it follows its package from here. */
void part_follow(struct account *account);

/* What a reading is for the row of values that the counter is on. */
enum course {
    COURSE_ON,
    COURSE_ON_AFTER_LOW, /* those were failed reads */
    COURSE_WRAP,
    COURSE_RESTART, /* at the first low reading */
    COURSE_JUMP,
    COURSE_BROKEN, /* begins again where nothing is known of it, or could not be decided */
};

/* Whether two counters may answer for it in turns, so that the step is no energy; if so, it is left
 * out. Its energy is what would be counted. */
bool steady_refuses(struct account *account, const struct glimpse *glimpse, enum course course,
                    uint64_t energy_uj);

/* Whether it would be, were its zone to show that now, which looks like so much energy. */
bool steady_would_refuse(const struct account *account, uint64_t shown, uint64_t time_ns,
                         uint64_t energy_uj);

/* It has a first reading, or a first one after it was forgotten. */
void steady_begin(struct account *account, const struct glimpse *glimpse);

/* --- names (reference_name.c) --- */

/* What a place is on this machine; and by the kernel's name. */
struct identity identity_of(const struct place *place);
struct identity identity_by_kernel(const struct place *place);
bool identity_equal(const struct identity *a, const struct identity *b);
struct identity identity_of_account(const struct account *account);
struct account *account_find(const struct identity *identity);
struct account *account_add(const struct identity *identity);
void account_rename(struct account *account, const struct identity *identity);
/* The sum that a place of that identity is added to; NULL: to none. */
struct account *account_find_sum(const struct identity *identity);

/* --- which zone counts for which account (reference_bind.c) --- */

/* The zone that is bound and has that name of the kernel's; NULL: there is none. */
struct fake_zone *zone_find(const struct identity *kernels);
/* That of the package that the place is part of. */
struct fake_zone *zone_find_package(const struct place *place);
/* The account that it counts for by its name, made where there is none. */
struct account *zone_name_own(struct fake_zone *zone);
/* It counts for its account no more, and for the next one from their last common reading on. */
void zone_leave(struct fake_zone *zone);
/* Where a zone begins that gave the last reading of the account, should it leave. */
void zone_note_last(struct fake_zone *zone, const struct account *account);
/* It gave the account's last reading, or has the name of the one that did. */
bool zone_gave_last(const struct account *account, const struct fake_zone *zone);
/* Whether two zones may show one counter. */
bool zones_may_be_alike(const struct fake_zone *one, const struct fake_zone *other);

/* --- whether they do (reference_alike.c) --- */

/* The zones of a sample that was not slept in are held against each other. Whether that changes
 * what counts for what. */
bool alike_compare(void);
/* Two zones of its show different counters, whether anyone knows or not. */
bool account_is_mixed(const struct account *account);

/* --- samples --- */

/* It may be another core when other CPUs are online, which the core is told then. */
bool account_is_lead_core(const struct account *account);
bool reference_notice_online(void);
void reference_forget_lead_cores(void);

/* Accounts of zones that parted begin at an earlier reading. */
void account_begin_earlier(const struct source *source);
/* Which sums lack a counter that has never been read. */
void note_unread(const struct source *source);

/* Its window takes what it has read at this sample, or has not; and those of the sums. */
void window_sample(struct account *account, bool slept);
void window_sample_sums(void);

/* One of what it is the sum of has gone; NULL: nothing does. */
void window_lose_member(struct account *sum);

/* Holds the statistics against the window; and where that covers the span, against its power. */
void window_judge(const struct account *account, const struct rapl_value *value);
void window_judge_mean(const struct account *account, const struct rapl_value *value);

/* --- how often its counter moves (reference_pace.c) --- */

/* Takes what a reading shows that follows on account->last: moved parts of a joule. The account's
 * moment is that of the reading. */
void pace_take(struct account *account, const struct glimpse *glimpse, wide moved);
/* What comes next does not follow. */
void pace_break(struct account *account);
/* What a step is judged with. */
uint64_t pace_judged_ns(const struct account *account);
/* What a sample of power reckons with; UINT64_MAX: not known. */
uint64_t pace_update_ns(const struct account *account);
/* Until it may be found out more; UINT64_MAX: by no reading. */
uint64_t pace_look_ns(const struct account *account);
/* Holds a step that is a jump, if it may be a slow counter's; and decides about such. */
bool pace_hold(struct account *account, const struct glimpse *glimpse, bool is_start);
void pace_decide(struct account *account);
/* Whether power that began there ends now, and where. */
bool pace_end_power(const struct account *account, const struct moment *begin, struct moment *end);
/* From where on it is counted. */
struct moment pace_begin_power(const struct account *account);
/* A report has been made. */
void pace_report(struct account *account);

/* A sample has been taken: those that were due before it and were not are missed. */
void grid_sampled(void);

/* How long before the end of its sample a report's counters were read. */
uint64_t report_age_ns(void);

/* The power above which its steps are no energy. */
static inline uint64_t account_ceiling_uw(const struct account *account) {
    const bool is_raised = account->raised && account->place->raised_uw != 0;
    return is_raised ? account->place->raised_uw : account->place->ceiling_uw;
}

/* Whether its zones are read at all. */
static inline bool account_is_wanted(const struct account *account) {
    return account->selected || (account->sum != NULL && account->sum->selected);
}

#endif
