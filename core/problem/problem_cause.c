/* SPDX-License-Identifier: MIT */
#include "problem/problem_cause.h"

#include <stddef.h>

#include "energy/counter.h"
#include "problem/problem_remedy.h"
#include "system/cpuinfo.h"
#include "system/error.h"

#define QUOTED(text) #text
#define TEXT_OF(number) QUOTED(number)

static const char *choose_vendor_reason(const struct problem *problem) {
    return problem->error != 0
               ? "the processor's vendor is unknown: {root}/{what}: {error}, and "
                 "{root}/" CPUINFO_SYS
                 " does not name it either; a zone \"core\" that may be a single core of AMD's is "
                 "left out, and units that a kernel has wrong are not corrected"
               : "the processor's vendor is unknown: {root}/{what} names none, and "
                 "{root}/" CPUINFO_SYS
                 " does not name it either; a zone \"core\" that may be a single core of AMD's is "
                 "left out, and units that a kernel has wrong are not corrected";
}

static const char *choose_model_reason(const struct problem *problem) {
    switch (problem->error) {
    case MODEL_WITHOUT_VENDOR:
        return "no registers are known of a processor whose maker is {what}";
    case MODEL_WITHOUT_RAPL:
        return "{what} has no RAPL counters";
    case MODEL_WITHOUT_REGISTERS:
        return "{what} counts energy in no registers of the CPU";
    default:
        return "{what} is not known: its registers were probed";
    }
}

static const char *choose_register_reason(const struct problem *problem) {
    return problem->error == 0 ? "{file} reads 0: there is no energy counter" : "{file}: {error}";
}

static const char *choose_selection_reason(const struct problem *problem) {
    return problem->error != 0 ? "no zone is selected: the pattern \"{what}\"{others} matches none"
                               : "no zone is selected: {what}";
}

#define PATTERN_REMEDY                                                                    \
    "see the names that patterns are matched against (single cores only with --cores or " \
    "ReportCores): rapl-execd --check"

