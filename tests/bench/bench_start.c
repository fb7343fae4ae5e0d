/* SPDX-License-Identifier: MIT */
/*
 * Time until energy is known. For rapl-execd: from the start of its process until it has read every
 * counter and waits for a prompt, which is when --debug prints the number of counters; also the
 * time the same program needs to print its version. For a plugin: rapl_open() and the first
 * rapl_report().
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"
#include "rapl.h"

#define TURNS 41

extern char **environ;

/* Milliseconds until the program has written the text to stdout or stderr. */
static double time_start(char *const *words, const char *text) {
    posix_spawn_file_actions_t actions;
    int in[2];
    int out[2];
    pid_t pid;
    char told[8192] = "";
    size_t length = 0;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        err(1, "pipes");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDERR_FILENO);
    const uint64_t begin_ns = measure_now_ns();
    const int error = posix_spawn(&pid, words[0], &actions, NULL, words, environ);
    if (error != 0)
        errx(1, "%s: %s", words[0], strerror(error));
    close(out[1]);
    while (strstr(told, text) == NULL) {
        const ssize_t more = read(out[0], told + length, sizeof(told) - 1 - length);
        if (more <= 0)
            errx(1, "%s never said \"%s\": %s", words[0], text, told);
        length += (size_t)more;
        told[length] = '\0';
    }
    const double took_ms = (double)(measure_now_ns() - begin_ns) / 1e6;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(in[1]);
    close(out[0]);
    return took_ms;
}

static double time_open(const char *root, size_t *zones) {
    struct rapl_options options = RAPL_OPTIONS_DEFAULT;
    const struct rapl_report *report = NULL;
    struct rapl *rapl = NULL;
    options.root = root;
    const uint64_t begin_ns = measure_now_ns();
    int error = rapl_open(&options, &rapl);
    if (error == 0)
        error = rapl_report(rapl, &report);
    const double took_ms = (double)(measure_now_ns() - begin_ns) / 1e6;
    if (error != 0 || report->value_count == 0)
        errx(1, "%s: no energy: %s", root, strerror(-error));
    *zones = rapl_readable_count(rapl);
    rapl_close(rapl);
    return took_ms;
}

static void measure(char *program, const char *root) {
    double starts_ms[TURNS];
    double versions_ms[TURNS];
    double opens_ms[TURNS];
    size_t zones = 0;
    char option[4096];
    char *const start[] = {program, "--debug", option, NULL};
    char *const version[] = {program, "--version", NULL};
    snprintf(option, sizeof(option), "--root=%s", root);
    for (size_t i = 0; i < TURNS; i++) {
        starts_ms[i] = time_start(start, "zones read");
        versions_ms[i] = time_start(version, "rapl-execd");
        opens_ms[i] = time_open(root, &zones);
    }
    printf("%5zu  %8.2f  %10.2f  %7.2f\n", zones, measure_median(starts_ms, TURNS),
           measure_median(versions_ms, TURNS), measure_median(opens_ms, TURNS));
}

int main(int count, char **words) {
    if (count < 3)
        errx(2, "usage: bench_start RAPL-EXECD ROOT...");
    printf("zones  start ms  version ms  open ms\n");
    for (int i = 2; i < count; i++)
        measure(words[1], words[i]);
    return EXIT_SUCCESS;
}
