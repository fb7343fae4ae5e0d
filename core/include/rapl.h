/* SPDX-License-Identifier: MIT */
/*
 * The energy counters of a machine (RAPL) as joules and watts.
 *
 * This is the only header of the core that a plugin includes. Open a handle, request a report
 * whenever one is needed, print the problems, close the handle.
 *
 * Threads: a handle may be used by one thread at a time; different handles are independent. The
 * core starts no thread except in rapl_sampler_start(), installs no signal handler, prints nothing
 * and keeps no global state.
 *
 * Errors: functions that return int return 0 or a negative errno. Counters that are missing or
 * unreadable are not an error of a call; they become problem records (struct rapl_problem).
 *
 * Lifetime: every pointer in a report, a zone description or a problem belongs to the handle and is
 * valid until the next call with that handle.
 */
#ifndef RAPL_H
#define RAPL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rapl;

/* The zone has no package, die or core. */
#define RAPL_NO_ID (-1)

/* A way to read the counters. */
enum rapl_source {
    RAPL_SOURCE_AUTO,     /* the first source that can read energy */
    RAPL_SOURCE_POWERCAP, /* /sys/class/powercap, drivers/powercap/powercap_sys.c */
    RAPL_SOURCE_PERF,     /* the PMUs power and power_core, arch/x86/events/rapl.c */
    RAPL_SOURCE_MSR,      /* /dev/cpu/N/msr or msr_safe, SDM vol. 3B 16.10 */
};

/*
 * A privilege that lets the program open counters, and the files that describe them, such as a
 * capability of its file. It is raised only around open(2), only after open(2) was refused, and
 * never below a root other than "/".
 */
struct rapl_privilege {
    /* Raises it for the calling thread, or lowers it again. Returns other than 0 if the program
     * does not have it. NULL: no privilege. */
    int (*change)(void *context, bool raised);
    void *context;
    /* Why the program lacks a privilege that it was meant to have, and how to fix that; or NULL.
     * Must live as long as the handle. */
    const char *withheld;
};

/* Statistics of the power inside an interval. */
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
    /* Folder that contains sys, proc and dev. NULL: HOST_MOUNT_PREFIX of the environment, else the
     * parent of HOST_SYS if that ends in "/sys", else "/". No path outside of it is opened,
     * whatever its links say. */
    const char *root;
    /* Optional: a descriptor from rapl_open_root(), for programs that drop the right to open root
     * before they call rapl_open(). The handle owns it once rapl_open() has returned 0. 0: none. */
    int root_file;
    enum rapl_source source;
    /* fnmatch(3) patterns with FNM_PATHNAME for names such as "package-0", "package-0/dram",
     * "psys-1", "total". Without include patterns all are included; exclude wins. */
    const char *const *include;
    size_t include_count;
    const char *const *exclude;
    size_t exclude_count;
    /* Plausible power in microwatts, for every zone but psys: a larger step of a counter is not
     * counted as energy. 0: derived from the limits that the kernel shows. */
    uint64_t max_power_uw;
    /* Report the sum of packages and dram. */
    bool total;
    /* Report single cores if the source counts each core. Their sum is always reported. */
    bool cores;
    /* Time between two sweeps inside an interval, in nanoseconds, at least 1 ms. A sweep is due at
     * each multiple of it on CLOCK_MONOTONIC; the caller of rapl_sample() takes it. 0, or no
     * statistics: only sweeps that guard against wraps or measure update periods. */
    uint64_t sample_interval_ns;
    unsigned int statistics; /* statistics to compute: bits of enum rapl_statistic */
    struct rapl_privilege privilege;
    /*
     * Highest number of descriptors that the handle may have open; 0: no limit. powercap takes one
     * per zone, perf one per event, msr one per package or die and, on AMD, one per core; five are
     * for other files. If that is not enough, or there are more than 4096 zones, packages and dram
     * come first because the total needs them, then psys, core, uncore, and single cores last (all
     * or none of a package); zones that are not selected come after all these. A problem reports
     * what is left out.
     */
    size_t file_limit;
};

