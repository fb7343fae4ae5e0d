/* SPDX-License-Identifier: MIT */
/* Prints what --version shows: version, commit and build options. */
#ifndef RAPL_VERSION_H
#define RAPL_VERSION_H

#include <stdio.h>

void version_print(FILE *file);

#endif
