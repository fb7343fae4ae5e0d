/* SPDX-License-Identifier: MIT */
#include "source/source_choice.h"
#include "system/error.h"

#include <stdio.h>
#include <string.h>

typedef struct source *source_opener(const struct source_options *options);

static source_opener *const openers[] = {
    [RAPL_SOURCE_POWERCAP] = powercap_open,
    [RAPL_SOURCE_PERF] = perf_open,
    [RAPL_SOURCE_MSR] = msr_open,
};

int source_choice_open(struct source_choice *choice, enum rapl_source asked,
                       const struct source_options *options, const struct problems *problems) {
    *choice = (struct source_choice){.files = options->files};
    for (enum rapl_source source = RAPL_SOURCE_POWERCAP; source <= RAPL_SOURCE_MSR; source++) {
        if (asked != RAPL_SOURCE_AUTO && asked != source)
            continue;
        struct candidate *candidate = &choice->candidates[choice->count++];
        candidate->kind = source;
        candidate->problems = *problems;
        candidate->problems.list = NULL;
        candidate->problems.count = 0;
        candidate->source = openers[source](options);
        if (candidate->source == NULL) {
            source_choice_close(choice);
            return -ENOMEM;
        }
        candidate->problems.module = candidate->source->module;
    }
    return 0;
}

static void close_candidate(struct candidate *candidate) {
    if (candidate->source != NULL)
        candidate->source->operations->close(candidate->source);
    candidate->source = NULL;
    problems_free(&candidate->problems);
}

int source_choice_reopen(struct source_choice *choice, const struct source_options *options) {
    struct source *sources[SOURCE_CHOICE_MAX] = {NULL};
    int error = 0;
    for (size_t i = 0; i < choice->count && error == 0; i++) {
        if (choice->candidates[i].source == NULL)
            continue;
        sources[i] = openers[choice->candidates[i].kind](options);
        error = sources[i] == NULL ? -ENOMEM : 0;
    }
    for (size_t i = 0; i < choice->count; i++) {
        struct candidate *candidate = &choice->candidates[i];
        struct source *unused = error == 0 ? candidate->source : sources[i];
        if (error == 0)
            candidate->source = sources[i];
        if (unused != NULL)
            unused->operations->close(unused);
        candidate->problems.is_virtual = options->model.is_virtual;
    }
    return error;
}

/* Adds the reason why a candidate does not read: the source's first problem, or the error of its
 * first zone. */
static void add_reason(struct source_choice *choice, struct candidate *candidate) {
    const struct source *source = candidate->source;
    const size_t length = strlen(choice->reason);
    char *text = choice->reason + length;
    const size_t room = sizeof(choice->reason) - length;
    const char *why = problems_first_reason(&candidate->problems);
    const char *between = length > 0 ? "; " : "";
    if (why != NULL)
        snprintf(text, room, "%s%s: %s", between, source->operations->name, why);
    else if (source->zone_count > 0)
        snprintf(text, room, "%s%s: %s/%s: %s", between, source->operations->name,
                 problems_root(&candidate->problems), source->zones[0]->path,
                 rapl_error_text(source->zones[0]->error));
    else
        snprintf(text, room, "%s%s: nothing found", between, source->operations->name);
}

static void settle(struct source_choice *choice, size_t taken) {
    choice->settled = true;
    for (size_t i = 0; i < choice->count; i++) {
        if (i != taken)
            close_candidate(&choice->candidates[i]);
    }
}

void source_choice_keep(struct source_choice *choice) {
    if (choice->settled)
        return;
    choice->reason[0] = '\0'; /* the first candidate: no earlier one failed */
    settle(choice, choice->current);
}

/* Lets a candidate look for zones, limited to the descriptors that the other candidates leave. */
static int discover(struct source_choice *choice, struct candidate *candidate) {
    size_t others = 0;
    for (size_t i = 0; i < choice->count; i++) {
        const struct candidate *other = &choice->candidates[i];
        others += other != candidate && other->source != NULL ? other->source->file_count : 0;
    }
    candidate->source->limit.files = choice->files > others ? choice->files - others : 0;
    return candidate->source->operations->discover(candidate->source, &candidate->problems);
}

int source_choice_discover(struct source_choice *choice) {
    struct candidate *current = &choice->candidates[choice->current];
    if (choice->settled)
        return discover(choice, current);
    int changed = 0;
    choice->reason[0] = '\0';
    for (size_t i = 0; i < choice->count; i++) {
        struct candidate *candidate = &choice->candidates[i];
        int result = discover(choice, candidate);
        if (result < 0)
            return result;
        if (i == choice->current)
            changed = result;
        if (source_readable_count(candidate->source) > 0) {
            if (i != choice->current)
                changed = 1;
            choice->current = i;
            settle(choice, i);
            return changed;
        }
        if (choice->count > 1) /* with one candidate, its problem record has the same text */
            add_reason(choice, candidate);
    }
    return changed;
}

struct source *source_choice_source(const struct source_choice *choice) {
    return choice->count > 0 ? choice->candidates[choice->current].source : NULL;
}

void source_choice_close(struct source_choice *choice) {
    for (size_t i = 0; i < choice->count; i++)
        close_candidate(&choice->candidates[i]);
    *choice = (struct source_choice){.count = 0};
}
