/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_PARSE_H
#define RAPL_SIM_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* 500us, 0.1ms, 10s */
bool parse_duration_ns(const char *text, uint64_t *ns);

/* Watts or joules: a finite number from 0 to 1e12. */
bool parse_quantity(const char *text, double *value);

/* BEGAN,T1,T2 in nanoseconds, in chronological order; T2 is after T1. */
bool parse_instants(const char *text, uint64_t instants[3]);

/* EIO or 5 */
bool parse_errno(const char *text, int *number);

#endif
