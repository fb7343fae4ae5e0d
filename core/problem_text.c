/* SPDX-License-Identifier: MIT */
/* What went wrong, in words. */
#include <stdio.h>
#include <string.h>

#include "counter.h"
#include "cpuinfo.h"
#include "perf_count.h"
#include "perf_pmu.h"
#include "problem.h"
#include "source.h"
#include "sysfs.h"
#include "unit_fault.h"

const char *problem_word_error(int error) {
    switch (error) {
    case SYSFS_NOT_REGULAR:
        return "is not a regular file";
    case SYSFS_TOO_LONG:
        return "is too long to be an attribute of the kernel";
    case SYSFS_EMPTY:
        return "is empty";
    case SYSFS_NOT_A_NUMBER:
        return "does not hold a number";
    case SYSFS_OUT_OF_RANGE:
        return "holds a number of more than 64 bits";
    case ZONE_WITHOUT_RANGE:
        return "is not the range of a counter";
    case ZONE_WITHOUT_PARENT:
        return "its parent zone cannot be identified";
    case SOURCE_READ_TOO_LONG:
        return "took more than a second to read";
    case ZONE_WITHOUT_FILE:
        return "left out, for it would take more open files than counters may here";
    case ZONE_BEYOND_LIMIT:
        return "left out, for there are more zones than are read";
    case ZONE_WITHOUT_VENDOR:
        return "left out, for nothing says whether it counts one core (AMD) or all (Intel)";
    case UNIT_NOT_KNOWN:
        return "has not counted often enough to tell its unit";
    case ZONE_COUNTS_NOTHING:
        return "has counted nothing so far";
    case PERF_COUNT_UNDECIDED:
        return "may have wrapped unseen since the last read";
    case PMU_NOT_A_FORMAT:
        return "is not the format of an energy event";
    case PMU_NOT_AN_EVENT:
        return "is not an event of this format";
    case PMU_NOT_A_SCALE:
        return "is not a scale";
    case PMU_TOO_MANY_EVENTS:
        return "holds more events than any such PMU";
    case PMU_NOT_JOULES:
        return "is not Joules";
    default:
        return strerror(-error);
    }
}

