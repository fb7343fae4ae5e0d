/* SPDX-License-Identifier: MIT */
/* A report on its way to stdout, and what is left in the pipes at the end. */
#ifndef RAPL_EXECD_OUTPUT_H
#define RAPL_EXECD_OUTPUT_H

#include <stddef.h>

#include "prompt.h"

/*
 * Writes all of text with one write(2), and more only where the reader takes a part. While the
 * reader takes nothing it waits; once prompt->stop is set, until that has been so for a second. 0;
 * -ECANCELED: it was given up so; -EPIPE: nobody reads; another negative errno.
 */
int output_write(struct prompt *prompt, const char *text, size_t length);

/* Tells of an error of output_write(), and returns the exit status. */
int output_fail(int error);

/*
 * Waits until the readers of stdout and stderr have taken what is there, for a second at most and
 * only where these are pipes. For the end of the program: Telegraf closes its ends as soon as the
 * program has ended, whatever they hold (os/exec, Cmd.Wait, beside the readers of
 * internal/process/process.go).
 */
void output_finish(void);

#endif
