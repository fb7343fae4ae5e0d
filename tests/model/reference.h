/* SPDX-License-Identifier: MIT */
/*
 * Computes the expected report from the true energy of the machine's counters: slowly, and with
 * other methods than the core's.
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
    uint64_t period_ns; /* update period, if it is long */
    uint64_t range;     /* largest displayed value; 0: unknown */
    uint64_t parts;     /* per joule, of a register or of perf's sum */
    uint64_t ceiling_uw;
};

enum verdict { COUNTED, WRAPPED, NEW_START, JUMP, UNDECIDED };

/* energy_uj: set for COUNTED and WRAPPED, in displayed microjoules. */
enum verdict step_judge(const struct step *step, uint64_t *energy_uj);

/* Returns the difference plus this many wraps, as the counter shows it; at least 0. */
uint64_t step_shown(const struct step *step, unsigned int turns);

/* Returns the energy, or UINT64_MAX if it would be negative. */
uint64_t step_energy_uj(const struct step *step, unsigned int turns);

/* Returns whether the value decreased. */
bool step_goes_back(const struct step *step);

/* Returns whether it increased by an energy that its ceiling allows. */
bool step_may_be_energy(const struct step *step);

/* --- accounts ----------------------------------------------------------------------------------
 */

/* A moment from which energy is counted. */
struct moment {
    uint64_t time_ns;
    uint64_t uncertainty_ns; /* plus or minus */
    wide energy_aj;
    uint64_t slack_uj;
    enum { AT_READING, AT_MOVE, AT_UPDATE } kind;
    uint64_t true_ns; /* of a slow counter: when it moved to that energy */
};

/* How often a counter moves, according to its readings. */
struct pace {
    enum { PACE_UNKNOWN, PACE_QUICK, PACE_TAKEN_FOR_QUICK, PACE_SLOW } kind;
    uint64_t shortest_ns;
    uint64_t longest_ns; /* 0: not known */
    unsigned int spans;  /* number of spans between moves */
    unsigned int contradictions;
    uint64_t rested_ns;  /* at the last contradiction */
    uint64_t sought_ns;  /* search time since its first move; 0: not searched */
    uint64_t unshown_ns; /* last instant before it showed its value; 0: not known */
    uint64_t shown_ns;   /* first instant at which it did */
    bool was_large;      /* of the last move */
    bool stands;         /* since the reading before the last */
    bool may_be_slow;    /* it has stood still */
    bool moves;          /* it has moved at least once */
    bool is_stuck;
    uint64_t first_ns;
    unsigned int still_reports;
    struct moment update; /* last sharp update; time 0: none */
    uint64_t update_width_ns;
};

/* Steps that are too large for what is known of the pace. */
struct held {
    wide energy_aj; /* true energy; already in the account */
    wide shown;
    uint64_t span_ns;
    uint64_t since_ns;
    bool is_over;
    bool is_start; /* one of the steps is not energy */
    bool is_new;   /* nothing has moved since the first step */
    unsigned int spans;
};

/* A step of a part that exceeded its package's. */
struct overrun {
    uint64_t begin_ns;
    uint64_t end_ns;
};

#define OVERRUNS_MOST 6

/* The sequence of values that a counter had before it switched to another sequence. */
struct row {
    enum { ROW_OF_NONE, ROW_ABOVE, ROW_BELOW, ROW_BEHIND } where;
    uint64_t shown; /* last value */
    uint64_t time_ns;
    uint64_t distance; /* when it was left, for ROW_ABOVE */
};

/* The reference's state of one series. */
struct account {
    enum zone_kind kind;
    char domain[32];
    int package_id;
    int die_id;
    int core_id;
    char id[64]; /* if two counters share a name */
    char name[NAME_SIZE];
    bool selected;
    struct account *sum; /* total, or all cores of its package */
    size_t number;       /* of the core's series */
    uint32_t control;
    unsigned int above; /* steps in a row above the ceiling, but below the raised one */
    bool raised;
    struct place *place; /* last place that served it: range and ceiling */
    uint64_t range;
    struct fake_zone *zones[ZONES_OF_ACCOUNT_MAX];
    size_t zone_count;
    bool ended;
    bool gone;
    int fed_die; /* identity and offset of the zone of its last reading */
    int fed_package;
    uint64_t fed_offset;
    const struct fake_zone *last_zone_index; /* that zone, since zones were last bound */
    uint32_t epoch;

    /* Several zones show its counter. */
    struct fake_zone *leader; /* first zone that reads in this sample */
    bool withheld;            /* in this sample, because zones differ */
    bool is_hidden;           /* it may be another counter */
    bool was_mistaken;        /* it changed between counters that seemed the same */
    bool parts;               /* they differ for the second time */
    bool was_left;            /* a zone left it since zones were last bound */
    bool lost_zone;           /* one of its known zones cannot be read */
    struct account *same_as;  /* the account that took all of its zones */

