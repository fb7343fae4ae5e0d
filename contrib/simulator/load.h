/* SPDX-License-Identifier: MIT */
#ifndef RAPL_SIM_LOAD_H
#define RAPL_SIM_LOAD_H

#include <stdbool.h>

enum load_shape { LOAD_CONSTANT, LOAD_STEP, LOAD_WAVE, LOAD_PULSE };

/* Power over time, as a factor with mean 1: a zone's mean power is its base power. */
struct load {
    enum load_shape shape;
    double period_seconds;
};

bool load_parse_shape(const char *text, enum load_shape *shape);
double load_factor(const struct load *load, double seconds);

/* Returns the integral of the factor from 0 to seconds; energy is base watts times this. */
double load_integral(const struct load *load, double seconds);

#endif
