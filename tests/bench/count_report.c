/* SPDX-License-Identifier: MIT */
/*
 * Makes reports under callgrind, which counts their instructions: 100, each from prompt to write,
 * 60 ms apart on clocks that are the same in every run; with each of them a bare read of the same
 * files, and a sample. Prints what the numbers depend on besides the code.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"
#include "bare.h"
#include "clocks.h"

#define REPORTS 100

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

/* libc chooses variants of its functions by this. */
static const char *name_vectors(void) {
#ifdef __x86_64__
    return __builtin_cpu_supports("avx2") ? "AVX2" : "no AVX2";
#else
    return "one variant of libc's functions";
#endif
}

int main(int count, char **words) {
    struct answerer answerer;
    char libc[64] = "another libc than glibc";
    if (count != 3)
        errx(2, "usage: count_report samples|plain ROOT");
    const int before = answer_take_pipes();
    clocks_stop();
    answer_open(&answerer, words[2], strcmp(words[1], "samples") == 0);
    struct bare *bare = bare_open(answerer.rapl);
    for (int i = 0; i < REPORTS; i++) {
        answer_prepare(&answerer);
        answer_prompt(&answerer, NULL);
        answer_drain();
        bare_read(bare);
        /* Counters must move, or they count as slow ones. */
        answer_pass(&answerer);
        if (rapl_sample(answerer.rapl) != 0)
            errx(1, "sample");
    }
    bare_close(bare);
    answer_close(&answerer);
    confstr(_CS_GNU_LIBC_VERSION, libc, sizeof(libc));
    dprintf(before, "%s, %s, %s, %s, %s\n", COMPILER, libc, RAPL_BENCH_CPU, RAPL_BENCH_BUILD,
            name_vectors());
    return EXIT_SUCCESS;
}
