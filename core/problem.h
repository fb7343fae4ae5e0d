/* SPDX-License-Identifier: MIT */
/* What went wrong where: kept here, worded here, told once. */
#ifndef RAPL_PROBLEM_H
#define RAPL_PROBLEM_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host.h"
#include "rapl.h"

/* Error of a sub-zone whose parent is not there or has no name. */
#define ZONE_WITHOUT_PARENT (-ENOLINK)
/* Error of a range that no counter can have. */
#define ZONE_WITHOUT_RANGE (-ERANGE)
/* Error of a counter that has never moved. */
#define ZONE_COUNTS_NOTHING (-EUNATCH)
/* Errors of a counter that is left out: it would take more descriptors than the host lets be open,
 * or there are more than LIMIT_ZONES. */
#define ZONE_WITHOUT_FILE (-EDQUOT)
#define ZONE_BEYOND_LIMIT (-EXFULL)
static inline bool zone_is_left_out(int error) {
    return error == ZONE_WITHOUT_FILE || error == ZONE_BEYOND_LIMIT;
}
/* Error of a zone that stands for one core or for all, and nobody names the vendor. */
#define ZONE_WITHOUT_VENDOR (-EBADR)
/* Errors of a processor: nothing is known of its maker, it has no register that counts, or no
 * counter at all. */
#define MODEL_WITHOUT_VENDOR (-ENOTSUP)
#define MODEL_WITHOUT_REGISTERS (-ENODEV)
#define MODEL_WITHOUT_RAPL (-EPROTONOSUPPORT)

enum problem_cause {
    /* States of discovery: raised anew by each. */
    PROBLEM_ROOT,      /* the root cannot be opened */
    PROBLEM_VENDOR,    /* no file names the processor's vendor */
    PROBLEM_CLASS,     /* sys/class/powercap cannot be opened */
    PROBLEM_NO_ZONES,  /* it holds no RAPL zone */
    PROBLEM_MASKED,    /* a link of the class leads nowhere */
    PROBLEM_NO_PMU,    /* there is no PMU that counts energy */
    PROBLEM_NO_EVENTS, /* it counts none here */
    PROBLEM_PMU_FILE,  /* a file of it does not say what it should */
    PROBLEM_PERF,      /* an event of it cannot be opened */
    PROBLEM_MODEL,     /* the processor's registers are not known, or it has none */
    PROBLEM_MSR,       /* the device of a CPU's registers cannot be opened */
    PROBLEM_REGISTER,  /* a register cannot be read, or stands at 0 */
    PROBLEM_LEFT_OUT,  /* there are too many counters */
    PROBLEM_NAME,      /* a zone's name cannot be read */
    PROBLEM_RANGE,     /* a zone's range cannot be read */
    PROBLEM_LIMIT,     /* a constraint holds no number */
    PROBLEM_SELECTION,
    PROBLEM_PATTERN, /* a pattern of the selection matches nothing */
    PROBLEM_CORES,   /* single cores are asked for, and the source has none */
    /* States of a sample. */
    PROBLEM_ENERGY, /* a counter cannot be read */
    PROBLEM_GONE,   /* a series has no counter any more */
    PROBLEM_GONE_FROM_TOTAL,
    PROBLEM_UNREAD,   /* a counter that a sum needs is there, and was never read */
    PROBLEM_STUCK,    /* a package or platform that has never moved */
    PROBLEM_UNSTEADY, /* two counters answer for it in turns */
    /* What happened in one: nobody asks when it is over. */
    PROBLEM_JUMPED,
    PROBLEM_LEAPT,       /* further than a ceiling that is too low explains */
    PROBLEM_ABOVE_WHOLE, /* a part stepped further than its package */
    PROBLEM_RAISED,      /* it did so ten times in a row, and its ceiling was raised */
    PROBLEM_UNDECIDED,
    /* What happened to a binding. */
    PROBLEM_SOURCE,     /* which source is read, and why not another */
    PROBLEM_UNIT,       /* the kernel has a counter's unit wrong, which is corrected */
    PROBLEM_UNIT_DOUBT, /* nobody knows a counter's unit for certain */
    PROBLEM_DUPLICATE,  /* two counters have one name */
    PROBLEM_SHARED,     /* packages of a virtual machine show one counter */
    PROBLEM_JOINED,     /* a series showed the counter of another one */
    PROBLEM_PARTED,     /* zones of a series show several counters */
    PROBLEM_APART,      /* a part that steps further than its package is believed from now on */
};

struct problem {
    enum problem_cause cause;
    int error;     /* negative errno, or 0 */
    char *subject; /* the file or zone it struck first */
    unsigned int count;
    unsigned int others; /* of its cause, that are told with it */
    uint64_t since_ns;   /* CLOCK_REALTIME */
    uint64_t began_ns;   /* the same by CLOCK_BOOTTIME, as the next */
    uint64_t told_ns;
    bool seen;      /* in the pass under way */
    bool present;   /* a state that lasts, or an event that is to be told */
    bool told;      /* since it is present */
    bool tell_over; /* its end is to be told */
};

#define PROBLEM_PARANOID_UNKNOWN INT_MIN

struct problems {
    const char *root;      /* shown before a path */
    const char *withheld;  /* as in struct rapl_privilege */
    const char *module;    /* of the kernel, that brings the counters; NULL: not known yet */
    bool is_virtual;       /* the machine is a virtual one */
    bool lacks_rapl;       /* its processor is known to have no counters */
    bool is_root;          /* the process is, of its user namespace */
    uint64_t capabilities; /* that it can use: one bit for each number of linux/capability.h */
    struct host host;
    bool has_driver;   /* the powercap driver of RAPL is loaded */
    int perf_paranoid; /* proc/sys/kernel/perf_event_paranoid when perf refused last */
    struct problem *list;
    size_t count;
    char reason[1024];
    char remedy[1024];
};

/* A pass over all that can raise one of the states from first to last: what is not raised until
 * its end is over. */
void problems_begin(struct problems *problems, enum problem_cause first, enum problem_cause last);
void problems_end(struct problems *problems, enum problem_cause first, enum problem_cause last);

/* Raises a state, or notes an event. Without memory it is lost: no worse than not knowing. */
void problems_raise(struct problems *problems, enum problem_cause cause, int error,
                    const char *subject);

/* Raises PROBLEM_LEFT_OUT: of the counters, so many are left out, and first is one of them; at most
 * that many are read (ZONE_BEYOND_LIMIT), or descriptors opened for them (ZONE_WITHOUT_FILE). */
void problems_raise_left_out(struct problems *problems, int error, size_t left_out,
                             const char *first, size_t most);

/* What stands before a path of the root's: "" for the machine's own. */
const char *problems_root(const struct problems *problems);

/* The reason of the first state that is present, told or not; NULL: there is none. */
const char *problems_first_reason(struct problems *problems);

bool problems_next(struct problems *problems, struct rapl_problem *problem);

/* Files or zones of one cause that are told one by one; the rest is added to the last of them. */
#define PROBLEM_SUBJECTS_MAX 16

/* One per file or zone, rather than one for all that it strikes. */
bool problem_is_told_by_subject(enum problem_cause cause);

/* Put into problems->reason and problems->remedy. */
void problem_word_reason(struct problems *problems, const struct problem *problem);
void problem_word_remedy(struct problems *problems, const struct problem *problem);

/* What the kernel, or the parser of its text, says of a file. */
const char *problem_word_error(int error);

void problems_free(struct problems *problems);

#endif
