/* SPDX-License-Identifier: MIT */
/* Messages on stderr, as Telegraf 1.32 and later read them: "E! ", "W! ", "I! ", "D! ". */
#ifndef RAPL_EXECD_LOG_H
#define RAPL_EXECD_LOG_H

#include "rapl.h"

/* Which levels are written: those of the letters, such as "EWI"; without a call, all. */
void log_choose(const char *levels);

/* One line, one write(2). Never blocks: a line that stderr has no room for is dropped and
 * counted. */
void log_line(char level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells what is new. */
void log_problems(struct rapl *rapl);

/* Tells once how many lines were dropped, as soon as stderr has room again. */
void log_dropped(void);

#endif