#define RAPL_OPTIONS_DEFAULT \
    { .source = RAPL_SOURCE_AUTO, .total = true, .statistics = RAPL_STATISTICS_ALL }

/*
 * The power inside an interval, in microwatts, over samples weighted by their span. A sample closes
 * at the first reading at which one unit of the counter and one update of it (1.2 ms, or longer if
 * measured) are together at most a 20th of it, so never before 24 ms. The sample that is open at a
 * report belongs to the next interval: the mean of the samples is not exactly the power of the
 * interval, but that power is never outside of min and max.
 */
struct rapl_statistics {
    uint64_t samples; /* closed samples; 0: the other fields are invalid */
    uint64_t mean_uw;
    uint64_t min_uw;
    uint64_t max_uw;
    uint64_t stddev_uw;
    uint64_t p50_uw; /* median: at most this for 50 % of the time; within 1 %, up to 68 kW */
    uint64_t p95_uw;
    uint64_t p99_uw;
};

/* One series at the end of an interval. */
struct rapl_value {
    /* A small number, the same for the life of the handle and never used for another series. */
    size_t series;
    /* "package-0", "package-0/dram", "package-0-die-1/core", "psys-1", "psys-1-intel-rapl:5",
     * "total". */
    const char *name;
    /* The zone that it is shown under: "package-0" for package-0 and package-0/dram; "" for
     * total. */
    const char *parent;
    /* package, core, uncore, dram, psys, lead_core, total, or another name of the kernel's, made of
     * [A-Za-z0-9_.-] only. */
    const char *domain;
    int package_id; /* or RAPL_NO_ID, as for the other two */
    int die_id;
    int core_id;
    /* The kernel's id of the zone if another counter has the same values in all of these; or
     * NULL. */
    const char *zone_id;
    /* Energy since the handle was opened, in microjoules. Wraps are resolved: it only grows. */
    uint64_t energy_uj;
    /* The span of the mean power, on CLOCK_MONOTONIC_RAW, and the energy used in it. */
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t span_energy_uj;
    /* Mean power of the span in microwatts. has_power is false if the span is too short (less than
     * 50 ms, 20 updates of the counter, or unit / 2 W), the machine slept in it, its length is not
     * known to 5 % because the reads at its ends took too long, a counter that moves seldom had no
     * update and has not stood for three periods, or a package or psys has never moved. */
    bool has_power;
    uint64_t power_uw;
    /* Statistics of the same span; false if there is no power, or statistics are off. */
    bool has_statistics;
    struct rapl_statistics statistics;
};

/* Lists the chosen statistics of a value, in the order of enum rapl_statistic: plugins name and
 * send these. Returns their number; 0 if no sample was closed. */
struct rapl_power {
    const char *name; /* "min", "max", "stddev", "p50", "p95", "p99" */
    uint64_t power_uw;
};
size_t rapl_statistics_list(const struct rapl_value *value, unsigned int chosen,
                            struct rapl_power powers[RAPL_STATISTICS]);

/* Counts since the handle was opened; zones is the number of zones that the last sweep read. If a
 * value is missing from a report, at least one count other than sweeps and wraps has increased. */
struct rapl_health {
    const char *source;
    uint64_t zones;
    uint64_t sweeps; /* number of times that all counters were read */
    uint64_t read_errors;
    uint64_t wraps;          /* a counter passed its range */
    uint64_t resets;         /* a counter started again, or made a step that cannot be energy */
    uint64_t gaps;           /* a zone could not be read, or its energy could not be decided */
    uint64_t rediscoveries;  /* zones were found, lost, opened again, or given another series */
    uint64_t sleeps;         /* sweeps before which the machine had slept */
    uint64_t missed_samples; /* due instants that passed without a sweep */
    uint64_t stalls;         /* power values left out because the machine stalled in a read */
};

