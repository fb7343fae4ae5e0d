/* SPDX-License-Identifier: MIT */
/* What --version says: version, commit, and what was built in. */
#ifndef RAPL_EXECD_VERSION_H
#define RAPL_EXECD_VERSION_H

#include <stdio.h>

void version_print(FILE *file);

#endif
