/* SPDX-License-Identifier: MIT */
/* Functions shared by the files that judge a report. */
#ifndef RAPL_MODEL_JUDGE_H
#define RAPL_MODEL_JUDGE_H

#include "account.h"

unsigned long long judge_number(uint64_t value);
bool judge_is_near(uint64_t a, uint64_t b, uint64_t slack);
uint64_t judge_to_uj(wide aj);
/* Returns whether the duration between two moments is known to 5 %. */
bool judge_is_known(const struct moment *begin, const struct moment *end);
const struct rapl_value *judge_find_value(const struct rapl_report *report,
                                          const struct account *account);
void judge_learn_number(const struct rapl_report *report, struct account *account);
void judge_identity(const struct account *account, const struct rapl_value *value);
void judge_energy(struct account *account, const struct rapl_value *value, wide energy_aj,
                  uint64_t slack_uj);
/* Counts gaps in a dashboard: no value, or no power although the span allows it. */
void judge_gap(struct account *account, bool tells_power, bool is_gap, bool explains);

/* --- sums (judge_sum.c) --- */

bool judge_is_vague_sum(const struct account *sum);
void judge_sum(struct account *sum, const struct rapl_report *report, bool explains);
void judge_sum_power(const struct account *sum, const struct rapl_report *report);

#endif
