/* SPDX-License-Identifier: MIT */
/* Messages on stderr, as Telegraf 1.32 and later read them: "E! ", "W! ", "I! ", "D! ". */
#ifndef RAPL_EXECD_LOG_H
#define RAPL_EXECD_LOG_H

#include "rapl.h"

/* Which levels are written: those of the letters, such as "EWI"; without a call, all. */
void log_choose(const char *levels);

/* One line, one write(2). */
void log_line(char level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells what is new. */
void log_problems(struct rapl *rapl);

#endif