    bool has_read; /* at least once */
    bool has_baseline;
    bool silent; /* not read since its last reading */
    uint64_t silent_slept_ns;
    struct glimpse last;
    /* Consecutive readings that were lower than the last one. */
    unsigned int lows;
    bool low_told; /* a report left it out because of them */
    struct glimpse first_low;
    struct glimpse last_low;
    bool unseen;       /* its counter restarted while another series read it */
    struct moment now; /* at its last reading, including what is held */
    struct pace pace;
    struct held held;
    struct moment power;
    bool reads;   /* at the last sample; so are the next two */
    bool follows; /* what it read is energy since the previous sample */
    bool returns; /* it had gone */
    bool slept;   /* since it was last reported */

    /* For a part: its package, the package's count when the part was last read, the number of that
     * sample, and the latest possible time of the package's reading. */
    struct account *whole;
    struct account *followed;
    wide followed_shown;
    uint64_t followed_in;
    uint64_t followed_ns;
    bool is_apart; /* most of its steps exceeded its package's */
    struct overrun overruns[OVERRUNS_MOST];
    size_t overrun_count;
    uint64_t row_began; /* number of the sample since which it follows */

    bool minds_rows; /* it left a sequence some time ago, or is unsteady */
    bool is_unsteady;
    struct row left_row;
    uint64_t most_uw; /* largest power of its steps since then */
    unsigned int row_returns;
    unsigned int quiet; /* readings since it last left a sequence or restarted, and when that was */
    uint64_t stirred_ns;

    wide shown;    /* counted since the start, as displayed; for a sum, in microjoules */
    wide observed; /* the part of shown that its window has */
    struct naive_window window;
    bool has_window; /* since its counter became known */

    bool is_unread; /* for a sum, at the last sample: a member has never been read */

    /* In this interval. */
    bool lost;
    bool joined;
    bool left;
    /* For the sum that contains it. */
    uint64_t sum_span;
    struct moment sum_power;
    struct moment sum_end; /* in the current report */
    /* For a sum. */
    uint64_t spans;

    /* From earlier reports. */
    bool told;
    bool explained; /* a reason for missing power was given since it last had power */
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
    uint64_t sample_interval_ns; /* 0: statistics are off */
    struct account accounts[ACCOUNTS_MAX];
    size_t account_count;
    struct account sums[32];
    size_t sum_count;
    struct fake_zone *zones[PLACES_MAX]; /* bound zones, in the order of their appearance */
    size_t zone_count;
    uint64_t turn; /* number of the round of readings; some readings are of an earlier time */
    bool bound;
    bool sampled;
    uint64_t sampled_ns;
    uint64_t look_ns;     /* time from the last sample to the next one for finding updates */
    uint64_t interval_ns; /* between two reports; 0: fewer than two so far */
    uint64_t reported_ns;
    uint64_t suspend_offset_ns;
    uint64_t looked_ns; /* CLOCK_BOOTTIME; 0: the look failed */
    unsigned int rescans_left;
    uint64_t online_mark;
    bool lead_moved; /* during the sample */
    struct rapl_health health;
    struct rapl_health told_health;
    struct tally tally;
};

extern struct reference reference;

void reference_begin(struct machine *machine, const struct rapl_options *options);

/* Call before a report: notes what the core knows of CPUs. */
void reference_watch(void);
/* Returns whether the core has to look for zones now. */
bool reference_look_is_due(void);

/* Returns when the counters are due to be read (docs/design.md, rule 7, and statistics); 0: at any
 * time. */
uint64_t reference_due_ns(void);

/* The source was asked to look for zones. */
void reference_looked(const struct source *source, bool changed);

/* It had no memory for this and has to be asked again. */
void reference_look_failed(void);

/* A zone of the source has gone, or has become another one. */
void reference_forget_zone(struct fake_zone *zone);

/* Assigns the source's zones to accounts. */
void reference_bind(const struct source *source);

/* Returns whether the rules would count a reading of the zone as energy. */
bool reference_would_count(const struct fake_zone *zone, uint64_t shown, uint64_t time_ns);

/* Returns whether a read of the zone may fail with a lower value: nothing else is being decided
 * about it. */
bool reference_is_settled(const struct fake_zone *zone);

/* Returns how many counters the core has to read again within the report. */
unsigned int reference_count_lows(void);

/* Returns how many accounts a report lacks for that reason. */
unsigned int reference_count_gaps(void);

/* Returns the last value of the sequence that the zone's counter left, or `shown` if it left
 * none. */
uint64_t reference_find_row(const struct fake_zone *zone, uint64_t shown);

/* The zone's counter has restarted. */
void reference_started_again(const struct fake_zone *zone);

/* A sample was taken, or the core lacked memory for it. */
void reference_sampled(const struct source *source, bool taken);

/* The core's first sample begins an interval and ends one that is not reported. */
void reference_close_first(void);

/* Compares the report with the expected one. false: a complaint was printed. */
bool reference_judge(const struct rapl_report *report);

/* Prints what is wrong, once. */
void reference_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool reference_has_complained(void);

#endif
