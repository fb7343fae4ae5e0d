/* SPDX-License-Identifier: MIT */
/* What the process may do and what its kernel offers, always on this machine, whatever root is. */
#ifndef RAPL_HOST_H
#define RAPL_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* What may refuse access that the process's user or capabilities would allow. */
enum host_confinement {
    HOST_UNCONFINED, /* nothing known */
    HOST_USER_NAMESPACE,
    HOST_SELINUX, /* enforcing */
    HOST_APPARMOR,
};

struct host {
    enum host_confinement confinement;
    bool lacks_driver; /* kernel modules are installed, but the powercap driver is not among them */
};

/* Reads proc/self, sys/fs/selinux and lib/modules/RELEASE below the root. What cannot be read is
 * taken as unknown. */
struct host host_look(int root, const char *release);

/* host_look() for this machine and its running kernel. */
struct host host_look_here(void);

/* Whether the process is root in its user namespace. */
bool host_is_root(void);

/* The effective or permitted capabilities: one bit for each number of linux/capability.h; 0:
 * none. */
uint64_t host_capabilities(bool permitted);

#endif