/* The same as a list, zones first: plugins name and send these. */
struct rapl_count {
    const char *name;
    uint64_t count;
};
#define RAPL_HEALTH_COUNTS 10
void rapl_health_list(const struct rapl_health *health,
                      struct rapl_count counts[RAPL_HEALTH_COUNTS]);

struct rapl_report {
    uint64_t time_ns; /* CLOCK_REALTIME of the sweep, the same for every value */
    /* A series about which nothing true can be said in this interval is not among the values. */
    const struct rapl_value *values;
    size_t value_count;
    struct rapl_health health;
};

/* The folder that a handle with this root reads; for NULL see struct rapl_options. The caller frees
 * it. NULL: out of memory. */
char *rapl_find_root(const char *root);

/* Whether HOST_SYS or HOST_PROC of the environment names a folder that a handle with this root does
 * not read. If so, text explains it. */
bool rapl_root_warning(const char *root, char *text, size_t size);

/* Whether that folder is "/", the machine's own. No privilege is used below another one. */
bool rapl_root_is_own(const char *root);

/* An O_PATH descriptor of that folder, or a negative errno. */
int rapl_open_root(const char *root);

/*
 * Finds the counters and takes a first sweep. It is not an error if there are none or none can be
 * read: the handle looks again once a minute when reports are requested. Options are copied.
 * -EINVAL: an empty pattern or root, an unknown source, or less than 1 ms between samples; -ENOMEM.
 */
int rapl_open(const struct rapl_options *options, struct rapl **opened);

/* Takes one sweep between two reports, for statistics, and so that no counter wraps unseen.
 * -ENOMEM. */
int rapl_sample(struct rapl *rapl);

/*
 * CLOCK_MONOTONIC instant at which rapl_sample() is due unless a report comes first; 0: never, or
 * nothing reads. With statistics it is the next multiple of the sample interval. It is never later
 * than half of the time (at least 1 s) in which a counter can wrap at its ceiling. It comes sooner,
 * from 0.5 ms on, while update periods are measured (for up to 12 s after the start), and around
 * each update of a counter that moves seldom. Instants that have passed are counted, but not made
 * up for.
 */
uint64_t rapl_sample_due_ns(const struct rapl *rapl);

/*
 * Takes a sweep and ends the interval that the last report (or rapl_open) began. Looks for zones
 * first if that is due. -ENOMEM: the interval continues.
 */
int rapl_report(struct rapl *rapl, const struct rapl_report **report);

/*
 * Whether a later report will have power that one now lacks, if rapl_sample() is called when it is
 * due. Counters that move seldom, such as a QEMU guest's (once a second), have power after two
 * updates; counters that have not moved yet may still move. It may stay true for ever.
 */
bool rapl_expects_power(const struct rapl *rapl);

/* Earliest CLOCK_MONOTONIC instant at which a report can have power; 0: now, or nothing reads. */
uint64_t rapl_power_ready_ns(const struct rapl *rapl);

/*
 * A thread that calls rapl_sample() when it is due. While it runs, put every other use of the
 * handle, including the data that calls returned, between hold and release. Call stop before
 * rapl_close(). The thread sleeps in between, takes no signal, and is the only one that the core
 * starts. NULL in place of a sampler is allowed and does nothing. -ENOMEM, or a negative errno of
 * pthread_create(3).
 */
struct rapl_sampler;
int rapl_sampler_start(struct rapl *rapl, struct rapl_sampler **started);
void rapl_sampler_hold(struct rapl_sampler *sampler);
void rapl_sampler_release(struct rapl_sampler *sampler);
void rapl_sampler_stop(struct rapl_sampler *sampler);

/* Whether rapl_sample() is due before the next report, if reports are interval_ns apart. */
bool rapl_needs_sampler(const struct rapl *rapl, uint64_t interval_ns);

/* Closes every file and frees the handle; NULL is allowed. */
void rapl_close(struct rapl *rapl);

