/* SPDX-License-Identifier: MIT */
/*
 * What is to be reported, worked out from the true energy of the machine's counters: slowly, and
 * not in the way in which the core does it.
 */
#ifndef RAPL_MODEL_REFERENCE_H
#define RAPL_MODEL_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fake_source.h"
#include "machine.h"
#include "naive_window.h"
#include "rapl.h"

#define ACCOUNTS_MAX 320
#define ZONES_OF_ACCOUNT_MAX 32
#define NO_NUMBER SIZE_MAX
#define NAME_SIZE 256

/* --- one step of one counter (docs/design.md, rules 1 to 4, 7) ----------------------------------
 */

struct step {
    uint64_t before;
    uint64_t after;
    uint64_t span_ns; /* by CLOCK_MONOTONIC */
    uint64_t slept_ns;
    bool gap;
    enum style style;
    uint64_t period_ns; /* of its updates, where they come seldom */
    uint64_t range;     /* largest value, in what it shows; 0: not known */
    uint64_t parts;     /* per joule, of a register or of perf's sum */
    uint64_t ceiling_uw;
};

enum verdict { COUNTED, WRAPPED, NEW_START, JUMP, UNDECIDED };

/* energy_uj: of COUNTED and WRAPPED, as the counter shows it. */
enum verdict step_judge(const struct step *step, uint64_t *energy_uj);

/* What so many turns and the difference are, as the counter shows it: not less than none. */
uint64_t step_shown(const struct step *step, unsigned int turns);

/* Its energy, or UINT64_MAX where it would be less than none. */
uint64_t step_energy_uj(const struct step *step, unsigned int turns);

/* Whether it shows less than before. */
bool step_goes_back(const struct step *step);

/* Whether it went on by an energy that its ceiling allows. */
bool step_may_be_energy(const struct step *step);

/* --- accounts ----------------------------------------------------------------------------------
 */

/* A moment from which energy is counted. */
struct moment {
    uint64_t time_ns;
    uint64_t uncertainty_ns; /* so much earlier or later it may have been */
    wide energy_aj;
    uint64_t slack_uj;
    enum { AT_READING, AT_MOVE, AT_UPDATE } kind;
    uint64_t true_ns; /* of a slow counter: when it moved to that energy */
};

/* How often a counter moves, as far as its readings show. */
struct pace {
    enum { PACE_UNKNOWN, PACE_QUICK, PACE_TAKEN_FOR_QUICK, PACE_SLOW } kind;
    uint64_t shortest_ns;
    uint64_t longest_ns; /* 0: not known */
    unsigned int spans;  /* between moves */
    unsigned int contradictions;
    uint64_t rested_ns;  /* at the last of them */
    uint64_t sought_ns;  /* since its first move; 0: it is not */
    uint64_t unshown_ns; /* last instant at which it did not show its value; 0: not known */
    uint64_t shown_ns;   /* first one at which it did */
    bool was_large;      /* the last move */
    bool stands;         /* since the reading before the last */
    bool may_be_slow;    /* it stood */
    bool moves;          /* it has moved, ever */
    bool is_stuck;
    uint64_t first_ns;
    unsigned int still_reports;
    struct moment update; /* the last that is sharp; time 0: none */
    uint64_t update_width_ns;
};

/* Steps that are too large for what is known of the pace. */
struct held {
    wide energy_aj; /* the true one; the account's has it already */
    wide shown;
    uint64_t span_ns;
    uint64_t since_ns;
    bool is_over;
    bool is_start; /* one of them is no energy */
    bool is_new;   /* nothing has moved since the first of them */
    unsigned int spans;
};

/* A step of a part that was more than its package's. */
struct overrun {
    uint64_t begin_ns;
    uint64_t end_ns;
};

#define OVERRUNS_MOST 6

/* The row of values that a counter was on before it went to another one. */
struct row {
    enum { ROW_OF_NONE, ROW_ABOVE, ROW_BELOW, ROW_BEHIND } where;
    uint64_t shown; /* its last value */
    uint64_t time_ns;
    uint64_t distance; /* of ROW_ABOVE, when it was left */
};

/* What is known of one series. */
struct account {
    enum zone_kind kind;
    char domain[32];
    int package_id;
    int die_id;
    int core_id;
    char id[64]; /* of a second counter by one name */
    char name[NAME_SIZE];
    bool selected;
    struct account *sum; /* total, or all cores of its package */
    size_t number;       /* the core's */
    uint32_t control;
    unsigned int
        above; /* steps in a row between its ceiling and the one that it may be raised to */
    bool raised;
    struct place *place; /* that last served it: range and ceiling */
    uint64_t range;
    struct fake_zone *zones[ZONES_OF_ACCOUNT_MAX];
    size_t zone_count;
    bool ended;
    bool gone;
    int fed_die; /* the name of the zone that gave its last reading, with the offset of that */
    int fed_package;
    uint64_t fed_offset;
    const struct fake_zone *last_zone_index; /* that zone, since zones have been bound */
    uint32_t epoch;

    /* Several zones show its counter. */
    struct fake_zone *leader; /* the first of them that reads, at this sample */
    bool withheld;            /* at this sample: they differ */
    bool is_hidden;           /* it may be another one */
    bool was_mistaken;        /* it went over from one counter to another that seemed the same */
    bool parts;               /* and have for the second time */
    bool was_left;            /* by a zone, since zones have been bound */
    bool lost_zone;           /* a zone that is known to count for it cannot be read */
    struct account *same_as;  /* all of its zones went there */

