/* SPDX-License-Identifier: MIT */
#include "sandbox/capabilities.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef RAPL_WITH_LIBCAP

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

const char *const capabilities_missing = NULL;

#define OWN_FILE "/proc/self/exe"

/* energy_uj is readable by root only (0400) since Linux 5.10. So is /dev/cpu/N/msr, which also
 * requires CAP_SYS_RAWIO. perf requires CAP_PERFMON, or CAP_SYS_ADMIN if perf_event_paranoid is 3
 * or more. */
static const cap_value_t wanted[] = {CAP_DAC_READ_SEARCH, CAP_SYS_RAWIO, CAP_PERFMON,
                                     CAP_SYS_ADMIN};
#define WANTED_COUNT (sizeof(wanted) / sizeof(wanted[0]))

static bool has_flag(cap_t set, cap_value_t capability, cap_flag_t flag) {
    cap_flag_value_t value = CAP_CLEAR;
    return set != NULL && cap_get_flag(set, capability, flag, &value) == 0 && value == CAP_SET;
}

static int change(void *context, bool raised) {
    const struct capabilities *privileges = context;
    return cap_set_proc(raised ? privileges->raised : privileges->lowered) == 0 ? 0 : -errno;
}

static void add_name(char *text, size_t size, cap_value_t capability) {
    char *name = cap_to_name(capability);
    const size_t length = strlen(text);
    snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "",
             name != NULL ? name : "?");
    cap_free(name);
}

static bool is_on_nosuid_mount(void) {
    struct statvfs status;
    return statvfs(OWN_FILE, &status) == 0 && (status.f_flag & ST_NOSUID) != 0;
}

/* Explains why the process lacks a capability that its file has: execve(2) and capabilities(7) give
 * three reasons. */
static void explain_withheld(struct capabilities *privileges, cap_value_t capability,
                             const char *names) {
    char *text = privileges->withheld;
    const size_t size = sizeof(privileges->withheld);
    const char *unit = "the unit that starts it, such as telegraf.service";
    if (cap_get_bound(capability) == 0)
        snprintf(
            text, size,
            "the file has %s and the process may not: CapabilityBoundingSet= of %s has to hold "
            "it, in capitals (in a container: docker run --cap-add)",
            names, unit);
    else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        snprintf(text, size,
                 "the file has %s and the process may not: NoNewPrivileges= of %s has to be no",
                 names, unit);
    else if (is_on_nosuid_mount())
        snprintf(text, size,
                 "the file has %s and the process may not: its file system is mounted nosuid; "
                 "install it on another",
                 names);
    else
        return;
    privileges->rapl.withheld = text;
}

/* Makes a set of only these capabilities: permitted and, if requested, effective. NULL if memory
 * ran out. */
static cap_t make_set(const cap_value_t *list, size_t count, bool effective) {
    cap_t set = cap_init(); /* empty */
    if (set != NULL && count > 0 &&
        (cap_set_flag(set, CAP_PERMITTED, (int)count, list, CAP_SET) != 0 ||
         (effective && cap_set_flag(set, CAP_EFFECTIVE, (int)count, list, CAP_SET) != 0))) {
        cap_free(set);
        return NULL;
    }
    return set;
}

/* Reduces the process to these capabilities for good. An empty inheritable set also empties the
 * ambient one. */
static void keep_alone(struct capabilities *privileges, const cap_value_t *list, size_t count,
                       bool own_root) {
    privileges->lowered = make_set(list, count, !own_root);
    if (privileges->lowered == NULL)
        privileges->kept = "out of memory";
    else if (cap_set_proc(privileges->lowered) != 0)
        privileges->kept = strerror(errno);
    if (!own_root || count == 0 || privileges->lowered == NULL)
        return;
    privileges->raised = make_set(list, count, true);
    if (privileges->raised == NULL)
        return;
    privileges->rapl.change = change;
    privileges->rapl.context = privileges;
}

static void look(struct capabilities *privileges, bool own_root) {
    char held[128] = "";
    char withheld[128] = "";
    cap_value_t list[WANTED_COUNT];
    size_t count = 0;
    cap_value_t missing = wanted[0];
    cap_t own = cap_get_proc();
    cap_t file = cap_get_file(OWN_FILE);
    if (own == NULL) {
        privileges->kept = strerror(errno);
        goto free_both;
    }
    for (size_t i = 0; i < WANTED_COUNT; i++) {
        if (has_flag(own, wanted[i], own_root ? CAP_PERMITTED : CAP_EFFECTIVE)) {
            add_name(held, sizeof(held), wanted[i]);
            list[count++] = wanted[i];
        } else if (own_root && has_flag(file, wanted[i], CAP_PERMITTED)) {
            add_name(withheld, sizeof(withheld), wanted[i]);
            missing = wanted[i];
        }
    }
    keep_alone(privileges, list, count, own_root);
    if (withheld[0] != '\0')
        explain_withheld(privileges, missing, withheld);
    const size_t length = strlen(privileges->rights);
    snprintf(privileges->rights + length, sizeof(privileges->rights) - length, "%s%s%s%s%s",
             held[0] != '\0' ? ", " : "", held,
             held[0] != '\0' && own_root ? " only while a counter is opened" : "",
             withheld[0] != '\0' ? ", withheld: " : "", withheld);

free_both:
    cap_free(file);
    cap_free(own);
}

static void free_sets(struct capabilities *privileges) {
    cap_free(privileges->raised);
    cap_free(privileges->lowered);
}

#else

const char *const capabilities_missing = "built without libcap (libcap-dev)";

static void look(struct capabilities *privileges, bool own_root) {
    (void)privileges;
    (void)own_root;
}

static void free_sets(struct capabilities *privileges) {
    (void)privileges;
}

#endif

void capabilities_open(struct capabilities *privileges, bool own_root) {
    *privileges = (struct capabilities){.raised = NULL};
    snprintf(privileges->rights, sizeof(privileges->rights), "user %u, group %u",
             (unsigned int)geteuid(), (unsigned int)getegid());
    look(privileges, own_root);
}

void capabilities_close(struct capabilities *privileges) {
    free_sets(privileges);
}