static const struct cause_row rows[] = {
    [PROBLEM_ROOT] =
        {.pass = PASS_ROOT,
         .severity = RAPL_ERROR,
         .reason = "{what}: {error}",
         .remedy = "set Root (collectd) or --root (rapl-execd), or HOST_MOUNT_PREFIX, to the "
                   "folder that holds sys and proc"},
    [PROBLEM_VENDOR] = {.pass = PASS_VENDOR,
                        .severity = RAPL_WARNING,
                        .choose_reason = choose_vendor_reason,
                        .remedy =
                            "make one of them readable; in a container, show it those of the host: "
                            "docker run -v /:/host:ro,rslave -e HOST_MOUNT_PREFIX=/host"},
    [PROBLEM_CLASS] = {.pass = PASS_CLASS,
                       .severity = RAPL_ERROR,
                       .reason = "{root}/{what}: {error}",
                       .word_remedy = remedy_class},
    [PROBLEM_NO_ZONES] = {.pass = PASS_SOURCE,
                          .severity = RAPL_ERROR,
                          .reason = "{root}/{what} holds no RAPL zone",
                          .word_remedy = remedy_no_zones},
    [PROBLEM_MASKED] =
        {.pass = PASS_SOURCE,
         .severity = RAPL_ERROR,
         .reason = "{file}: the link leads nowhere",
         .remedy = "containers hide the folder it points to; show it that of the host: docker "
                   "run -v /:/host:ro,rslave -e HOST_MOUNT_PREFIX=/host"},
    [PROBLEM_NO_PMU] = {.pass = PASS_SOURCE,
                        .severity = RAPL_ERROR,
                        .reason = "{root}/{what}: {error}",
                        .word_remedy = remedy_no_pmu},
    [PROBLEM_NO_EVENTS] = {.pass = PASS_SOURCE,
                           .severity = RAPL_ERROR,
                           .reason = "{root}/{what} has no energy event",
                           .word_remedy = remedy_no_pmu},
    [PROBLEM_PMU_FILE] = {.pass = PASS_SOURCE,
                          .severity = RAPL_WARNING,
                          .reason = "{file}: {error}; the event that it describes is left out",
                          .word_remedy = remedy_file},
    [PROBLEM_PERF] = {.pass = PASS_SOURCE,
                      .severity = RAPL_ERROR,
                      .reason = "{file}: perf_event_open: {error}",
                      .word_remedy = remedy_perf},
    [PROBLEM_MODEL] = {.pass = PASS_SOURCE,
                       .severity = RAPL_ERROR,
                       .choose_reason = choose_model_reason,
                       .word_remedy = remedy_model},
    [PROBLEM_MSR] = {.pass = PASS_SOURCE,
                     .severity = RAPL_ERROR,
                     .reason = "{file}: {error}",
                     .word_remedy = remedy_msr},
    [PROBLEM_REGISTER] = {.pass = PASS_SOURCE,
                          .severity = RAPL_ERROR,
                          .choose_reason = choose_register_reason,
                          .word_remedy = remedy_msr},
    [PROBLEM_LEFT_OUT] = {.pass = PASS_SOURCE,
                          .severity = RAPL_WARNING,
                          .reason = "{what}",
                          .word_remedy = remedy_left_out},
    [PROBLEM_NAME] = {.pass = PASS_SOURCE,
                      .severity = RAPL_WARNING,
                      .reason = "{file}: {error}; the zone is left out",
                      .word_remedy = remedy_zone_file},
    [PROBLEM_RANGE] =
        {.pass = PASS_SOURCE,
         .severity = RAPL_WARNING,
         .reason = "{file}: {error}; without its range, an interval in which it wraps, or may "
                   "have used 65 kJ, is left out",
         .word_remedy = remedy_zone_file},
    [PROBLEM_LIMIT] = {.pass = PASS_SOURCE,
                       .severity = RAPL_WARNING,
                       .reason = "{file}: {error}; the zone's ceiling does without it",
                       .word_remedy = remedy_limit},
    [PROBLEM_SELECTION] = {.pass = PASS_FILTER,
                           .severity = RAPL_ERROR,
                           .choose_reason = choose_selection_reason,
                           .remedy = PATTERN_REMEDY},
    [PROBLEM_PATTERN] = {.pass = PASS_FILTER,
                         .severity = RAPL_WARNING,
                         .by_subject = true,
                         .reason = "the pattern \"{what}\"{others} matches no zone",
                         .remedy = PATTERN_REMEDY},
    [PROBLEM_CORES] =
        {.pass = PASS_FILTER,
         .severity = RAPL_WARNING,
         .reason = "source {what} shows no single cores",
         .remedy = "only AMD's processors count them; source msr shows them, and perf since "
                   "Linux 6.14"},
    [PROBLEM_ENERGY] = {.pass = PASS_SWEEP,
                        .severity = RAPL_ERROR,
                        .reason = "{file}: {error}",
                        .word_remedy = remedy_energy},
    [PROBLEM_GONE] =
        {.pass = PASS_SWEEP,
         .severity = RAPL_WARNING,
         .by_subject = true,
         .reason = "{name} has gone",
         .remedy = "it is looked for at every report; if its CPUs are online, load the driver: "
                   "sudo modprobe {module}"},
    [PROBLEM_GONE_FROM_TOTAL] =
        {.pass = PASS_SWEEP,
         .severity = RAPL_WARNING,
         .by_subject = true,
         .reason = "{name} has gone; total goes on without its power",
         .remedy = "it is looked for at every report; if its CPUs are online, load the driver: "
                   "sudo modprobe {module}"},
    [PROBLEM_UNREAD] =
        {.pass = PASS_SWEEP,
         .severity = RAPL_WARNING,
         .reason = "{name} has a counter that could not be read so far; total is left out, for "
                   "without it the sum would be too low"},
    [PROBLEM_STUCK] =
        {.pass = PASS_SWEEP,
         .severity = RAPL_WARNING,
         .by_subject = true,
         .reason = "{name} has not moved since it was first read, which no machine that runs "
                   "does; it is left out until it moves",
         .word_remedy = remedy_stuck},
    [PROBLEM_UNSTEADY] =
        {.pass = PASS_SWEEP,
         .severity = RAPL_WARNING,
         .by_subject = true,
         .reason =
             "{name} goes back and forth: two counters answer for it in turns; it, and a total "
             "that it is part of, are left out until it has been steady for a minute",
         .remedy = "in a virtual machine, let the hypervisor pin its CPUs to one socket, or "
                   "measure on the host; else leave the zone out with --exclude (rapl-execd) or "
                   "Zone (collectd)"},
    [PROBLEM_JUMPED] =
        {.pass = PASS_SWEEP,
         .end = ENDS_SILENTLY,
         .severity = RAPL_WARNING,
         .reason = "{name} stepped further than its ceiling allows; the interval is left out",
         .remedy = "if the machine can draw that much, set MaxPower (collectd) or --max-power "
                   "(rapl-execd)"},
    [PROBLEM_LEAPT] =
        {.pass = PASS_SWEEP,
         .end = ENDS_SILENTLY,
         .severity = RAPL_WARNING,
         .reason = "{name} jumped further than any power explains; the interval is left out",
         .remedy = "after a driver was loaded again or a virtual machine moved, nothing is to "
                   "be done; if it happens again and again, leave the zone out with --exclude "
                   "(rapl-execd) or Zone (collectd)"},
    [PROBLEM_ABOVE_WHOLE] =
        {.pass = PASS_SWEEP,
         .end = ENDS_SILENTLY,
         .severity = RAPL_WARNING,
         .reason = "{name} stepped further than its package: a part cannot use more than its "
                   "package, so the interval is left out",
         .remedy = "after CPUs were offline, nothing is to be done; if it happens again and "
                   "again, leave the zone out with --exclude (rapl-execd) or Zone (collectd)"},
    [PROBLEM_RAISED] =
        {.pass = PASS_SWEEP,
         .end = ENDS_SILENTLY,
         .severity = RAPL_WARNING,
         .reason = "{name} stepped further than its ceiling allows " TEXT_OF(
             COUNTER_BELIEVED_STEPS) " times in a row; from now on up to four times as much is "
                                     "counted",
         .remedy =
             "set MaxPower (collectd) or --max-power (rapl-execd) to what the machine can draw"},
    [PROBLEM_UNDECIDED] =
        {.pass = PASS_SWEEP,
         .end = ENDS_SILENTLY,
         .severity = RAPL_WARNING,
         .reason = "{name} may have wrapped more than once between two reads; the interval is "
                   "left out",
         .remedy = "report more often, or set MaxPower (collectd) or --max-power (rapl-execd) "
                   "to what the machine can draw"},
    [PROBLEM_SOURCE] = {.pass = PASS_NONE,
                        .end = ENDS_AT_ONCE,
                        .severity = RAPL_INFO,
                        .by_subject = true,
                        .reason = "{what}"},
    [PROBLEM_UNIT] = {.pass = PASS_NONE,
                      .end = ENDS_AT_ONCE,
                      .severity = RAPL_INFO,
                      .reason = "{name}"},
    [PROBLEM_UNIT_DOUBT] =
        {.pass = PASS_NONE,
         .end = ENDS_AT_ONCE,
         .severity = RAPL_WARNING,
         .reason = "{name}: its unit is uncertain on this processor: powercap takes it for "
                   "61.035 uJ, perf for 15.259 uJ; its energy may be wrong by a factor of four",
         .remedy = "see which source's power fits the memory, and choose it with Source "
                   "(collectd) or --source (rapl-execd): rapl-execd --once --source=perf"},
    [PROBLEM_DUPLICATE] =
        {.pass = PASS_NONE,
         .end = ENDS_AT_ONCE,
         .severity = RAPL_WARNING,
         .by_subject = true,
         .reason = "{name}: the kernel shows another counter by the same name, so its own is "
                   "followed by the kernel's id"},
    [PROBLEM_SHARED] = {.pass = PASS_NONE,
                        .end = ENDS_AT_ONCE,
                        .severity = RAPL_WARNING,
                        .by_subject = true,
                        .reason =
                            "several packages of this virtual machine show the same counter; it is "
                            "reported once, as {name}"},
    [PROBLEM_JOINED] =
        {.pass = PASS_NONE,
         .end = ENDS_AT_ONCE,
         .severity = RAPL_WARNING,
         .by_subject = true,
         .reason = "{name} counts the same as another series: both show one counter, and this "
                   "series ends"},
    [PROBLEM_PARTED] = {.pass = PASS_NONE,
                        .end = ENDS_AT_ONCE,
                        .severity = RAPL_WARNING,
                        .by_subject = true,
                        .reason =
                            "the zones of {name} showed the same counter and now differ; each is a "
                            "series of its own from now on"},
    [PROBLEM_APART] =
        {.pass = PASS_NONE,
         .end = ENDS_AT_ONCE,
         .severity = RAPL_WARNING,
         .by_subject = true,
         .reason = "{name} steps further than its package in most intervals: this processor "
                   "measures it apart from its package, and from now on it is reported as it is",
         .remedy = "if its power looks wrong, leave it out with --exclude (rapl-execd) or Zone "
                   "(collectd)"},
};

const struct cause_row *problem_cause_row(enum problem_cause cause) {
    return &rows[cause];
}
