/* SPDX-License-Identifier: MIT */
/*
 * The energy counters of a machine (RAPL) as joules and watts.
 *
 * This is the only header of the core that a plugin includes. Open a handle, ask it for a report
 * whenever one is wanted, print what went wrong, close it.
 *
 * Threads: a handle may be used by one thread at a time; different handles are independent. The
 * core starts no thread but that of rapl_sampler_start(), installs no signal handler, prints
 * nothing and keeps no global state.
 *
 * Errors: functions that return int return 0 or a negative errno. Counters that are missing or
 * cannot be read are no error of a call: they are problem records (struct rapl_problem).
 *
 * Lifetime: every pointer in a report, a zone description or a problem belongs to the handle and
 * is valid until the next call with that handle.
 */
#ifndef RAPL_H
#define RAPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rapl;

/* No package, die or core belongs to this zone. */
#define RAPL_NO_ID (-1)

/* A way to read the counters. */
enum rapl_source {
    RAPL_SOURCE_AUTO,     /* the first that can read energy */
    RAPL_SOURCE_POWERCAP, /* /sys/class/powercap, drivers/powercap/powercap_sys.c */
    RAPL_SOURCE_PERF,     /* the PMUs power and power_core, arch/x86/events/rapl.c */
    RAPL_SOURCE_MSR,      /* /dev/cpu/N/msr or msr_safe, SDM vol. 3B 16.10 */
};

/*
 * A right of the program's that lets it open counters, and the files that describe them, which it
 * may not open otherwise, such as a capability of its file. Asked for around open(2) alone, only
 * after that was refused, and never below a root other than "/".
 */
struct rapl_privilege {
    /* Raises it for the calling thread, or lowers it again. Not 0: there is none. NULL: never. */
    int (*change)(void *context, bool raised);
    void *context;
    /* Why the program lacks it though it was meant to have it, and what mends that; or NULL. Must
     * stay as long as the handle. */
    const char *withheld;
};

/* What can be told of the power inside an interval. */
enum rapl_statistic {
    RAPL_STATISTIC_MIN = 1 << 0,
    RAPL_STATISTIC_MAX = 1 << 1,
    RAPL_STATISTIC_STDDEV = 1 << 2, /* standard deviation */
    RAPL_STATISTIC_P50 = 1 << 3,    /* percentiles, within 1 % */
    RAPL_STATISTIC_P95 = 1 << 4,
    RAPL_STATISTIC_P99 = 1 << 5,
    RAPL_STATISTICS_ALL = (1 << 6) - 1,
};
#define RAPL_STATISTICS 6

struct rapl_options {
    /* Folder that holds sys, proc and dev. NULL: HOST_MOUNT_PREFIX of the environment, else the
     * folder that HOST_SYS lies in where that ends in "/sys", else "/". No path outside of it is
     * opened, whatever its links say. */
    const char *root;
    /* Its descriptor, of rapl_open_root(), for who may not go there any more when the handle is
     * opened. The handle's own once rapl_open() has returned 0. 0: none. */
    int root_file;
    enum rapl_source source;
    /* fnmatch(3) patterns with FNM_PATHNAME against names such as "package-0", "package-0/dram",
     * "psys-1", "total". No include pattern means all; exclude wins. */
    const char *const *include;
    size_t include_count;
    const char *const *exclude;
    size_t exclude_count;
    /* Power above which a step of a counter is not taken for energy, in microwatts, for every
     * zone but psys. 0: derived from the limits that the kernel shows. */
    uint64_t max_power_uw;
    /* Report the sum of packages and dram. */
    bool total;
    /* Report single cores, where a source counts them one by one; their sum is reported always. */
    bool cores;
    /* Time between two samples inside an interval, in nanoseconds, at least 1 ms: every counter
     * that reads is read at each multiple of it on CLOCK_MONOTONIC, by whoever calls rapl_sample()
     * when it is due. 0, or no statistics: none but those that guard against a wrap. */
    uint64_t sample_interval_ns;
    unsigned int statistics; /* bits of enum rapl_statistic: what is to be known of the samples */
    struct rapl_privilege privilege;
    /*
     * Descriptors that the handle may have open at a time, at most; 0: as many as it has use for.
     * powercap takes one per zone, perf one per event, msr one per package or die, and on AMD one
     * per core; five are for other things. Where that is not enough, or there are more than 4096
     * zones, packages and dram come first, for the total is made of them, then psys, core, uncore,
     * and single cores last, those of a package all or none; what nobody has selected comes after
     * all these. The rest is left out, and a problem says so.
     */
    size_t file_limit;
};

