/* SPDX-License-Identifier: MIT */
/* The thread that takes sweeps between two reports if these are too far apart. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "rapl.h"
#include "system/clock.h"

/* A sweep that failed is tried again after this time. */
#define TRY_AGAIN_NS NS_PER_SECOND

struct rapl_sampler {
    struct rapl *rapl;
    pthread_t thread;
    pthread_mutex_t lock; /* protects the handle; held except while waiting */
    pthread_cond_t wake;  /* on CLOCK_MONOTONIC; signalled when the due time may have changed */
    bool stop;
};

/* Waits until the instant, or until it is woken. */
static void wait_until(struct rapl_sampler *sampler, uint64_t until_ns) {
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % NS_PER_SECOND)};
    pthread_cond_timedwait(&sampler->wake, &sampler->lock, &until);
}

static void *run(void *context) {
    struct rapl_sampler *sampler = context;
    pthread_mutex_lock(&sampler->lock);
    while (!sampler->stop) {
        const uint64_t due_ns = rapl_sample_due_ns(sampler->rapl);
        const uint64_t now_ns = clock_monotonic_ns();
        if (due_ns == 0)
            pthread_cond_wait(&sampler->wake, &sampler->lock);
        else if (due_ns > now_ns)
            wait_until(sampler, due_ns);
        else if (rapl_sample(sampler->rapl) != 0)
            wait_until(sampler, now_ns + TRY_AGAIN_NS);
    }
    pthread_mutex_unlock(&sampler->lock);
    return NULL;
}

/* Signals belong to the host, so this thread blocks them. It does not block SIGSYS: seccomp sends
 * it for the thread's own system calls, and the process would end if it was blocked. */
static int start_thread(struct rapl_sampler *sampler) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    sigdelset(&all, SIGSYS);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&sampler->thread, NULL, run, sampler);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

int rapl_sampler_start(struct rapl *rapl, struct rapl_sampler **started) {
    pthread_condattr_t attributes;
    struct rapl_sampler *sampler = calloc(1, sizeof(*sampler));
    if (sampler == NULL)
        return -ENOMEM;
    sampler->rapl = rapl;
    pthread_mutex_init(&sampler->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sampler->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int error = start_thread(sampler);
    if (error != 0) {
        pthread_cond_destroy(&sampler->wake);
        pthread_mutex_destroy(&sampler->lock);
        free(sampler);
        return error;
    }
    *started = sampler;
    return 0;
}

void rapl_sampler_hold(struct rapl_sampler *sampler) {
    if (sampler != NULL)
        pthread_mutex_lock(&sampler->lock);
}

void rapl_sampler_release(struct rapl_sampler *sampler) {
    if (sampler == NULL)
        return;
    pthread_cond_signal(&sampler->wake);
    pthread_mutex_unlock(&sampler->lock);
}

void rapl_sampler_stop(struct rapl_sampler *sampler) {
    if (sampler == NULL)
        return;
    pthread_mutex_lock(&sampler->lock);
    sampler->stop = true;
    pthread_cond_signal(&sampler->wake);
    pthread_mutex_unlock(&sampler->lock);
    pthread_join(sampler->thread, NULL);
    pthread_cond_destroy(&sampler->wake);
    pthread_mutex_destroy(&sampler->lock);
    free(sampler);
}
