/* SPDX-License-Identifier: MIT */
/* Remedies for a machine or kernel without counters. */
#include <stdio.h>
#include <string.h>

#include "problem/problem_remedy.h"

static const char lacks_rapl[] =
    "this processor has no RAPL counters, and no driver brings any: Intel's have them since Sandy "
    "Bridge, AMD's since Zen; measure at the power supply";

static const char lacks_driver[] =
    "the driver is not among the installed modules of this kernel (Ubuntu has it in a package of "
    "its own): sudo apt install linux-modules-extra-$(uname -r)";

static const char *find_module(const struct problems *problems, const char *usual) {
    return problems->module != NULL ? problems->module : usual;
}

void remedy_class_missing(struct problems *problems) {
    snprintf(problems->remedy, sizeof(problems->remedy), "%s",
             problems->lacks_rapl
                 ? lacks_rapl
                 : "a kernel without CONFIG_POWERCAP, as most virtual machines have, shows no "
                   "counters; in a container, show it those of the host: docker run -v "
                   "/:/host:ro,rslave -e HOST_MOUNT_PREFIX=/host");
}

/* Remedy in a virtual machine; false: it is none. found: what exists without counters; NULL:
 * nothing. */
static bool word_virtual(struct problems *problems, const char *found, const char *module) {
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    if (!problems->is_virtual)
        return false;
    if (found != NULL)
        snprintf(text, size, "this is a virtual machine, and %s: measure on its host", found);
    else
        snprintf(text, size,
                 "this is a virtual machine: few have counters, so measure on its host; to see "
                 "whether this one has: sudo modprobe %s",
                 module);
    return true;
}

void remedy_no_zones(struct problems *problems, const struct problem *problem) {
    (void)problem;
    const char *module = find_module(problems, "intel_rapl_msr");
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    const char *found = problems->has_driver ? "its driver has found no counters" : NULL;
    if (word_virtual(problems, found, module))
        return;
    if (problems->lacks_rapl)
        snprintf(text, size, "%s", lacks_rapl);
    else if (problems->has_driver)
        snprintf(text, size,
                 "the driver is loaded and has found no counters in this processor; what it says: "
                 "sudo dmesg | grep -i rapl");
    else if (problems->host.lacks_driver)
        snprintf(text, size, "%s", lacks_driver);
    else
        snprintf(text, size, "load the driver: sudo modprobe %s", module);
}

void remedy_no_pmu(struct problems *problems, const struct problem *problem) {
    const char *module = find_module(problems, "rapl");
    char *text = problems->remedy;
    const size_t size = sizeof(problems->remedy);
    const bool has_pmu = problem->cause == PROBLEM_NO_EVENTS;
    if (word_virtual(problems, has_pmu ? "its PMU has no counters" : NULL, module))
        return;
    if (problems->lacks_rapl)
        snprintf(text, size, "%s", lacks_rapl);
    else if (has_pmu)
        snprintf(text, size,
                 "the kernel has found no counters in this processor; what it says: sudo dmesg | "
                 "grep -i rapl");
    else if (problems->host.lacks_driver && strcmp(module, "rapl") != 0)
        snprintf(text, size, "%s", lacks_driver); /* powercap's driver registers the events */
    else
        snprintf(text, size,
                 "load its module, where the kernel has it and knows this processor: sudo modprobe "
                 "%s",
                 module);
}

void remedy_model(struct problems *problems, const struct problem *problem) {
    const char *text =
        "if the watts look wrong, use powercap or perf: Source (collectd) or --source "
        "(rapl-execd)";
    if (problem->error == MODEL_WITHOUT_RAPL)
        text = lacks_rapl;
    else if (problem->error == MODEL_WITHOUT_REGISTERS)
        text = "powercap shows those that it has elsewhere: sudo modprobe intel_rapl_tpmi";
    else if (problem->error == MODEL_WITHOUT_VENDOR)
        text = "use powercap or perf: Source (collectd) or --source (rapl-execd)";
    snprintf(problems->remedy, sizeof(problems->remedy), "%s", text);
}