#define RAPL_OPTIONS_DEFAULT \
    { .source = RAPL_SOURCE_AUTO, .total = true, .statistics = RAPL_STATISTICS_ALL }

/*
 * The power inside an interval, in microwatts, over samples that were each weighted by their span.
 * A sample is closed at the first reading at which one unit of the counter, and one update of it
 * (1.2 ms, or longer where that was measured), are together at most a 20th of it: hence not before
 * 24 ms. The one that is open at a report belongs to the next interval, so that the power of the
 * whole interval is not quite the mean of these; it is never outside of min and max.
 */
struct rapl_statistics {
    uint64_t samples; /* that were closed; 0: the rest says nothing */
    uint64_t mean_uw;
    uint64_t min_uw;
    uint64_t max_uw;
    uint64_t stddev_uw;
    uint64_t p50_uw; /* so much of the time it was at most this: within 1 %, up to 68 kW */
    uint64_t p95_uw;
    uint64_t p99_uw;
};

/* What one series has to say at the end of an interval. */
struct rapl_value {
    /* A small number: the same for the life of the handle, and no other series' ever. */
    size_t series;
    /* "package-0", "package-0/dram", "package-0-die-1/core", "psys-1", "psys-1-intel-rapl:5",
     * "total". */
    const char *name;
    /* The zone it is shown under: "package-0" for package-0 and package-0/dram; "" for total. */
    const char *parent;
    /* package, core, uncore, dram, psys, lead_core, total, or the kernel's own name of a domain
     * that is none of these, made of [A-Za-z0-9_.-] alone. */
    const char *domain;
    int package_id; /* or RAPL_NO_ID, as for the other two */
    int die_id;
    int core_id;
    /* The kernel's id of the zone, where another counter has all of that in common; or NULL. */
    const char *zone_id;
    /* Energy since the handle was opened, in microjoules. Unwrapped: it only grows. */
    uint64_t energy_uj;
    /* The span that power is the mean of, CLOCK_MONOTONIC_RAW, and the energy in it. */
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t span_energy_uj;
    /* Mean power of the span in microwatts; false where the span is too short to tell (under
     * 50 ms, 20 updates of the counter, or unit / 2 W), the machine slept in it, the reads at its
     * ends took so long that it is not known to 5 %, or of a counter that moves seldom no update
     * came, and it has not stood for three of them; and of a package that has never moved. */
    bool has_power;
    uint64_t power_uw;
    /* Those of the same span; false where there is no power, or nothing samples. */
    bool has_statistics;
    struct rapl_statistics statistics;
};

/* The statistics of a value as a list of those that are chosen, the same as enum rapl_statistic:
 * what each plugin names and sends. Returns how many; 0 where no sample was closed. */
struct rapl_power {
    const char *name; /* "min", "max", "stddev", "p50", "p95", "p99" */
    uint64_t power_uw;
};
size_t rapl_statistics_list(const struct rapl_value *value, unsigned int chosen,
                            struct rapl_power powers[RAPL_STATISTICS]);

/* Counts since the handle was opened; zones is the number that read at the last sample. What a
 * report lacks, another of them explains than sweeps and wraps. */
