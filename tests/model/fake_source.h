/* SPDX-License-Identifier: MIT */
/* A source over a machine of the model, and replacements for the core's system access: clocks, the
 * list of online CPUs, the processor's model, memory. */
#ifndef RAPL_MODEL_FAKE_SOURCE_H
#define RAPL_MODEL_FAKE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"
#include "source/source.h"

struct account;

/* What a zone's name says: kind, domain and place, and the kernel's id if two counters share a
 * name. */
struct identity {
    enum zone_kind kind;
    const char *domain;
    int package_id;
    int die_id;
    int core_id;
    const char *id; /* "" if not needed */
};

/* What a sample found at a zone. */
struct glimpse {
    bool tried;
    int error;
    uint64_t shown;
    uint64_t time_ns;
    uint64_t uncertainty_ns;
    uint64_t count;
    unsigned int restarts;
    size_t counter;
    bool is_false; /* this read alone showed less than the counter had */
};

/* A comparison of a zone with another one that may show the same counter. */
struct likeness {
    bool begun;          /* both have been read together */
    bool moved;          /* one of them has moved since */
    uint64_t shown;      /* value of this one at that time */
    uint64_t ahead;      /* distance ahead of the values of the other's series */
    uint64_t offset;     /* value of ahead while both show one counter */
    unsigned int equals; /* readings in a row with energy and equal ahead */
    uint64_t since_ns;   /* time of the last of them and of shown; 0: none */
    bool differs;        /* at the last reading of both */
    bool has_common;
    struct glimpse common; /* last reading at which both were equal */
};

struct fake_zone {
    struct zone zone; /* must be first: a zone of the source points to it */
    struct place *place;
    const struct place *known; /* last place that had a name */
    unsigned int generation;
    bool open;
    bool served;
    bool listed;
    struct glimpse glimpse;

    /* State of the reference. */
    struct account *account;  /* account of which it is a zone */
    struct account *named;    /* the same, or its account once it reads */
    struct identity learned;  /* identity for which the fields below are valid */
    bool is_known;            /* its counter is known, or no other zone shows it */
    size_t family;            /* number of the first bound zone that may show its counter */
    bool begins;              /* its account begins at the common reading */
    struct likeness likeness; /* with the first zone of its account, or with another account's */
};

/* The sources that the core requests; only the machine's finds anything. */
struct world {
    struct machine *machine;
    struct source *source;
    bool is_unjudged;  /* the reference is not used */
    bool memory_fails; /* after memory_left more allocations of the core */
    uint64_t memory_left;
    bool memory_failed;

    /* Counted since the last check. */
    unsigned int looks;
    unsigned int changes;
    unsigned int samples;
    uint64_t begin_ahead_ns; /* of the last sample */
    uint64_t end_ahead_ns;
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t end_raw_ns;
    uint64_t slow_ns;         /* reads of the sample that take longer are slow */
    uint64_t restarts_before; /* before that sample */
    uint64_t restarts;        /* in total */
    uint64_t postponed;       /* restarts postponed, because they would have counted as energy */
    bool is_report;           /* samples belong to a report */
    /* reported_ns is valid: CLOCK_MONOTONIC at which the last report's sample began */
    bool has_reported;
    uint64_t reported_ns;
    unsigned int waits; /* for another look at values that decreased */
    uint64_t number;    /* of the current sample */
    uint64_t readings;  /* in total: the steps of the walk */
};

extern struct world world;

void world_begin(struct machine *machine);

/* For perf; tests/unit/test_perf.c checks the real source against it. */
#define FAKE_UNREAD_UJ UINT64_C(30000000000)

/* Opens a source that finds the machine's zones, or none if the machine has another style. */
struct source *fake_source_open(enum style style);

/* Parts that the tree of files also uses. */
void *fake_allocate(size_t size); /* never fails */
bool fake_memory_fails(void);
bool fake_is_listed(const struct place *place);
void fake_format_id(const struct place *place, char id[64]);
struct fake_zone *fake_new_zone(const char *id);
/* Reads the zone's counter. sampling: also fills its glimpse. Negative errno. */
int fake_read(struct fake_zone *zone, bool sampling, uint64_t *shown);
void fake_begin_sample(const struct source *source);
void fake_live_inside(void);
void fake_end_sample(void);

static inline struct fake_zone *fake_zone_at(const struct source *source, size_t index) {
    return (struct fake_zone *)source->zones[index];
}

#endif
