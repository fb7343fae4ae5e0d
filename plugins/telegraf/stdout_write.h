/* SPDX-License-Identifier: MIT */
/* Writes reports to stdout, and waits at the end until pipes are read. */
#ifndef RAPL_STDOUT_WRITE_H
#define RAPL_STDOUT_WRITE_H

#include <stddef.h>

#include "prompt.h"

/*
 * Writes all of text, with one write(2) unless the reader takes only a part. Waits while the reader
 * takes nothing; once prompt->stop is set, for at most a second. Returns 0; -ECANCELED: gave up
 * after that second; -EPIPE: no reader; another negative errno.
 */
int stdout_write(struct prompt *prompt, const char *text, size_t length);

/* Logs an error of stdout_write() and returns the exit status. */
int output_fail(int error);

/*
 * Waits until stdout and stderr have been read, if they are pipes, for at most a second. Called at
 * the end of the program, because Telegraf closes its ends as soon as the program exits and loses
 * unread data (os/exec, Cmd.Wait, concurrent with the readers in internal/process/process.go).
 */
void output_finish(void);

#endif
