/* SPDX-License-Identifier: MIT */
#include "privileges.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifdef RAPL_WITH_LIBCAP

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>

#define OWN_FILE "/proc/self/exe"

/* Reads what only root may, and nothing else: energy_uj is 0400 root since Linux 5.10. */
static const cap_value_t wanted = CAP_DAC_READ_SEARCH;
static const char wanted_name[] = "cap_dac_read_search";

static bool has_flag(cap_t set, cap_flag_t flag) {
    cap_flag_value_t value = CAP_CLEAR;
    return set != NULL && cap_get_flag(set, wanted, flag, &value) == 0 && value == CAP_SET;
}

static int change(void *context, bool raised) {
    const struct privileges *privileges = context;
    return cap_set_proc(raised ? privileges->raised : privileges->lowered) == 0 ? 0 : -errno;
}

static bool is_on_nosuid_mount(void) {
    struct statvfs status;
    return statvfs(OWN_FILE, &status) == 0 && (status.f_flag & ST_NOSUID) != 0;
}

/* The file has it and the process does not: execve(2) and capabilities(7) know three reasons. */
static void explain_withheld(struct privileges *privileges) {
    char *text = privileges->withheld;
    const size_t size = sizeof(privileges->withheld);
    const char *unit = "the unit that starts it, such as telegraf.service";
    if (cap_get_bound(wanted) == 0)
        snprintf(text, size,
                 "the file has %s and the process may not: CapabilityBoundingSet= of %s, has to "
                 "hold CAP_DAC_READ_SEARCH (in a container: docker run --cap-add DAC_READ_SEARCH)",
                 wanted_name, unit);
    else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        snprintf(text, size,
                 "the file has %s and the process may not: NoNewPrivileges= of %s, has to be no",
                 wanted_name, unit);
    else if (is_on_nosuid_mount())
        snprintf(text, size,
                 "the file has %s and the process may not: its file system is mounted nosuid; "
                 "install it on another",
                 wanted_name);
    else
        return;
    privileges->rapl.withheld = text;
}

static void look(struct privileges *privileges) {
    cap_t own = cap_get_proc();
    cap_t file = NULL;
    const size_t used = strlen(privileges->rights);
    char *rights = privileges->rights + used;
    const size_t room = sizeof(privileges->rights) - used;
    if (own == NULL)
        return;
    if (has_flag(own, CAP_EFFECTIVE)) {
        snprintf(rights, room, ", %s", wanted_name);
        goto done;
    }
    if (has_flag(own, CAP_PERMITTED)) {
        privileges->lowered = cap_dup(own);
        privileges->raised = cap_dup(own);
        if (privileges->lowered == NULL || privileges->raised == NULL ||
            cap_set_flag(privileges->raised, CAP_EFFECTIVE, 1, &wanted, CAP_SET) != 0)
            goto done;
        privileges->rapl.change = change;
        privileges->rapl.context = privileges;
        snprintf(rights, room, ", %s only while a counter is opened", wanted_name);
        goto done;
    }
    file = cap_get_file(OWN_FILE);
    if (has_flag(file, CAP_PERMITTED))
        explain_withheld(privileges);
    if (privileges->rapl.withheld != NULL)
        snprintf(rights, room, ", %s of the file withheld", wanted_name);

done:
    cap_free(file);
    cap_free(own);
}

static void free_sets(struct privileges *privileges) {
    cap_free(privileges->raised);
    cap_free(privileges->lowered);
}

#else

static void look(struct privileges *privileges) {
    (void)privileges;
}

static void free_sets(struct privileges *privileges) {
    (void)privileges;
}

#endif

void privileges_open(struct privileges *privileges) {
    *privileges = (struct privileges){.raised = NULL};
    snprintf(privileges->rights, sizeof(privileges->rights), "user %u, group %u",
             (unsigned int)geteuid(), (unsigned int)getegid());
    look(privileges);
}

void privileges_close(struct privileges *privileges) {
    free_sets(privileges);
}