struct rapl_health {
    const char *source;
    uint64_t zones;
    uint64_t sweeps; /* times that all counters were read */
    uint64_t read_errors;
    uint64_t wraps;          /* a counter passed its range */
    uint64_t resets;         /* a counter started again, or stepped as no energy can */
    uint64_t gaps;           /* a zone could not be read, or its energy could not be decided */
    uint64_t rediscoveries;  /* zones were found, lost, opened again, or told apart */
    uint64_t sleeps;         /* samples since whose predecessor the machine has slept */
    uint64_t missed_samples; /* instants that passed without the sample that was due at them */
    uint64_t stalls;         /* powers left out, for the machine stalled while it read a counter */
};

/* The same as a list, zones first: what each plugin names and sends. */
struct rapl_count {
    const char *name;
    uint64_t count;
};
#define RAPL_HEALTH_COUNTS 10
void rapl_health_list(const struct rapl_health *health,
                      struct rapl_count counts[RAPL_HEALTH_COUNTS]);

struct rapl_report {
    uint64_t time_ns; /* CLOCK_REALTIME at the sample, the same for every value */
    /* A series with nothing true to say in this interval is not among the values. */
    const struct rapl_value *values;
    size_t value_count;
    struct rapl_health health;
};

/* The folder below which a handle with this root reads: of NULL, what struct rapl_options says. The
 * caller's to free; NULL without memory. */
char *rapl_find_root(const char *root);

/* Whether HOST_SYS or HOST_PROC of the environment names a folder that a handle with this root does
 * not read: then, in words. */
bool rapl_root_warning(const char *root, char *text, size_t size);

/* Whether that folder is "/", and so the machine's own. Below another no privilege is asked for. */
bool rapl_root_is_own(const char *root);

/* A descriptor of the folder that does not read it (O_PATH), or a negative errno. */
int rapl_open_root(const char *root);

/*
 * Finds the counters and takes a first sample. That there are none, or none that can be read, is
 * no error: the handle looks again once a minute when it is asked for reports.
 * Options are copied. -EINVAL: an empty pattern or root, or less than 1 ms between samples;
 * -ENOMEM.
 */
int rapl_open(const struct rapl_options *options, struct rapl **opened);

/* Reads every counter once between two reports, so that none wraps unseen, and for statistics.
 * -ENOMEM. */
int rapl_sample(struct rapl *rapl);

/*
 * CLOCK_MONOTONIC instant at which rapl_sample() is due if no report comes before it: the next
 * multiple of the time between samples, where statistics are asked for; and not later than half of
 * the time in which a counter can wrap at its ceiling, at least a second. Sooner, from 0.5 ms on,
 * while it is sought how often counters move (for up to 12 s after the start), and around each
 * update of one that moves seldom. 0: never, or nothing reads. Instants that have passed are over:
 * they are counted, and not made up for.
 */
uint64_t rapl_sample_due_ns(const struct rapl *rapl);

/*
 * Reads every counter once and closes the interval that the last report (or rapl_open) began.
 * Looks for zones again first where that is due. -ENOMEM, and then the interval goes on.
 */
int rapl_report(struct rapl *rapl, const struct rapl_report **report);

/*
 * Whether a report that comes later, if rapl_sample() is called when it is due, will hold power
 * that one now lacks: counters that move seldom, as a QEMU guest's do once a second, tell of power
 * after two updates; and those that have not moved yet may move. It may stay so for ever.
 */
bool rapl_expects_power(const struct rapl *rapl);

/* Earliest CLOCK_MONOTONIC instant at which a report can hold power; 0: now, or nothing reads. */
uint64_t rapl_power_ready_ns(const struct rapl *rapl);

/*
 * A thread that calls rapl_sample() when it is due. From its start on every other call with the
 * handle stands between hold and release, what the call returned included; stop comes before
 * rapl_close(). It sleeps in between, takes no signal, and is the only thread that the core starts.
 * NULL in place of a sampler is allowed and does nothing. Negative errno of pthread_create(3).
 */
struct rapl_sampler;
int rapl_sampler_start(struct rapl *rapl, struct rapl_sampler **started);
void rapl_sampler_hold(struct rapl_sampler *sampler);
void rapl_sampler_release(struct rapl_sampler *sampler);
void rapl_sampler_stop(struct rapl_sampler *sampler);