void problem_word_reason(struct problems *problems, const struct problem *problem) {
    const char *root = problems_root(problems);
    const char *what = problem->subject;
    const char *error = problem_word_error(problem->error);
    char others[32] = "";
    char *text = problems->reason;
    const size_t size = sizeof(problems->reason);
    const unsigned int more =
        problem_is_told_by_subject(problem->cause) ? problem->others : problem->count - 1;
    if (more > 0)
        snprintf(others, sizeof(others), " (and %u more)", more);
    switch (problem->cause) {
    case PROBLEM_ROOT:
        snprintf(text, size, "%s: %s", what, error);
        break;
    case PROBLEM_VENDOR:
        snprintf(text, size,
                 "the processor's vendor is unknown: %s/%s%s%s, and %s/" CPUINFO_SYS
                 " does not name it either; a zone \"core\" that may be a single core of AMD's is "
                 "left out, and units that a kernel has wrong are not corrected",
                 root, what, problem->error != 0 ? ": " : " names none",
                 problem->error != 0 ? error : "", root);
        break;
    case PROBLEM_CLASS:
        snprintf(text, size, "%s/%s: %s", root, what, error);
        break;
    case PROBLEM_NO_ZONES:
        snprintf(text, size, "%s/%s holds no RAPL zone", root, what);
        break;
    case PROBLEM_MASKED:
        snprintf(text, size, "%s/%s%s: the link leads nowhere", root, what, others);
        break;
    case PROBLEM_NO_PMU:
        snprintf(text, size, "%s/%s: %s", root, what, error);
        break;
    case PROBLEM_NO_EVENTS:
        snprintf(text, size, "%s/%s has no energy event", root, what);
        break;
    case PROBLEM_PMU_FILE:
        snprintf(text, size, "%s/%s%s: %s; what it tells of is left out", root, what, others,
                 error);
        break;
    case PROBLEM_PERF:
        snprintf(text, size, "%s/%s%s: perf_event_open: %s", root, what, others, error);
        break;
    case PROBLEM_NAME:
        snprintf(text, size, "%s/%s%s: %s; the zone is left out", root, what, others, error);
        break;
    case PROBLEM_RANGE:
        snprintf(text, size,
                 "%s/%s%s: %s; without its range, an interval in which it wraps, or may have "
                 "used 65 kJ, is left out",
                 root, what, others, error);
        break;
    case PROBLEM_LIMIT:
        snprintf(text, size, "%s/%s%s: %s; the zone's ceiling does without it", root, what, others,
                 error);
        break;
    case PROBLEM_CORES:
        snprintf(text, size, "source %s shows no single cores", what);
        break;
    case PROBLEM_SELECTION:
        if (problem->error != 0)
            snprintf(text, size, "no zone is selected: the pattern \"%s\"%s matches none", what,
                     others);
        else
            snprintf(text, size, "no zone is selected: %s", what);
        break;
    case PROBLEM_PATTERN:
        snprintf(text, size, "the pattern \"%s\"%s matches no zone", what, others);
        break;
    case PROBLEM_MODEL:
        if (problem->error == MODEL_WITHOUT_VENDOR)
            snprintf(text, size, "no registers are known of a processor whose maker is %s", what);
        else if (problem->error == MODEL_WITHOUT_RAPL)
            snprintf(text, size, "%s has no RAPL counters", what);
        else if (problem->error == MODEL_WITHOUT_REGISTERS)
            snprintf(text, size, "%s counts energy in no registers of the CPU", what);
        else
            snprintf(text, size, "%s is not known: its registers were probed", what);
        break;
    case PROBLEM_REGISTER:
        if (problem->error == 0) {
            snprintf(text, size, "%s/%s%s reads 0: there is no energy counter", root, what, others);
            break;
        }
        snprintf(text, size, "%s/%s%s: %s", root, what, others, error);
        break;
    case PROBLEM_MSR:
    case PROBLEM_ENERGY:
        snprintf(text, size, "%s/%s%s: %s", root, what, others, error);
        break;
    case PROBLEM_GONE:
        snprintf(text, size, "%s%s has gone", what, others);
        break;
    case PROBLEM_GONE_FROM_TOTAL:
        snprintf(text, size, "%s%s has gone; total goes on without its power", what, others);
        break;
    case PROBLEM_UNREAD:
        snprintf(text, size,
                 "%s%s has a counter that could not be read so far; total is left out, for without "
                 "it the sum would be too low",
                 what, others);
        break;
    case PROBLEM_STUCK:
        snprintf(text, size,
                 "%s%s has not moved since it was first read, which no machine that runs does; it "
                 "is left out until it moves",
                 what, others);
        break;
    case PROBLEM_DUPLICATE:
        snprintf(text, size,
                 "%s%s: the kernel shows another counter by the same name, so its own is followed "
                 "by the kernel's id",
                 what, others);
        break;
    case PROBLEM_SHARED:
        snprintf(text, size,
                 "several packages of this virtual machine show the same counter; it is reported "
                 "once, as %s%s",
                 what, others);
        break;
    case PROBLEM_JOINED:
        snprintf(text, size,
                 "%s%s counts the same as another series: both show one counter, and this series "
                 "ends",
                 what, others);
        break;
    case PROBLEM_PARTED:
        snprintf(text, size,
                 "the zones of %s%s showed the same counter and now differ; each is a series of "
                 "its own from now on",
                 what, others);
        break;
    case PROBLEM_UNIT:
        snprintf(text, size, "%s%s", what, others);
        break;
    case PROBLEM_UNIT_DOUBT:
        snprintf(text, size,
                 "%s%s: its unit is uncertain on this processor: powercap takes it for 61.035 uJ, "
                 "perf for 15.259 uJ; its energy may be wrong by a factor of four",
                 what, others);
        break;
    case PROBLEM_LEFT_OUT:
    case PROBLEM_SOURCE:
        snprintf(text, size, "%s", what);
        break;
    case PROBLEM_JUMPED:
        snprintf(text, size,
                 "%s%s stepped further than its ceiling allows; the interval is left out", what,
                 others);
        break;
    case PROBLEM_LEAPT:
        snprintf(text, size,
                 "%s%s jumped further than any power explains; the interval is left out", what,
                 others);
        break;
    case PROBLEM_UNSTEADY:
        snprintf(text, size,
                 "%s%s goes back and forth: two counters answer for it in turns; it, and a total "
                 "that it is part of, are left out until it has been steady for a minute",
                 what, others);
        break;
    case PROBLEM_ABOVE_WHOLE:
        snprintf(text, size,
                 "%s%s stepped further than its package: a part cannot use more than its package, "
                 "so the interval is left out",
                 what, others);
        break;
    case PROBLEM_APART:
        snprintf(text, size,
                 "%s%s steps further than its package in most intervals: this processor measures "
                 "it apart from its package, and from now on it is reported as it is",
                 what, others);
        break;
    case PROBLEM_RAISED:
        snprintf(
            text, size,
            "%s%s stepped further than its ceiling allows %d times in a row; from now on up to "
            "four times as much is counted",
            what, others, COUNTER_BELIEVED_STEPS);
        break;
    case PROBLEM_UNDECIDED:
        snprintf(text, size,
                 "%s%s may have wrapped more than once between two reads; the interval is left out",
                 what, others);
        break;
    }
}
