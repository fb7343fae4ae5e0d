/* SPDX-License-Identifier: MIT */
/* What an option's value may be. Each reader returns NULL, or what is wrong with the text. */
#ifndef RAPL_EXECD_OPTION_VALUE_H
#define RAPL_EXECD_OPTION_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* yes, true, on; no, false, off. */
const char *value_read_bool(const char *text, bool *value);

/* Digits, with a fraction or without, and ms, s, m, h or d: 1 ms to a day. */
const char *value_read_duration(const char *text, uint64_t *duration_ns);

/* The same, or off: 0. */
const char *value_read_sample_interval(const char *text, uint64_t *interval_ns);

/* A plain number of watts. */
const char *value_read_watts(const char *text, uint64_t *power_uw);

/* A boolean, or names of statistics with commas between them. */
const char *value_read_statistics(const char *text, unsigned int *chosen);

#endif
