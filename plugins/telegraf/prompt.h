/* SPDX-License-Identifier: MIT */
/* When to report and when to end: newlines and the end of stdin, signals, our own clock. */
#ifndef RAPL_EXECD_PROMPT_H
#define RAPL_EXECD_PROMPT_H

#include <stdbool.h>
#include <stdint.h>

struct prompt {
    int signals;             /* signalfd of every signal that means something */
    int timer;               /* timerfd of the interval, or -1 */
    bool listens;            /* to stdin */
    bool asked;              /* a report is wanted: one, however many prompts there were */
    bool stop;               /* stdin has ended, or a signal says to end */
    bool ended;              /* it was a signal, or nothing can be waited for any more */
    int error;               /* negative errno: what made it stop, where that is a failure */
    unsigned int idle_count; /* times in a row that there was said to be something, and was not */
};

/* Blocks the signals that are prompts (SIGHUP, SIGUSR1, SIGUSR2), which would end the program, and
 * ignores SIGPIPE. Signals that come before prompt_open() are prompts then. */
void prompt_hold_signals(void);

/*
 * The same. listen: prompts and the end of stdin count, and the signals that are ends (SIGTERM,
 * SIGINT) are blocked, too; otherwise these kill as they usually do. interval_ns 0: no clock of our
 * own. Negative errno.
 */
int prompt_open(struct prompt *prompt, uint64_t interval_ns, bool listen);

/*
 * Takes what stdin holds already. A stdin that is at its end from the start sets stop, but with an
 * interval it says nothing: service managers, nohup, cron and containers give one such as
 * /dev/null.
 */
void prompt_look(struct prompt *prompt);

/* Waits until something happens, whether or not it sets asked or stop, or for timeout_ns
 * (UINT64_MAX: for ever). */
void prompt_wait(struct prompt *prompt, uint64_t timeout_ns);

void prompt_close(struct prompt *prompt);

#endif
