/* SPDX-License-Identifier: MIT */
/* Messages on stderr with the prefixes that Telegraf 1.32 and later read: "E! ", "W! ", "I! ", "D!
 * ". */
#ifndef RAPL_LOG_H
#define RAPL_LOG_H

#include "rapl.h"

/* Sets which levels are written, as letters such as "EWI". Default: all. */
void log_choose(const char *levels);

/* Writes one line with one write(2). Never blocks: if stderr has no room, the line is dropped and
 * counted. */
void log_line(char level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Logs the problems that are new. */
void log_problems(struct rapl *rapl);

/* Logs once how many lines were dropped, as soon as stderr has room again. */
void log_dropped(void);

#endif