/* --- what was found ------------------------------------------------------------------------- */

struct rapl_zone {
    const char *id;      /* the kernel's: "intel-rapl:0:1" */
    const char *name;    /* as in struct rapl_value; "?" if the name cannot be read */
    const char *path;    /* of the counter, below the root */
    uint64_t unit_nj;    /* energy of one tick of the hardware in nanojoules; 0 unknown */
    uint64_t range_uj;   /* largest value of the counter; 0 unknown */
    uint64_t ceiling_uw; /* plausible power: a larger step is not energy */
    int error;           /* negative error of the last read, for rapl_error_text(); 0: it reads */
    bool failed;         /* its counter exists, cannot be read, and is not known to be unselected */
    bool reported;       /* it is selected and feeds a series */
    bool corrected;      /* the kernel's unit is wrong; unit_nj and range_uj are right */
    bool moved;          /* its counter has moved since it was first read */
    const char *mirrors; /* id of the zone that shows the same counter and is reported; or NULL */
};

/* Number of known zones; rapl_zone() describes the one at index. */
size_t rapl_zone_count(const struct rapl *rapl);
void rapl_zone(const struct rapl *rapl, size_t index, struct rapl_zone *described);

/* Zones that the last sweep read, selected or not. */
size_t rapl_readable_count(const struct rapl *rapl);

/* The source that is read; "none" until the root could be opened. */
const char *rapl_source_name(const struct rapl *rapl);
/* Why no earlier source, or no source at all, is read: "powercap: …; perf: …", or "". */
const char *rapl_source_reason(const struct rapl *rapl);
const char *rapl_root(const struct rapl *rapl);
const char *rapl_vendor(const struct rapl *rapl); /* of the CPU: "Intel", …; "unknown" */
bool rapl_is_virtual(const struct rapl *rapl);    /* the CPU belongs to a virtual machine */

/*
 * Whether the processor deliberately blurs its energy counters, as it does with SGX
 * (INTEL-SA-00389), from its registers 0x10A and 0xBC. -ENOTSUP: it cannot, or is not Intel's;
 * another negative errno: the registers cannot be read.
 */
int rapl_energy_filter(const struct rapl *rapl, bool *filtering);

/* --- what went wrong ------------------------------------------------------------------------ */

enum rapl_severity { RAPL_ERROR, RAPL_WARNING, RAPL_INFO };

struct rapl_problem {
    enum rapl_severity severity;
    const char *reason; /* which file or zone, and why; one line */
    const char *remedy; /* how to fix it, with a command if there is one; may be "" */
    uint64_t since_ns;  /* CLOCK_REALTIME */
    bool over;          /* the cause has ended */
};

/*
 * Gets the next problem to show to the user; false: none is left. Each cause is reported once,
 * however many zones and intervals it concerns, and once more when it has ended.
 */
bool rapl_next_problem(struct rapl *rapl, struct rapl_problem *problem);

/* Makes a text one line that a log and a terminal can show: each control character and each byte
 * that is not valid UTF-8 (such as a truncated character) becomes '?'. Texts of problems already
 * are. */
void rapl_make_printable(char *text);

/* Describes a zone's error: a negative errno, or a code of the core's own below -4095. */
const char *rapl_error_text(int error);

/* "0.1.0 (commit 0123456789ab)"; the commit is "unknown" if it was built without git. */
const char *rapl_version(void);

/* --- shared by the plugins' options --------------------------------------------------------- */

/* Adds the statistic of that name ("min", …) to the chosen ones. -EINVAL: unknown name. */
int rapl_statistics_add(const char *name, unsigned int *chosen);

/* "auto", "powercap", "perf", "msr"; -EINVAL otherwise. */
int rapl_source_from_name(const char *name, enum rapl_source *source);

/* Watts as microwatts; -ERANGE unless 1 mW to 1 GW. */
int rapl_max_power_from_watts(double watts, uint64_t *max_power_uw);

#endif
