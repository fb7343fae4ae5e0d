/* SPDX-License-Identifier: MIT */
/* Remedies: texts that say how to fix a problem. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "problem/problem_remedy.h"
#include "system/error.h"
#include "system/sysfs.h"

bool remedy_file_limit(struct problems *problems, int error) {
    if (error != -EMFILE && error != -ENFILE)
        return false;
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    if (error == -EMFILE)
        snprintf(text, size,
                 "too many files are open (LimitNOFILE= of the unit is for good): sudo prlimit "
                 "--pid %d --nofile=65536",
                 (int)getpid());
    else
        snprintf(
            text, size,
            "too many files are open in the whole machine; who has them: sudo lsof | cut -d' ' "
            "-f1 | sort | uniq -c | sort -n");
    return true;
}

void remedy_left_out(struct problems *problems, const struct problem *problem) {
    static const char select[] =
        "select those that matter with Zone (collectd) or --include (rapl-execd)";
    if (problem->error == ZONE_WITHOUT_FILE)
        snprintf(problems->remedy, sizeof(problems->remedy),
                 "raise LimitNOFILE= of the unit, of which collectd's plugin takes half, and start "
                 "it again; or %s",
                 select);
    else
        snprintf(problems->remedy, sizeof(problems->remedy), "%s", select);
}

void remedy_file(struct problems *problems, const struct problem *problem) {
    snprintf(problems->remedy, sizeof(problems->remedy),
             "see what stands there: sudo head -c 200 %s/%s", problems_root(problems),
             problem->subject);
}

/* The command comes last, so that it can be copied up to the end of the line. */
static void word_energy_remedy(struct problems *problems, const struct problem *problem) {
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    switch (problem->error) {
    case -EACCES:
    case -EPERM:
        remedy_powercap_denied(problems);
        break;
    case -ENOENT:
        snprintf(text, size,
                 "it has no counter here: leave it out with --exclude (rapl-execd) or Zone "
                 "(collectd)");
        break;
    case -ENODEV:
    case -ENXIO:
        snprintf(text, size, "its driver has no counter for it now: sudo modprobe %s",
                 problems->module != NULL ? problems->module : "intel_rapl_msr");
        break;
    case ZONE_COUNTS_NOTHING:
        snprintf(text, size,
                 "processors and virtual machines that lack it show it so: leave it out with "
                 "--exclude (rapl-execd) or Zone (collectd)");
        break;
    case UNIT_NOT_KNOWN:
        snprintf(text, size, "it is reported once it has moved %d times", UNIT_WATCH_COUNTS);
        break;
    case PERF_COUNT_UNDECIDED:
        snprintf(text, size,
                 "report more often, or set MaxPower (collectd) or --max-power (rapl-execd) to "
                 "what the machine can draw");
        break;
    case SOURCE_READ_TOO_LONG:
        snprintf(text, size, "the machine, or what shows the file, stood still: uptime");
        break;
    case -EINVAL:
    case -EIO:
        snprintf(text, size, "the driver could not read the counter, and says why in: sudo dmesg");
        break;
    default:
        remedy_file(problems, problem);
        break;
    }
}

/* Remedies for files and registers below dev/cpu. */
void remedy_msr(struct problems *problems, const struct problem *problem) {
    static const char other_source[] = "Source \"auto\" (collectd) or --source=auto (rapl-execd)";
    /* msr_safe checks each read; msr checks rights only when it is opened
     * (arch/x86/kernel/msr.c). */
    const bool is_listed =
        problem->cause != PROBLEM_MSR && strstr(problem->subject, "msr_safe") != NULL;
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    switch (problem->error) {
    case -ENOENT:
        snprintf(text, size,
                 "containers, and units with PrivateDevices=, hide the folder dev/cpu; else load "
                 "the driver: sudo modprobe msr");
        break;
    case -EACCES:
    case -EPERM:
        if (is_listed)
            snprintf(text, size,
                     "the list of msr_safe does not allow this register: add it there, and load "
                     "the list: sudo sh -c 'cat LIST > /dev/cpu/msr_allowlist'");
        else
            remedy_msr_denied(problems, problem->error);
        break;
    case -ENXIO:
    case -ENODEV:
        snprintf(text, size,
                 "its CPU is offline, and no other shows these counters; they are looked for "
                 "again as CPUs come online");
        break;
    case 0:
    case -EIO:
        if (problems->is_virtual)
            snprintf(text, size,
                     "this is a virtual machine, and its hypervisor shows no such counters: "
                     "measure on its host");
        else
            snprintf(text, size, "the processor does not count there: set %s", other_source);
        break;
    default:
        snprintf(text, size, "see what is there: ls -lR %s/dev/cpu", problems_root(problems));
        break;
    }
}

static bool is_msr(const struct problem *problem) {
    return strncmp(problem->subject, "dev/cpu/", strlen("dev/cpu/")) == 0;
}

void remedy_perf(struct problems *problems, const struct problem *problem) {
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    switch (problem->error) {
    case -EACCES:
    case -EPERM:
        remedy_perf_denied(problems);
        break;
    case -ENOENT:
        snprintf(text, size,
                 "the PMU of this file's type has gone, or the file is another machine's: it is "
                 "looked for again");
        break;
    case -ENODEV:
    case -ENXIO:
        snprintf(text, size,
                 "the PMU has no such counter on this CPU: leave it out with --exclude "
                 "(rapl-execd) or Zone (collectd)");
        break;
    case -EINVAL:
        snprintf(text, size,
                 "the PMU does not take this event; what the kernel says: sudo dmesg | grep -i "
                 "rapl");
        break;
    case -ENOSYS:
        snprintf(text, size,
                 "the kernel is built without CONFIG_PERF_EVENTS: choose another "
                 "source with Source (collectd) or --source (rapl-execd)");
        break;
    default:
        snprintf(text, size, "what the kernel says: sudo dmesg | grep -i perf");
        break;
    }
}

void remedy_energy(struct problems *problems, const struct problem *problem) {
    if (is_msr(problem))
        remedy_msr(problems, problem);
    else
        word_energy_remedy(problems, problem);
}

void remedy_class(struct problems *problems, const struct problem *problem) {
    if (problem->error == -ENOENT)
        remedy_class_missing(problems);
    else
        snprintf(problems->remedy, sizeof(problems->remedy), "see who may enter it: ls -ld %s/%s",
                 problems_root(problems), problem->subject);
}

static bool is_denied(const struct problem *problem) {
    return problem->error == -EACCES || problem->error == -EPERM;
}

void remedy_zone_file(struct problems *problems, const struct problem *problem) {
    if (is_denied(problem))
        remedy_powercap_denied(problems);
    else
        remedy_file(problems, problem);
}

void remedy_limit(struct problems *problems, const struct problem *problem) {
    if (is_denied(problem))
        remedy_powercap_denied(problems);
    else
        snprintf(problems->remedy, sizeof(problems->remedy),
                 "if the ceiling that --check shows does not fit, set MaxPower (collectd) or "
                 "--max-power (rapl-execd)");
}

void remedy_stuck(struct problems *problems, const struct problem *problem) {
    (void)problem;
    snprintf(problems->remedy, sizeof(problems->remedy), "%s",
             problems->is_virtual
                 ? "this is a virtual machine, and its host shows no energy: measure on the host, "
                   "or give the guest counters (QEMU 9.1 and later: -accel kvm,rapl=true)"
                 : "see whether another source counts: rapl-execd --check --source=msr");
}
