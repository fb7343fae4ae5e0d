/* SPDX-License-Identifier: MIT */
#include "energy/period.h"

/* A short period is known after PAIRS_ENOUGH pairs of moves, or when its bounds differ by at most
 * 1/DOUBT_PART. On a busy machine the first readings come late and find it too long: that takes
 * PAIRS_OF_LONG pairs. */
#define PAIRS_ENOUGH 8
#define PAIRS_OF_LONG 64
#define DOUBT_PART 8

/* A counter that stood for longer than its period was idle, or the period has grown. It has grown
 * after RESTS_ENOUGH of these in a row, each as long as the one before within a half. */
#define RESTS_ENOUGH 3

/* Readings that seek the period start LOOK_LEAST_NS apart; later ones are apart by 1/LOOK_PART of
 * the time for which the counter has stood. */
#define LOOK_LEAST_NS UINT64_C(500000)
#define LOOK_PART 32

static uint64_t span_ns(uint64_t begin_ns, uint64_t end_ns) {
    return end_ns > begin_ns ? end_ns - begin_ns : 0;
}

uint64_t period_stood_ns(const struct period *period, uint64_t now_ns) {
    return period->shown_ns != 0 ? span_ns(period->shown_ns, now_ns) : 0;
}

void period_break(struct period *period) {
    period->before_ns = 0;
    period->shown_ns = 0;
    period->large = false;
    period->stands = false;
}

/* Takes two consecutive updates, at least least_ns and at most most_ns apart (UINT64_MAX:
 * unknown). */
static void measure(struct period *period, uint64_t least_ns, uint64_t most_ns) {
    const bool is_known = period->most_ns != 0;
    if (is_known && least_ns > period->most_ns) {
        const bool is_like = least_ns <= period->rest_ns + period->rest_ns / 2 &&
                             period->rest_ns <= least_ns + least_ns / 2;
        period->rests = is_like ? period->rests + 1 : 1;
        period->rest_ns = least_ns;
        if (period->rests < RESTS_ENOUGH || most_ns > PERIOD_LONGEST_NS)
            return;
        period->most_ns = most_ns;
        period->least_ns = least_ns;
    } else if (least_ns > period->least_ns) {
        period->least_ns = least_ns;
    }
    period->rests = 0;
    if (most_ns == UINT64_MAX || (is_known && most_ns >= period->most_ns))
        return;
    period->most_ns = most_ns;
    if (period->least_ns > most_ns)
        period->least_ns = least_ns;
}

static void seek(struct period *period) {
    period->state = PERIOD_SOUGHT;
    period->sought_ns = 0;
    period->pairs = 0;
    period->has_stood = false;
}

static bool is_short(const struct period *period) {
    return period->most_ns != 0 && period->most_ns <= PERIOD_SLOW_NS;
}

static bool is_fast(const struct period *period) {
    if (!is_short(period))
        return false;
    const bool is_usual = period->most_ns <= PERIOD_USUAL_NS + LOOK_LEAST_NS;
    return period->state == PERIOD_FAST ||
           period->pairs >= (is_usual ? PAIRS_ENOUGH : PAIRS_OF_LONG) ||
           period->most_ns - period->least_ns <= period->most_ns / DOUBT_PART;
}

/* was_long: the period was not known to be short before this move. */
static void judge(struct period *period, uint64_t now_ns, bool was_long) {
    if (period->least_ns > PERIOD_SLOW_NS) {
        period->state = PERIOD_SLOW;
        return;
    }
    const bool grew = period->most_ns > PERIOD_SLOW_NS && period->state == PERIOD_FAST;
    const bool shrank = was_long && is_short(period) && period->state == PERIOD_ASSUMED;
    if (period->state == PERIOD_SLOW || grew || shrank)
        seek(period);
    if (is_fast(period))
        period->state = PERIOD_FAST;
    if (period->state != PERIOD_SOUGHT)
        return;
    if (period->sought_ns == 0)
        period->sought_ns = now_ns;
    else if (span_ns(period->sought_ns, now_ns) > PERIOD_LONGEST_NS)
        period->state = PERIOD_ASSUMED;
}

static void take_stand(struct period *period, uint64_t begin_ns, uint64_t end_ns) {
    period->stands = true;
    if (period->shown_ns == 0)
        period->shown_ns = begin_ns;
    if (period->state != PERIOD_SOUGHT)
        return;
    const bool is_idle = period->sought_ns != 0 && !period->large;
    if (!is_idle && period_stood_ns(period, end_ns) > PERIOD_SLOW_NS)
        period->has_stood = true;
    if (period->sought_ns != 0)
        judge(period, end_ns, false);
}

void period_take(struct period *period, enum move move, uint64_t begin_ns, uint64_t end_ns) {
    if (move == MOVE_NONE) {
        take_stand(period, begin_ns, end_ns);
        return;
    }
    const bool large = move == MOVE_LARGE;
    uint64_t least_ns = 0;
    if (large && period->large && period->shown_ns != 0)
        least_ns = span_ns(period->shown_ns, begin_ns);
    if (least_ns > PERIOD_LONGEST_NS)
        least_ns = 0; /* it was idle */
    const bool is_pair = period->before_ns != 0;
    const bool was_long = !is_short(period);
    period->pairs += is_pair;
    measure(period, least_ns, is_pair ? span_ns(period->before_ns, end_ns) : UINT64_MAX);
    period->before_ns = begin_ns;
    period->shown_ns = end_ns;
    period->large = large;
    period->stands = false;
    period->has_stood = period->has_stood && large;
    judge(period, end_ns, was_long);
}

static uint64_t later_ns(uint64_t a_ns, uint64_t b_ns) {
    return a_ns > b_ns ? a_ns : b_ns;
}

/* Time until a look at the next update. If a report spans many updates, its exact ends matter
 * little. */
static uint64_t look_for_update_ns(const struct period *period, uint64_t now_ns,
                                   uint64_t interval_ns) {
    if (interval_ns / PERIOD_SHARPNESS >= period->most_ns || period->before_ns == 0 ||
        period_stood_ns(period, now_ns) > PERIOD_REST * period->most_ns)
        return UINT64_MAX;
    return later_ns(span_ns(now_ns, period->before_ns + period->least_ns),
                    period->least_ns / LOOK_PART);
}

uint64_t period_look_ns(const struct period *period, uint64_t now_ns, uint64_t interval_ns) {
    if (period->state == PERIOD_SLOW)
        return look_for_update_ns(period, now_ns, interval_ns);
    if (period->state != PERIOD_SOUGHT)
        return UINT64_MAX;
    const uint64_t stood_ns = period_stood_ns(period, now_ns);
    const bool is_over =
        period->sought_ns != 0 && span_ns(period->sought_ns, now_ns) > PERIOD_LONGEST_NS;
    if (is_over || stood_ns > PERIOD_LONGEST_NS)
        return UINT64_MAX;
    return later_ns(LOOK_LEAST_NS, stood_ns / LOOK_PART);
}
