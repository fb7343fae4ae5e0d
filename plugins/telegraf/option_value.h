/* SPDX-License-Identifier: MIT */
/* Reads the values of options. Each reader returns NULL, or text that says what is wrong. */
#ifndef RAPL_OPTION_VALUE_H
#define RAPL_OPTION_VALUE_H

#include <stdbool.h>
#include <stdint.h>

/* Accepts yes, true, on; no, false, off. */
const char *value_read_bool(const char *text, bool *value);

/* Accepts a decimal number with the unit ms, s, m, h or d: 1 ms to a day. */
const char *value_read_duration(const char *text, uint64_t *duration_ns);

/* Accepts the same, and "off": 0. */
const char *value_read_sample_interval(const char *text, uint64_t *interval_ns);

/* Accepts a decimal number of watts without a unit. */
const char *value_read_watts(const char *text, uint64_t *power_uw);

/* Accepts a boolean, or names of statistics separated by commas. */
const char *value_read_statistics(const char *text, unsigned int *chosen);

#endif
