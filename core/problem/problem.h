/* SPDX-License-Identifier: MIT */
/* Records of what went wrong, each with a reason and a remedy, and reported once. */
#ifndef RAPL_PROBLEM_H
#define RAPL_PROBLEM_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rapl.h"
#include "system/error.h"
#include "system/host.h"

/* The pass that raises a state. The state is over when its pass no longer raises it. */
enum problem_pass {
    PASS_NONE, /* an event, raised by no pass */
    PASS_ROOT,
    PASS_VENDOR,
    PASS_CLASS,
    PASS_SOURCE, /* discovery of one source */
    PASS_FILTER,
    PASS_SWEEP,
};

enum problem_cause {
    /* States of discovery: each discovery raises them again. */
    PROBLEM_ROOT,      /* the root cannot be opened */
    PROBLEM_VENDOR,    /* no file names the processor's vendor */
    PROBLEM_CLASS,     /* sys/class/powercap cannot be opened */
    PROBLEM_NO_ZONES,  /* the class holds no RAPL zone */
    PROBLEM_MASKED,    /* a link in the class is broken */
    PROBLEM_NO_PMU,    /* no PMU counts energy */
    PROBLEM_NO_EVENTS, /* the PMU has no energy events */
    PROBLEM_PMU_FILE,  /* a file of a PMU is invalid */
    PROBLEM_PERF,      /* an event cannot be opened */
    PROBLEM_MODEL,     /* the model is unknown or has no energy registers */
    PROBLEM_MSR,       /* a CPU's register device cannot be opened */
    PROBLEM_REGISTER,  /* a register cannot be read, or is 0 */
    PROBLEM_LEFT_OUT,  /* there are too many counters to read all */
    PROBLEM_NAME,      /* a zone's name cannot be read */
    PROBLEM_RANGE,     /* a zone's range cannot be read */
    PROBLEM_LIMIT,     /* a constraint cannot be read */
    PROBLEM_SELECTION,
    PROBLEM_PATTERN, /* a pattern matches no zone */
    PROBLEM_CORES,   /* single cores are selected, but the source has none */
    /* States of a sweep. */
    PROBLEM_ENERGY, /* a counter cannot be read */
    PROBLEM_GONE,   /* a series has lost its counter */
    PROBLEM_GONE_FROM_TOTAL,
    PROBLEM_UNREAD,   /* a sum needs a counter that exists but could never be read */
    PROBLEM_STUCK,    /* a package or psys has never moved */
    PROBLEM_UNSTEADY, /* two counters answer for one zone in turns */
    /* Events of a sweep, whose end is not reported. */
    PROBLEM_JUMPED,
    PROBLEM_LEAPT,       /* it stepped further than even a raised ceiling explains */
    PROBLEM_ABOVE_WHOLE, /* a part stepped further than its package */
    PROBLEM_RAISED,      /* ten steps in a row above the ceiling raised it */
    PROBLEM_UNDECIDED,
    /* Events of discovery and binding. */
    PROBLEM_SOURCE,     /* which source is used, and why no other */
    PROBLEM_UNIT,       /* the kernel has a counter's unit wrong, and it is corrected */
    PROBLEM_UNIT_DOUBT, /* a counter's unit is uncertain */
    PROBLEM_DUPLICATE,  /* two counters have the same name */
    PROBLEM_SHARED,     /* packages of a virtual machine show the same counter */
    PROBLEM_JOINED,     /* two series showed the same counter, and one has ended */
    PROBLEM_PARTED,     /* the zones of a series show different counters */
    PROBLEM_APART,      /* a part steps further than its package so often that it is accepted */
};

struct problem {
    enum problem_cause cause;
    int error;     /* negative error code, or 0 */
    char *subject; /* the first file or zone concerned */
    unsigned int count;
    unsigned int others; /* further subjects, reported with this one */
    uint64_t since_ns;   /* CLOCK_REALTIME */
    uint64_t began_ns;   /* the same in CLOCK_BOOTTIME; likewise reported_ns */
    uint64_t reported_ns;
    bool seen;          /* raised in the current pass */
    bool present;       /* the state lasts, or the event has not been reported */
    bool reported;      /* since it is present */
    bool end_to_report; /* its end has yet to be reported */
};

#define PROBLEM_PARANOID_UNKNOWN INT_MIN

struct problems {
    const char *root;      /* prefix of paths in messages */
    const char *withheld;  /* as in struct rapl_privilege */
    const char *module;    /* kernel module that provides the counters; NULL: not known yet */
    bool is_virtual;       /* the machine is virtual */
    bool lacks_rapl;       /* the processor is known to have no counters */
    bool is_root;          /* the process is root in its user namespace */
    uint64_t capabilities; /* usable ones: one bit for each number of linux/capability.h */
    struct host host;
    bool has_driver;   /* powercap's RAPL driver is loaded */
    int perf_paranoid; /* proc/sys/kernel/perf_event_paranoid at perf's last refusal */
    struct problem *list;
    size_t count;
    char reason[1024];
    char remedy[1024];
};

/* Between begin and end, a pass raises every state of its kind that exists. States that it does not
 * raise are over. */
void problems_begin(struct problems *problems, enum problem_pass pass);
void problems_end(struct problems *problems, enum problem_pass pass);

/* Raises a state or records an event. Without memory it is dropped. */
void problems_raise(struct problems *problems, enum problem_cause cause, int error,
                    const char *subject);

/* Raises PROBLEM_LEFT_OUT: left_out counters are not read, and first is one of them. most: the
 * limit on counters (error ZONE_BEYOND_LIMIT) or on descriptors (ZONE_WITHOUT_FILE). */
void problems_raise_left_out(struct problems *problems, int error, size_t left_out,
                             const char *first, size_t most);

/* Prefix of paths below the root; "" if the root is "/". */
const char *problems_root(const struct problems *problems);

/* The reason of the first present state, reported or not; NULL: there is none. Valid until the next
 * call with problems. */
const char *problems_first_reason(struct problems *problems);

/* Takes the next problem to report; false: there is none. Its texts are valid until the next call
 * with problems. */
bool problems_next(struct problems *problems, struct rapl_problem *problem);

/* Most subjects that one cause reports separately. Further ones are added to the last. */
#define PROBLEM_SUBJECTS_MAX 16

/* Writes the reason and remedy of a problem into problems->reason and problems->remedy. */
void problem_word(struct problems *problems, const struct problem *problem);

void problems_free(struct problems *problems);

#endif
