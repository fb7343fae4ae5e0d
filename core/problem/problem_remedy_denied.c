/* SPDX-License-Identifier: MIT */
/* Remedies for counters that the process may not open: what it lacks, or who refuses it. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>

#include "problem/problem_remedy.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38 /* Linux 5.8 */
#endif

static bool has(const struct problems *problems, unsigned int capability) {
    return (problems->capabilities >> capability & 1) != 0;
}

/* The process has the right that the kernel asks for, and is still refused. */
static void word_refused(struct problems *problems, const char *what) {
    static const char *const modules[] = {
        [HOST_UNCONFINED] = "a security module or a filter of system calls refuses it, and "
                            "may say so in: sudo dmesg",
        [HOST_USER_NAMESPACE] = "the user namespace is not the machine's own",
        [HOST_SELINUX] =
            "SELinux, which is in force, refuses it; what it refused: sudo ausearch -m AVC -ts "
            "recent",
        [HOST_APPARMOR] =
            "AppArmor, whose profile is in force, refuses it (Docker's hides the counters: "
            "docs/permissions.md, Containers); what it refused: sudo dmesg | grep -i apparmor",
    };
    snprintf(problems->remedy, sizeof(problems->remedy), "the process has %s: %s", what,
             modules[problems->host.confinement]);
}

/* In a user namespace, capabilities give no right to the host's files (user_namespaces(7)): host
 * ids that are not mapped belong to nobody there. Returns whether that applies. */
static bool word_namespace(struct problems *problems, const char *rest) {
    if (problems->host.confinement != HOST_USER_NAMESPACE)
        return false;
    snprintf(problems->remedy, sizeof(problems->remedy),
             "root of a user namespace (an unprivileged container, or PrivateUsers=) has no right "
             "to the host's counters: %s",
             rest);
    return true;
}

/* The command opens every file that is read, because some distributions make whole zones 0400. */
static void word_group(struct problems *problems) {
    const bool may_be_selinux = problems->host.confinement == HOST_SELINUX;
    snprintf(
        problems->remedy, sizeof(problems->remedy),
        "run it in group rapl, which the udev rule (docs/permissions.md) lets read all of a "
        "zone%s; until the driver is loaded again, this does the same: sudo sh -c \"groupadd -f -r "
        "rapl && find %s/sys/devices/virtual/powercap/intel-rapl* -type f '(' -name name -o -name "
        "'*_uj' -o -name 'constraint_*_uw' ')' -exec chgrp rapl {} + -exec chmod g+r {} +\"",
        may_be_selinux ? ", and see what SELinux refuses (ausearch -m AVC)" : "",
        problems_root(problems));
}

void remedy_powercap_denied(struct problems *problems) {
    if (problems->withheld != NULL)
        snprintf(problems->remedy, sizeof(problems->remedy), "%s", problems->withheld);
    else if (word_namespace(
                 problems, "on the host, install the udev rule (docs/permissions.md) and map group "
                           "rapl into the container, or let the container be a privileged one"))
        return;
    else if (has(problems, CAP_DAC_READ_SEARCH) || has(problems, CAP_DAC_OVERRIDE))
        word_refused(problems, "CAP_DAC_READ_SEARCH");
    else if (problems->is_root)
        snprintf(problems->remedy, sizeof(problems->remedy),
                 "root lacks CAP_DAC_READ_SEARCH here; where that is a unit's "
                 "CapabilityBoundingSet=, add it there; in a container: docker run --cap-add "
                 "DAC_READ_SEARCH");
    else
        word_group(problems);
}

/* A file with a capability gives the counters to everyone who may run it, so only the group may. */
static void word_file_capability(struct problems *problems, const char *reason,
                                 const char *capabilities) {
    snprintf(
        problems->remedy, sizeof(problems->remedy),
        "%s; as a capability of the file, which group rapl alone may run (docs/permissions.md): "
        "sudo sh -c \"groupadd -f -r rapl && chgrp rapl /usr/bin/rapl-execd && chmod 0750 "
        "/usr/bin/rapl-execd && setcap %s=p /usr/bin/rapl-execd\"",
        reason, capabilities);
}

