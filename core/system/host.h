/* SPDX-License-Identifier: MIT */
/* What the process is allowed, and what its kernel has: that of this machine, whatever root is. */
#ifndef RAPL_HOST_H
#define RAPL_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* What refuses a process files and events that its user or its capabilities would allow. */
enum host_confinement {
    HOST_UNCONFINED, /* or by nothing that is known of */
    HOST_USER_NAMESPACE,
    HOST_SELINUX, /* in force */
    HOST_APPARMOR,
};

struct host {
    enum host_confinement confinement;
    bool lacks_driver; /* the kernel's modules are installed, but not that of powercap's counters */
};

/* Looks at proc/self, sys/fs/selinux and lib/modules/RELEASE below the root. What cannot be read is
 * not known. */
struct host host_look(int root, const char *release);

/* The same of this machine. */
struct host host_look_here(void);

/* Whether the process is root, of its user namespace. */
bool host_is_root(void);

/* The capabilities in effect, or those permitted where the process raises them: one bit for each
 * number of linux/capability.h. */
uint64_t host_capabilities(bool permitted);

#endif