/* Whether a sample is due before the next report, where those are interval_ns apart. */
bool rapl_needs_sampler(const struct rapl *rapl, uint64_t interval_ns);

/* Closes every file and frees the handle; NULL is allowed. */
void rapl_close(struct rapl *rapl);

/* --- what was found ------------------------------------------------------------------------- */

struct rapl_zone {
    const char *id;      /* the kernel's: "intel-rapl:0:1" */
    const char *name;    /* as in struct rapl_value; "?" where its name cannot be read */
    const char *path;    /* of the counter, below the root */
    uint64_t unit_nj;    /* energy of one tick of the hardware in nanojoules; 0 unknown */
    uint64_t range_uj;   /* largest value of the counter; 0 unknown */
    uint64_t ceiling_uw; /* power above which a step is no energy */
    int error;           /* negative errno of the last attempt to read it; 0: it reads */
    bool failed;    /* its counter is there, is not known to be unselected, and does not read */
    bool reported;  /* it is selected and feeds a series */
    bool corrected; /* the kernel has its unit wrong; the unit and range here are right */
    bool moved;     /* its counter has moved since it was first read */
    const char *mirrors; /* id of the zone that shows the same counter in its stead, or NULL */
};

/* Number of zones known; rapl_zone() describes the one at index. */
size_t rapl_zone_count(const struct rapl *rapl);
void rapl_zone(const struct rapl *rapl, size_t index, struct rapl_zone *described);

/* Zones that read at the last sample, selected or not. */
size_t rapl_readable_count(const struct rapl *rapl);

/* The source that is read; "none" before its root could be opened. */
const char *rapl_source_name(const struct rapl *rapl);
/* Why none of those that come before it, or none at all: "powercap: …; perf: …", or "". */
const char *rapl_source_reason(const struct rapl *rapl);
const char *rapl_root(const struct rapl *rapl);
const char *rapl_vendor(const struct rapl *rapl); /* of the CPU: "Intel", …; "unknown" */
bool rapl_is_virtual(const struct rapl *rapl);    /* the CPU is a virtual machine's */

/*
 * Whether the processor blurs its energy counters on purpose, as it does with SGX (INTEL-SA-00389),
 * from its registers 0x10A and 0xBC. -ENOTSUP: it cannot, or is not Intel's; another negative
 * errno: the registers cannot be read.
 */
int rapl_energy_filter(const struct rapl *rapl, bool *filtering);

/* --- what went wrong ------------------------------------------------------------------------ */

enum rapl_severity { RAPL_ERROR, RAPL_WARNING, RAPL_INFO };

struct rapl_problem {
    enum rapl_severity severity;
    const char *reason; /* which file or zone, and why; one line */
    const char *remedy; /* what mends it, a command where one does; may be "" */
    uint64_t since_ns;  /* CLOCK_REALTIME */
    bool over;          /* the cause has gone */
};

/*
 * The next thing to tell the user, or false. Each cause is told once, however many zones and
 * intervals it concerns, and once more when it has gone. Its text is in the problem's pointers.
 */
bool rapl_next_problem(struct rapl *rapl, struct rapl_problem *problem);

/* Makes a text one line that a log and a terminal can show: a control character, or what is no
 * UTF-8 (a character that was cut through, too), becomes '?'. Texts of problems are so already. */
void rapl_make_printable(char *text);

/* What a zone's error means, in words. */
const char *rapl_error_text(int error);

/* "0.1.0 (commit 0123456789ab)"; the commit is "unknown" where no git told it. */
const char *rapl_version(void);

/* --- shared by the plugins' options --------------------------------------------------------- */

/* Adds a statistic by its name, as above, to those chosen. -EINVAL: there is none of that name. */
int rapl_statistics_add(const char *name, unsigned int *chosen);

/* "auto", "powercap", "perf", "msr"; -EINVAL otherwise. */
int rapl_source_from_name(const char *name, enum rapl_source *source);

/* Watts as microwatts; -ERANGE unless 1 mW to 1 GW. */
int rapl_max_power_from_watts(double watts, uint64_t *max_power_uw);

#endif