/* Whether the process may open an event of a whole CPU (perf_allow_cpu(),
 * include/linux/perf_event.h). Debian and Ubuntu add levels above 2 at which CAP_PERFMON is not
 * enough. */
static bool has_right_to_perf(const struct problems *problems) {
    return has(problems, CAP_SYS_ADMIN) ||
           (problems->perf_paranoid < 3 && has(problems, CAP_PERFMON));
}

/* Names the capability that opening an event takes at this level of perf_event_paranoid. */
static void word_perf_right(struct problems *problems) {
    const int level = problems->perf_paranoid;
    const bool by_admin = level >= 3;
    char takes[160] = "it takes CAP_PERFMON (Linux 5.8)";
    if (by_admin)
        snprintf(takes, sizeof(takes),
                 "perf_event_paranoid is %d, at which CAP_PERFMON is not enough: it takes "
                 "CAP_SYS_ADMIN, and source powercap takes less",
                 level);
    if (problems->is_root)
        snprintf(problems->remedy, sizeof(problems->remedy),
                 "%s; where a unit's CapabilityBoundingSet= withholds it, add it there; in a "
                 "container: docker run --cap-add %s",
                 takes, by_admin ? "SYS_ADMIN" : "PERFMON");
    else
        word_file_capability(problems, takes, by_admin ? "cap_sys_admin" : "cap_perfmon");
}

void remedy_perf_denied(struct problems *problems) {
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    const int level = problems->perf_paranoid;
    if (problems->withheld != NULL)
        snprintf(text, size, "%s", problems->withheld);
    else if (level <= 0 && level != PROBLEM_PARANOID_UNKNOWN)
        snprintf(text, size,
                 "perf_event_paranoid is %d and allows it: a seccomp filter or a security module "
                 "does not; in a container: docker run --cap-add PERFMON",
                 level);
    else if (word_namespace(problems, "count on the host, or in a privileged container: docker run "
                                      "--privileged --userns=host"))
        return;
    else if (has_right_to_perf(problems))
        word_refused(problems, has(problems, CAP_SYS_ADMIN) ? "CAP_SYS_ADMIN" : "CAP_PERFMON");
    else
        word_perf_right(problems);
}

/* EACCES: the mode of the file. EPERM: CAP_SYS_RAWIO is missing (msr_open, arch/x86/kernel/msr.c),
 * or the cgroup does not allow the device. */
void remedy_msr_denied(struct problems *problems, int error) {
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    const bool by_mode = error == -EACCES;
    const bool has_right =
        by_mode ? has(problems, CAP_DAC_READ_SEARCH) || has(problems, CAP_DAC_OVERRIDE)
                : has(problems, CAP_SYS_RAWIO);
    if (problems->withheld != NULL)
        snprintf(text, size, "%s", problems->withheld);
    else if (word_namespace(problems, "read the registers on the host, or in a privileged "
                                      "container: docker run --privileged --userns=host"))
        return;
    else if (has_right && by_mode)
        word_refused(problems, "CAP_DAC_READ_SEARCH");
    else if (has_right)
        snprintf(text, size,
                 "the process has CAP_SYS_RAWIO, but not the right to the device: where a unit's "
                 "DevicePolicy= withholds it, add DeviceAllow=char-cpu/msr there; in a container: "
                 "docker run --privileged");
    else if (problems->is_root)
        snprintf(text, size,
                 "root lacks %s here; where a unit's CapabilityBoundingSet= or DevicePolicy= "
                 "withholds it, add it there; in a container: docker run --privileged",
                 by_mode ? "CAP_DAC_READ_SEARCH" : "CAP_SYS_RAWIO, or the right to the device");
    else
        word_file_capability(problems, "it takes root, or two capabilities",
                             "cap_dac_read_search,cap_sys_rawio");
}
