/* SPDX-License-Identifier: MIT */
/*
 * Linked into the plugin in place of some of its calls. RAPL_PLANTED selects a fault: race: hold
 * takes no lock; leak: the handle is not closed; thread: the sampler is not stopped; slow: a sample
 * takes a second, and stderr shows when it begins. Without it nothing changes.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rapl.h"

/* The linker gives the real functions these names (ld --wrap). */
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c)
void __real_rapl_close(struct rapl *rapl);
void __wrap_rapl_close(struct rapl *rapl);
int __real_rapl_sample(struct rapl *rapl);
int __wrap_rapl_sample(struct rapl *rapl);
void __real_rapl_sampler_hold(struct rapl_sampler *sampler);
void __wrap_rapl_sampler_hold(struct rapl_sampler *sampler);
void __real_rapl_sampler_release(struct rapl_sampler *sampler);
void __wrap_rapl_sampler_release(struct rapl_sampler *sampler);
void __real_rapl_sampler_stop(struct rapl_sampler *sampler);
void __wrap_rapl_sampler_stop(struct rapl_sampler *sampler);

static bool is_planted(const char *fault) {
    const char *planted = getenv("RAPL_PLANTED");
    return planted != NULL && strcmp(planted, fault) == 0;
}

void __wrap_rapl_close(struct rapl *rapl) {
    /* Its thread would still use the handle. */
    if (!is_planted("leak") && !is_planted("thread"))
        __real_rapl_close(rapl);
}

int __wrap_rapl_sample(struct rapl *rapl) {
    static const char begins[] = "planted: a sample begins\n";
    const struct timespec second = {.tv_sec = 1};
    if (is_planted("slow")) {
        ssize_t written = write(STDERR_FILENO, begins, strlen(begins));
        (void)written;
        nanosleep(&second, NULL);
    }
    return __real_rapl_sample(rapl);
}

void __wrap_rapl_sampler_hold(struct rapl_sampler *sampler) {
    if (!is_planted("race"))
        __real_rapl_sampler_hold(sampler);
}

void __wrap_rapl_sampler_release(struct rapl_sampler *sampler) {
    if (!is_planted("race"))
        __real_rapl_sampler_release(sampler);
}

void __wrap_rapl_sampler_stop(struct rapl_sampler *sampler) {
    if (!is_planted("thread"))
        __real_rapl_sampler_stop(sampler);
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c)
