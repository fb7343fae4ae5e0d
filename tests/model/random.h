/* SPDX-License-Identifier: MIT */
/* Random numbers from one seed (splitmix64, by Sebastiano Vigna). */
#ifndef RAPL_MODEL_RANDOM_H
#define RAPL_MODEL_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random) {
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Returns a number from 0 to count - 1; count is not 0. */
static inline uint64_t random_below(struct random *random, uint64_t count) {
    __extension__ typedef unsigned __int128 wide;
    return (uint64_t)(((wide)random_next(random) * count) >> 64);
}

/* True once in this many times on average; 0: never. */
static inline bool random_once_in(struct random *random, uint64_t times) {
    return times != 0 && random_below(random, times) == 0;
}

/* Returns a number from 0 to most; small and large magnitudes are equally likely. */
static inline uint64_t random_scaled(struct random *random, uint64_t most) {
    const uint64_t wide = most >> random_below(random, 40);
    return wide == UINT64_MAX ? random_next(random) : random_below(random, wide + 1);
}

#endif
