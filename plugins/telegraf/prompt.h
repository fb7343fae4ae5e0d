/* SPDX-License-Identifier: MIT */
/* Decides when to report and when to end: newlines and end of stdin, signals, an interval timer. */
#ifndef RAPL_PROMPT_H
#define RAPL_PROMPT_H

#include <stdbool.h>
#include <stdint.h>

struct prompt {
    int signals;             /* signalfd of the signals handled here */
    int timer;               /* timerfd of the interval, or -1 */
    bool listens;            /* stdin is read */
    bool asked;              /* a report is wanted; several prompts give one report */
    bool stop;               /* stdin has ended, or a signal to end came */
    bool ended;              /* stop was caused by a signal, or waiting failed */
    int error;               /* negative errno if a failure caused the stop, else 0 */
    unsigned int idle_count; /* wakeups in a row without anything to read */
};

/* Blocks the signals that are prompts (SIGHUP, SIGUSR1, SIGUSR2), because they would end the
 * program, and ignores SIGPIPE. Signals that arrive before prompt_open() then count as prompts. */
void prompt_hold_signals(void);

/*
 * Includes prompt_hold_signals(). listen: stdin is read, and SIGTERM and SIGINT end the program in
 * order; otherwise these have their default action. interval_ns 0: no timer. Negative errno.
 */
int prompt_open(struct prompt *prompt, uint64_t interval_ns, bool listen);

/*
 * Reads what is already in stdin. A stdin at its end from the start sets stop, but not with an
 * interval: service managers, nohup, cron and containers provide such a stdin, for example
 * /dev/null.
 */
void prompt_look(struct prompt *prompt);

/* Waits until any event, even one that sets neither asked nor stop, or for timeout_ns (UINT64_MAX:
 * without limit). */
void prompt_wait(struct prompt *prompt, uint64_t timeout_ns);

void prompt_close(struct prompt *prompt);

#endif