    bool has_read; /* ever */
    bool has_baseline;
    bool silent; /* since its last reading */
    uint64_t silent_slept_ns;
    struct glimpse last;
    /* Readings in a row that showed less than that. */
    unsigned int lows;
    bool low_told; /* a report had nothing of it for them */
    struct glimpse first_low;
    struct glimpse last_low;
    bool unseen;       /* its counter has started again while another series read it */
    struct moment now; /* at its last reading; with what is held */
    struct pace pace;
    struct held held;
    struct moment power;
    bool reads;   /* at the last sample; and so the next two */
    bool follows; /* what it has read is energy since the sample before */
    bool returns; /* it had gone */
    bool slept;   /* since it was last reported */

    /* Of a part: its package, what that had counted when the part was read last, in which sample
     * that was, and the time that the package's reading is at most from. */
    struct account *whole;
    struct account *followed;
    wide followed_shown;
    uint64_t followed_in;
    uint64_t followed_ns;
    bool is_apart; /* most of its steps were more than its package's */
    struct overrun overruns[OVERRUNS_MOST];
    size_t overrun_count;
    uint64_t row_began; /* number of the sample from which on it has followed */

    bool minds_rows; /* one was left some time ago, or it is unsteady */
    bool is_unsteady;
    struct row left_row;
    uint64_t most_uw; /* of its steps since then */
    unsigned int row_returns;
    unsigned int quiet; /* readings since it last left a row, or began again; and when that was */
    uint64_t stirred_ns;

    wide shown;    /* counted since the start, as it is shown; of a sum, in microjoules */
    wide observed; /* of that, what its window has */
    struct naive_window window;
    bool has_window; /* since it was known which counter it is of */

    bool is_unread; /* of a sum, at the last sample: what it is the sum of has never been read */

    /* In this interval. */
    bool lost;
    bool joined;
    bool left;
    /* Of the sum that it is in. */
    uint64_t sum_span;
    struct moment sum_power;
    struct moment sum_end; /* in the report under way */
    /* Of a sum. */
    uint64_t spans;

    /* The reports so far. */
    bool told;
    bool explained; /* why it has no power since it last had */
    uint64_t told_energy_uj;
    uint64_t told_end_ns;
};

struct tally {
    uint64_t reports, intervals, samples, wraps, resets, jumps, undecided, gaps, handovers,
        partings, shared, joins, swaps, withheld, unread, totals, core_sums, powers, left_out,
        no_memory, errors, machines, mistaken, slept, offlines, reloads, returns, online, epochs,
        wall_jumps, windows, window_samples, empty_windows, sum_windows, covered, left_windows,
        missed, slews, above, raised, lows, false_lows, late_starts, held, held_counted,
        slow_powers, rests, stuck, vague, repeats, overruns, apart, strange_parts, returned,
        unsteady, climbs;
};

struct reference {
    struct machine *machine;
    const char *const *include;
    size_t include_count;
    bool total;
    bool cores;
    uint64_t sample_interval_ns; /* 0: nobody asks for statistics */
    struct account accounts[ACCOUNTS_MAX];
    size_t account_count;
    struct account sums[32];
    size_t sum_count;
    struct fake_zone *zones[PLACES_MAX]; /* that are bound, in the order in which they came */
    size_t zone_count;
    uint64_t turn; /* readings are taken in so many turns, some of them at an earlier time */
    bool bound;
    bool sampled;
    uint64_t sampled_ns;
    uint64_t look_ns;     /* a sample is due so long after the last, to learn of updates */
    uint64_t interval_ns; /* between two reports; 0: there were not yet two */
    uint64_t reported_ns;
    uint64_t suspend_offset_ns;
    uint64_t looked_ns; /* CLOCK_BOOTTIME; 0: the look failed */
    unsigned int rescans_left;
    uint64_t online_mark;
    bool lead_moved; /* while the sample was taken */
    struct rapl_health health;
    struct rapl_health told_health;
    struct tally tally;
};

extern struct reference reference;

void reference_begin(struct machine *machine, const struct rapl_options *options);

/* Before a report: what the core knows of CPUs then. */
void reference_watch(void);
/* Whether the core has to look for zones now. */
bool reference_look_is_due(void);

/* When the counters are to be read next (docs/design.md, rule 7, and for statistics); 0: whenever.
 */
uint64_t reference_due_ns(void);

/* The source has been asked to look. */
void reference_looked(const struct source *source, bool changed);

/* It had no memory to do so: it is to be asked again. */
void reference_look_failed(void);

/* A zone of the source is no more, or is another one. */
void reference_forget_zone(struct fake_zone *zone);

/* Gives the source's zones their accounts. */
void reference_bind(const struct source *source);

/* Whether the rules would take a reading of the zone for energy. */
bool reference_would_count(const struct fake_zone *zone, uint64_t shown, uint64_t time_ns);

/* Whether a read of the zone may fail by showing less: nothing else is to be found out of it. */
bool reference_is_settled(const struct fake_zone *zone);

/* Counters that the core is to read again within the report. */
unsigned int reference_count_lows(void);

/* Accounts that a report lacks for that. */
unsigned int reference_count_gaps(void);

/* The last value of the row that the zone's counter left before; the given one where it left none.
 */
uint64_t reference_find_row(const struct fake_zone *zone, uint64_t shown);

/* The zone's counter has started again. */
void reference_started_again(const struct fake_zone *zone);

/* A sample has been taken; or the core had no memory for what it read. */
void reference_sampled(const struct source *source, bool taken);

/* The core's first sample begins an interval, and ends one that nobody is told of. */
void reference_close_first(void);

/* Holds the report against all that. false: it has been told what is wrong. */
bool reference_judge(const struct rapl_report *report);

/* What is wrong; once. */
void reference_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool reference_has_complained(void);

#endif
