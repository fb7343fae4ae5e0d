/* SPDX-License-Identifier: MIT */
/* Fills the texts of problem_cause.c with their subjects. */
#include <stdio.h>
#include <string.h>

#include "problem/problem_cause.h"
#include "problem/problem_remedy.h"
#include "system/error.h"

struct word {
    const char *name;
    const char *parts[5]; /* parts of its replacement, ending with NULL */
};

#define WORD_COUNT ((size_t)7)

/* Returns the end of the text, which stays within its room. */
static char *append(char *to, const char *end, const char *part) {
    while (*part != '\0' && to < end)
        *to++ = *part++;
    return to;
}

static const struct word *find_word(const struct word words[WORD_COUNT], const char *text) {
    for (size_t i = 0; i < WORD_COUNT; i++) {
        if (strncmp(text, words[i].name, strlen(words[i].name)) == 0)
            return &words[i];
    }
    return NULL;
}

static void fill(const char *template, const struct word words[WORD_COUNT], char *to, size_t size) {
    const char *end = to + size - 1;
    while (*template != '\0' && to < end) {
        const struct word *word = find_word(words, template);
        if (word == NULL) {
            *to++ = *template ++;
            continue;
        }
        for (size_t i = 0; word->parts[i] != NULL; i++)
            to = append(to, end, word->parts[i]);
        template += strlen(word->name);
    }
    *to = '\0';
}

void problem_word(struct problems *problems, const struct problem *problem) {
    const struct cause_row *row = problem_cause_row(problem->cause);
    const char *root = problems_root(problems);
    const char *what = problem->subject;
    const unsigned int count = row->by_subject ? problem->others : problem->count - 1;
    char others[32] = "";
    if (count > 0)
        snprintf(others, sizeof(others), " (and %u more)", count);
    const struct word words[WORD_COUNT] = {
        {"{file}", {root, "/", what, others}},
        {"{name}", {what, others}},
        {"{what}", {what}},
        {"{others}", {others}},
        {"{root}", {root}},
        {"{error}", {rapl_error_text(problem->error)}},
        {"{module}", {problems->module != NULL ? problems->module : "intel_rapl_msr"}},
    };
    fill(row->choose_reason != NULL ? row->choose_reason(problem) : row->reason, words,
         problems->reason, sizeof(problems->reason));
    problems->remedy[0] = '\0';
    if (!remedy_file_limit(problems, problem->error)) {
        if (row->word_remedy != NULL)
            row->word_remedy(problems, problem);
        else if (row->remedy != NULL)
            fill(row->remedy, words, problems->remedy, sizeof(problems->remedy));
    }
    /* The owner of a folder chooses paths and names, so they may hold any bytes. */
    rapl_make_printable(problems->reason);
    rapl_make_printable(problems->remedy);
}
