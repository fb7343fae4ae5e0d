/* SPDX-License-Identifier: MIT */
/* Functions that write remedies into problems->remedy. */
#ifndef RAPL_PROBLEM_REMEDY_H
#define RAPL_PROBLEM_REMEDY_H

#include "problem/problem.h"

/* If the error is a file limit, of the process or the machine, writes its remedy and returns
 * true. */
bool remedy_file_limit(struct problems *problems, int error);
void remedy_file(struct problems *problems, const struct problem *problem);
void remedy_energy(struct problems *problems, const struct problem *problem);
void remedy_msr(struct problems *problems, const struct problem *problem);
void remedy_perf(struct problems *problems, const struct problem *problem);
void remedy_class(struct problems *problems, const struct problem *problem);
void remedy_zone_file(struct problems *problems, const struct problem *problem);
void remedy_limit(struct problems *problems, const struct problem *problem);
void remedy_left_out(struct problems *problems, const struct problem *problem);
void remedy_stuck(struct problems *problems, const struct problem *problem);

/* problem_remedy_denied.c: access is denied. */
void remedy_powercap_denied(struct problems *problems);
void remedy_perf_denied(struct problems *problems);
/* error: -EPERM or -EACCES from opening the device. */
void remedy_msr_denied(struct problems *problems, int error);

/* problem_remedy_missing.c: the machine or its kernel has no counters. */
void remedy_class_missing(struct problems *problems);
void remedy_no_zones(struct problems *problems, const struct problem *problem);
void remedy_no_pmu(struct problems *problems, const struct problem *problem);
void remedy_model(struct problems *problems, const struct problem *problem);

#endif
