/* SPDX-License-Identifier: MIT */
#include "load.h"

#include <math.h>
#include <string.h>

static const double swing = 0.5;
/* A pulse takes a twentieth of the period and has four times the power of the rest. */
static const double pulse_part = 0.05;
static const double pulse_times = 4;
static const double two_pi = 6.283185307179586;

bool load_parse_shape(const char *text, enum load_shape *shape) {
    static const char *const names[] = {"constant", "step", "wave", "pulse"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *shape = (enum load_shape)i;
            return true;
        }
    }
    return false;
}

/* The factor outside of the pulse. */
static double pulse_rest(void) {
    return 1 / (1 + (pulse_times - 1) * pulse_part);
}

double load_factor(const struct load *load, double seconds) {
    const double period = load->period_seconds;
    const double phase = fmod(seconds, period);

    switch (load->shape) {
    case LOAD_STEP:
        return phase < period / 2 ? 1 - swing : 1 + swing;
    case LOAD_WAVE:
        return 1 + swing * sin(two_pi * phase / period);
    case LOAD_PULSE:
        return phase < period * pulse_part ? pulse_times * pulse_rest() : pulse_rest();
    case LOAD_CONSTANT:
        break;
    }
    return 1;
}

double load_integral(const struct load *load, double seconds) {
    const double period = load->period_seconds;
    const double phase = fmod(seconds, period);
    const double half = period / 2;

    switch (load->shape) {
    case LOAD_STEP:
        return seconds - swing * (phase < half ? phase : period - phase);
    case LOAD_WAVE:
        return seconds + swing * period / two_pi * (1 - cos(two_pi * phase / period));
    case LOAD_PULSE:
        return seconds - phase +
               pulse_rest() * (phase + (pulse_times - 1) * fmin(phase, period * pulse_part));
    case LOAD_CONSTANT:
        break;
    }
    return seconds;
}
