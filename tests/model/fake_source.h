/* SPDX-License-Identifier: MIT */
/* A source over a machine of the model, and the calls of the core that no longer leave the program:
 * clocks, the list of online CPUs, the processor's model, memory. */
#ifndef RAPL_MODEL_FAKE_SOURCE_H
#define RAPL_MODEL_FAKE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine.h"
#include "source/source.h"

struct account;

/* What a zone's name says: kind, domain and place, and of a second counter by one name, the
 * kernel's id. */
struct identity {
    enum zone_kind kind;
    const char *domain;
    int package_id;
    int die_id;
    int core_id;
    const char *id; /* "" where it is not needed */
};

/* What a sample met at a zone. */
struct glimpse {
    bool tried;
    int error;
    uint64_t shown;
    uint64_t time_ns;
    uint64_t uncertainty_ns;
    uint64_t count;
    unsigned int restarts;
    size_t counter;
    bool is_false; /* shown is less than the counter had, for this read alone */
};

/* A zone held against another one that may show the same counter. */
struct likeness {
    bool begun;          /* they have been read side by side */
    bool moved;          /* since then, one of them */
    uint64_t shown;      /* of this one, then */
    uint64_t ahead;      /* of the row of values that the other's series has */
    uint64_t offset;     /* that is to be */
    unsigned int equals; /* readings in a row with energy at which ahead was the same */
    uint64_t since_ns;   /* the last of them, and shown is of then; 0: none */
    bool differs;        /* at the last reading of both */
    bool has_common;
    struct glimpse common; /* the last at which it was the same as the other */
};

struct fake_zone {
    struct zone zone; /* first: a zone of the source is one of these */
    struct place *place;
    const struct place *known; /* the last that had a name */
    unsigned int generation;
    bool open;
    bool served;
    bool listed;
    struct glimpse glimpse;

    /* The reference's. */
    struct account *account;  /* it is one of that one's zones */
    struct account *named;    /* the same, or that it would be one of if it read */
    struct identity learned;  /* of which all of this is true */
    bool is_known;            /* which counter it shows, or it shows none that others do */
    size_t family;            /* number of the first bound zone that may show its counter */
    bool begins;              /* its account begins at the common reading */
    struct likeness likeness; /* to the first zone of its account, or to another account's */
};

/* Which sources the core asks for; the machine's is the only one that finds anything. */
struct world {
    struct machine *machine;
    struct source *source;
    bool is_unjudged;  /* the reference takes no part */
    bool memory_fails; /* at the next but so many allocations of the core */
    uint64_t memory_left;
    bool memory_failed;

    /* Since they were last looked at. */
    unsigned int looks;
    unsigned int changes;
    unsigned int samples;
    uint64_t begin_ahead_ns; /* of the last sample */
    uint64_t end_ahead_ns;
    uint64_t begin_ns;
    uint64_t end_ns;
    uint64_t end_raw_ns;
    uint64_t slow_ns;         /* reads of it that take longer are slow */
    uint64_t restarts_before; /* that sample */
    uint64_t restarts;        /* ever */
    uint64_t postponed;       /* starts that would have passed for a wrap */
    bool is_report;           /* samples are those of a report */
    bool has_reported;        /* and the sample of the last one began then, by CLOCK_MONOTONIC: */
    uint64_t reported_ns;
    unsigned int waits; /* for a second look at what showed less than before */
    uint64_t number;    /* of the sample under way */
    uint64_t readings;  /* ever: the steps of the walk */
};

extern struct world world;

void world_begin(struct machine *machine);

/* Of perf: tests/unit/test_perf.c holds the real source to it. */
#define FAKE_UNREAD_UJ UINT64_C(30000000000)

/* One that finds the machine's zones, or none if the machine is read in another way. */
struct source *fake_source_open(enum style style);

/* Parts of it that serve the tree of files, too. */
void *fake_allocate(size_t size); /* never fails */
bool fake_memory_fails(void);
bool fake_is_listed(const struct place *place);
void fake_format_id(const struct place *place, char id[64]);
struct fake_zone *fake_new_zone(const char *id);
/* Reads the zone's counter; sampling: for its glimpse. Negative errno. */
int fake_read(struct fake_zone *zone, bool sampling, uint64_t *shown);
void fake_begin_sample(const struct source *source);
void fake_live_inside(void);
void fake_end_sample(void);

static inline struct fake_zone *fake_zone_at(const struct source *source, size_t index) {
    return (struct fake_zone *)source->zones[index];
}

#endif
