/* SPDX-License-Identifier: MIT */
/*
 * Judges a step by listing what can have happened: the counter increased, or wrapped once, twice
 * and so on. Only what is possible under the ceiling remains: a single possibility is a fact,
 * several are undecided.
 */
#include "reference.h"

#define JUDGED_NS (50 * NS_PER_MS)
/* No domain draws more for long: docs/accuracy.md. */
#define WRAP_UW UINT64_C(4000000000)

/* docs/design.md, rule 1: range plus one unit, where a unit is range / (2^32 - 1). */
static wide turn_of(const struct step *step) {
    const wide ticks = UINT32_MAX;
    /* If unknown, assume the smallest range, 2^32 ticks of 15.258 uJ. */
    if (step->range == 0)
        return (ticks + 1) * 15258 / 1000;
    return step->range + (2 * (wide)step->range + ticks) / (2 * ticks);
}

static uint64_t to_uj(const struct step *step, wide shown) {
    return (uint64_t)(shown * 1000000 / step->parts);
}

/* perf's sum has 64 bits, continues past its maximum, and never decreases by half of it. */
static bool goes_back(const struct step *step) {
    const bool passes_end = step->style == STYLE_PERF && step->after - step->before <= INT64_MAX;
    return step->after < step->before && !passes_end;
}

static wide reach(const struct step *step, unsigned int turns) {
    return step->after + turns * turn_of(step);
}

uint64_t step_shown(const struct step *step, unsigned int turns) {
    return (uint64_t)reach(step, turns) - step->before;
}

uint64_t step_energy_uj(const struct step *step, unsigned int turns) {
    const bool lacks =
        step->style == STYLE_PERF ? goes_back(step) : reach(step, turns) < step->before;
    return lacks ? UINT64_MAX : to_uj(step, step_shown(step, turns));
}

static bool is_possible(const struct step *step, unsigned int turns) {
    const uint64_t energy_uj = step_energy_uj(step, turns);
    uint64_t span_ns = step->span_ns + step->slept_ns;
    uint64_t most_uw = step->ceiling_uw;
    if (energy_uj == UINT64_MAX || (turns > 0 && step->style == STYLE_PERF))
        return false;
    /* Without a known range, a decrease is a restart, but a wrap may still be hidden. */
    if (turns > 0 && step->range == 0 && goes_back(step))
        return false;
    if (turns > 0 && most_uw > WRAP_UW)
        most_uw = WRAP_UW;
    if (span_ns < JUDGED_NS)
        span_ns = JUDGED_NS;
    /* The step may contain an update that was still due before, and the next one early. */
    span_ns += (turns == 0 ? 2 : 1) * step->period_ns;
    return (wide)energy_uj * 1000000000 <= (wide)most_uw * span_ns;
}

bool step_goes_back(const struct step *step) {
    return goes_back(step);
}

bool step_may_be_energy(const struct step *step) {
    return is_possible(step, 0);
}

enum verdict step_judge(const struct step *step, uint64_t *energy_uj) {
    const bool back = goes_back(step);
    const bool on = is_possible(step, 0);
    const bool once = is_possible(step, 1);
    const bool twice = is_possible(step, 2);
    *energy_uj = step_energy_uj(step, back ? 1 : 0);
    if (!on && !once)
        return back ? NEW_START : JUMP;
    /* docs/design.md, rule 3. */
    if (step->slept_ns > 0 && back)
        return NEW_START;
    if (step->slept_ns > 0 && !step->gap)
        return on ? COUNTED : JUMP;
    /* Rule 4: a wrap can be hidden in a gap; for perf's sum, which has no range, always. */
    if (step->gap)
        return on && !once && step->style != STYLE_PERF ? COUNTED : UNDECIDED;
    /* Rule 7: one more wrap can be hidden if it was unread for too long. */
    if (back)
        return twice ? UNDECIDED : WRAPPED;
    return once ? UNDECIDED : COUNTED;
}
