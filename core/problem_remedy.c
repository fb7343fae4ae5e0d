/* SPDX-License-Identifier: MIT */
/* What mends it, in words. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "perf_count.h"
#include "problem_remedy.h"
#include "source.h"
#include "sysfs.h"
#include "unit_fault.h"

/* Of the process, or of the machine. */
static void word_file_limit(struct problems *problems, int error) {
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
}

static void word_left_out(struct problems *problems, int error) {
    static const char select[] =
        "select those that matter with Zone (collectd) or --include (rapl-execd)";
    if (error == ZONE_WITHOUT_FILE)
        snprintf(problems->remedy, sizeof(problems->remedy),
                 "raise LimitNOFILE= of the unit, of which collectd's plugin takes half, and start "
                 "it again; or %s",
                 select);
    else
        snprintf(problems->remedy, sizeof(problems->remedy), "%s", select);
}

static void word_file_remedy(struct problems *problems, const struct problem *problem) {
    snprintf(problems->remedy, sizeof(problems->remedy),
             "see what stands there: sudo head -c 200 %s/%s", problems_root(problems),
             problem->subject);
}

/* A command comes last, so that it can be copied to the end of the line. */
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
        word_file_remedy(problems, problem);
        break;
    }
}

/* Of the files and registers below dev/cpu. */
static void word_msr_remedy(struct problems *problems, const struct problem *problem) {
    static const char other_source[] = "Source \"auto\" (collectd) or --source=auto (rapl-execd)";
    /* Only msr_safe judges a read; msr does it when it is opened (arch/x86/kernel/msr.c). */
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

static void word_perf_remedy(struct problems *problems, const struct problem *problem) {
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

void problem_word_remedy(struct problems *problems, const struct problem *problem) {
    static const char root_options[] = "Root (collectd) or --root (rapl-execd)";
    static const char power_options[] = "MaxPower (collectd) or --max-power (rapl-execd)";
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    const bool is_denied = problem->error == -EACCES || problem->error == -EPERM;
    text[0] = '\0';
    if (problem->error == -EMFILE || problem->error == -ENFILE) {
        word_file_limit(problems, problem->error);
        return;
    }
    switch (problem->cause) {
    case PROBLEM_ROOT:
        snprintf(text, size, "set %s, or HOST_MOUNT_PREFIX, to the folder that holds sys and proc",
                 root_options);
        break;
    case PROBLEM_VENDOR:
        snprintf(text, size,
                 "make one of them readable; in a container, show it those of the host: docker run "
                 "-v /:/host:ro,rslave -e HOST_MOUNT_PREFIX=/host");
        break;
    case PROBLEM_CLASS:
        if (problem->error != -ENOENT)
            snprintf(text, size, "see who may enter it: ls -ld %s/%s", problems_root(problems),
                     problem->subject);
        else
            remedy_class_missing(problems);
        break;
    case PROBLEM_NO_ZONES:
        remedy_no_zones(problems);
        break;
    case PROBLEM_MASKED:
        snprintf(text, size,
                 "containers hide the folder it points to; show it that of the host: docker run "
                 "-v /:/host:ro,rslave -e HOST_MOUNT_PREFIX=/host");
        break;
    case PROBLEM_NO_PMU:
    case PROBLEM_NO_EVENTS:
        remedy_no_pmu(problems, problem);
        break;
    case PROBLEM_PERF:
        word_perf_remedy(problems, problem);
        break;
    case PROBLEM_PMU_FILE:
        word_file_remedy(problems, problem);
        break;
    case PROBLEM_NAME:
    case PROBLEM_RANGE:
        if (is_denied)
            remedy_powercap_denied(problems);
        else
            word_file_remedy(problems, problem);
        break;
    case PROBLEM_LIMIT:
        if (is_denied)
            remedy_powercap_denied(problems);
        else
            snprintf(text, size, "if the ceiling that --check shows does not fit, set %s",
                     power_options);
        break;
    case PROBLEM_CORES:
        snprintf(text, size,
                 "only AMD's processors count them; source msr shows them, and perf since "
                 "Linux 6.14");
        break;
    case PROBLEM_SELECTION:
    case PROBLEM_PATTERN:
        snprintf(text, size,
                 "see the names that patterns are matched against (single cores only with --cores "
                 "or ReportCores): rapl-execd --check");
        break;
    case PROBLEM_MODEL:
        remedy_model(problems, problem);
        break;
    case PROBLEM_MSR:
    case PROBLEM_REGISTER:
        word_msr_remedy(problems, problem);
        break;
    case PROBLEM_ENERGY:
        if (is_msr(problem))
            word_msr_remedy(problems, problem);
        else
            word_energy_remedy(problems, problem);
        break;
    case PROBLEM_GONE:
    case PROBLEM_GONE_FROM_TOTAL:
        snprintf(text, size,
                 "it is looked for at every report; if its CPUs are online, load the driver: sudo "
                 "modprobe %s",
                 problems->module != NULL ? problems->module : "intel_rapl_msr");
        break;
    case PROBLEM_STUCK:
        if (problems->is_virtual)
            snprintf(
                text, size,
                "this is a virtual machine, and its host shows no energy: measure on the host, "
                "or give the guest counters (QEMU 9.1 and later: -accel kvm,rapl=true)");
        else
            snprintf(text, size,
                     "see whether another source counts: rapl-execd --check --source=msr");
        break;
    case PROBLEM_JUMPED:
        snprintf(text, size, "if the machine can draw that much, set %s", power_options);
        break;
    case PROBLEM_LEAPT:
        snprintf(text, size,
                 "after a driver was loaded again or a virtual machine moved, nothing is to be "
                 "done; if it happens again and again, leave the zone out with --exclude "
                 "(rapl-execd) or Zone (collectd)");
        break;
    case PROBLEM_UNSTEADY:
        snprintf(text, size,
                 "in a virtual machine, let the hypervisor pin its CPUs to one socket, or measure "
                 "on the host; else leave the zone out with --exclude (rapl-execd) or Zone "
                 "(collectd)");
        break;
    case PROBLEM_ABOVE_WHOLE:
        snprintf(text, size,
                 "after CPUs were offline, nothing is to be done; if it happens again and again, "
                 "leave the zone out with --exclude (rapl-execd) or Zone (collectd)");
        break;
    case PROBLEM_APART:
        snprintf(text, size,
                 "if its power looks wrong, leave it out with --exclude (rapl-execd) or Zone "
                 "(collectd)");
        break;
    case PROBLEM_RAISED:
        snprintf(text, size, "set %s to what the machine can draw", power_options);
        break;
    case PROBLEM_UNDECIDED:
        snprintf(text, size, "report more often, or set %s to what the machine can draw",
                 power_options);
        break;
    case PROBLEM_LEFT_OUT:
        word_left_out(problems, problem->error);
        break;
    case PROBLEM_UNIT_DOUBT:
        snprintf(
            text, size,
            "see which source's power fits the memory, and choose it with Source (collectd) or "
            "--source (rapl-execd): rapl-execd --once --source=perf");
        break;
    case PROBLEM_SOURCE:
    case PROBLEM_UNREAD: /* its file has a problem of its own */
    case PROBLEM_UNIT:
    case PROBLEM_DUPLICATE:
    case PROBLEM_SHARED:
    case PROBLEM_JOINED:
    case PROBLEM_PARTED:
        break;
    }
}
