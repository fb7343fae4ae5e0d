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

/* What the zone is presumed to mirror; NULL: nothing. */
struct presumption *presumption_of(const struct fake_zone *zone);

/* Whether the readings of a sample show that presumptions are false: they have parted then. */
bool mirrors_part(const struct source *source);

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
