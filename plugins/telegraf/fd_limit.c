/* SPDX-License-Identifier: MIT */
#include "fd_limit.h"

#include <sys/resource.h>

/* Covers stdin, stdout, stderr, signalfd, timerfd, the root, below a root other than "/" the files
 * of the Landlock rules (landlock.c, up to 15), and a reserve. */
#define OWN_FILES 24

size_t fd_limit_raise(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (raised.rlim_cur != limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    if (limit.rlim_cur == RLIM_INFINITY)
        return 0;
    return limit.rlim_cur > OWN_FILES ? (size_t)limit.rlim_cur - OWN_FILES : 1;
}
