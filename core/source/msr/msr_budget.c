/* SPDX-License-Identifier: MIT */
#include "source/msr/msr_budget.h"

#include <errno.h>
#include <stdlib.h>

#include "system/clock.h"

/* A package or die, or all cores of a package: consecutive readers. */
struct part {
    size_t first;
    size_t count;
    struct zone_identity best; /* the zone with the first rank among its registers */
};

static bool is_core(const struct msr_reader *reader) {
    return reader->core_id != RAPL_NO_ID;
}

/* Returns the first rank among the reader's registers. */
static enum fd_rank rank_reader(const struct msr_readers *layout, const struct msr_reader *reader,
                                unsigned int domains, msr_identifier *identify,
                                const struct source_options *options, struct zone_identity *best) {
    enum fd_rank rank = FD_RANK_UNSELECTED;
    bool has_best = false;
    for (unsigned int i = 0; i < CPU_DOMAINS; i++) {
        const enum cpu_domain domain = (enum cpu_domain)(1U << i);
        struct zone_identity identity;
        if ((domains & domain) == 0 || is_core(reader) != (domain == CPU_CORE))
            continue;
        identify(layout, reader, domain, &identity);
        const enum fd_rank own = source_rank(options, &identity);
        if (has_best && own >= rank)
            continue;
        has_best = true;
        *best = identity;
        rank = own;
    }
    return rank;
}

static size_t count_zones(const struct msr_reader *reader, unsigned int domains) {
    size_t count = 0;
    for (unsigned int i = 0; i < CPU_DOMAINS && !is_core(reader); i++)
        count += (domains >> i) & 1;
    return is_core(reader) ? 1 : count;
}

/* Returns the part that begins at `first`, and fills its item. */
static struct part part_readers(const struct msr_readers *layout, size_t first,
                                unsigned int domains, struct fd_budget_item *item) {
    const struct msr_reader *leader = layout->readers[first];
    struct part part = {.first = first};
    *item = (struct fd_budget_item){.rank = FD_RANK_UNSELECTED};
    for (size_t i = first; i < layout->reader_count; i++) {
        const struct msr_reader *reader = layout->readers[i];
        if (part.count > 0 &&
            (!is_core(leader) || !is_core(reader) || reader->package_id != leader->package_id))
            break;
        part.count++;
        if (reader->stale)
            continue;
        item->files++;
        item->zones += count_zones(reader, domains);
        item->holds = item->holds || reader->device.file >= 0;
        item->waits = item->waits || reader->left_out != 0;
    }
    return part;
}

static int mark_part(const struct msr_readers *layout, const struct part *part, int left_out) {
    int changed = 0;
    for (size_t i = part->first; i < part->first + part->count; i++) {
        struct msr_reader *reader = layout->readers[i];
        changed |= reader->left_out != left_out ? 1 : 0;
        reader->left_out = left_out;
        if (left_out != 0)
            msr_reader_close(reader, left_out);
    }
    return changed;
}

int msr_budget_apply(struct msr_readers *layout, unsigned int domains, msr_identifier *identify,
                     const struct source_options *options, struct source *source,
                     struct problems *problems) {
    const int error = fd_budget_error(&source->limit);
    const bool lacked = source->lacks_members;
    char name[ZONE_NAME_SIZE] = "";
    size_t count = 0;
    size_t left_out = 0;
    int changed = -ENOMEM;
    struct fd_budget_item *items = calloc(layout->reader_count + 1, sizeof(*items));
    struct part *parts = calloc(layout->reader_count + 1, sizeof(*parts));
    if (items == NULL || parts == NULL)
        goto free_parts;
    for (size_t at = 0; at < layout->reader_count; at += parts[count++].count) {
        parts[count] = part_readers(layout, at, domains, &items[count]);
        items[count].rank = rank_reader(layout, layout->readers[at], domains, identify, options,
                                        &parts[count].best);
    }
    (void)fd_budget_choose(&source->limit, items, count, clock_boottime_ns());
    changed = 0;
    source->lacks_members = false;
    for (size_t i = 0; i < count; i++) {
        const struct part *part = &parts[items[i].place];
        changed |= mark_part(layout, part, items[i].taken ? 0 : error);
        if (items[i].taken || items[i].rank >= FD_RANK_STAND_BY)
            continue;
        source->lacks_members = source->lacks_members || items[i].rank == FD_RANK_TOTAL;
        if (left_out == 0)
            zone_format_name(&part->best, name);
        left_out += items[i].zones;
    }
    changed |= source->lacks_members != lacked ? 1 : 0;
    if (left_out > 0)
        problems_raise_left_out(problems, error, left_out, name, fd_budget_most(&source->limit));

free_parts:
    free(items);
    free(parts);
    return changed;
}
