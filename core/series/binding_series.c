/* SPDX-License-Identifier: MIT */
/* The lists of series and of sums. */
#include <errno.h>
#include <stdlib.h>

#include "series/binding.h"
#include "series/binding_whole.h"

static void name_series(const struct binding *binding, struct series *series) {
    zone_format_name(&series->identity, series->name);
    zone_format_parent(&series->identity, series->parent);
    series->selected = zone_filter_matches(binding->zone_filter, series->name);
}

static struct series *add_series(struct binding *binding, const struct zone_identity *identity,
                                 struct series ***list, size_t *count, struct zone_map *map) {
    struct series **longer = realloc(*list, (*count + 1) * sizeof(struct series *));
    if (longer == NULL)
        return NULL;
    *list = longer;
    struct series *series = calloc(1, sizeof(*series));
    if (series == NULL)
        return NULL;
    series->identity = *identity;
    if (zone_map_add(map, &series->identity, series) != 0) {
        free(series);
        return NULL;
    }
    name_series(binding, series);
    series->number = binding->numbered++;
    series->last_zone_index = SERIES_FED_BY_NONE;
    longer[(*count)++] = series;
    return series;
}

struct series *binding_find(const struct binding *binding, const struct zone_identity *identity) {
    return zone_map_find(&binding->series_map, identity);
}

struct series *binding_add(struct binding *binding, const struct zone_identity *identity) {
    struct series *series = add_series(binding, identity, &binding->series, &binding->series_count,
                                       &binding->series_map);
    if (series != NULL)
        whole_order(binding);
    return series;
}

int binding_rename(struct binding *binding, struct series *series,
                   const struct zone_identity *identity) {
    int error = 0;
    series->identity = *identity;
    name_series(binding, series);
    zone_map_free(&binding->series_map);
    for (size_t i = 0; i < binding->series_count && error == 0; i++)
        error =
            zone_map_add(&binding->series_map, &binding->series[i]->identity, binding->series[i]);
    return error;
}

struct series *binding_find_whole(const struct binding *binding,
                                  const struct zone_identity *identity) {
    struct zone_identity whole;
    if (!zone_is_part_of(identity, &whole))
        return NULL;
    const struct zone *zone = zone_map_find(&binding->fed_map, &whole);
    return zone != NULL ? zone->series : binding_find(binding, &whole);
}

/* The sum with that identity; it is made if there is none. */
static struct series *find_sum(struct binding *binding, const struct zone_identity *identity) {
    struct series *sum = zone_map_find(&binding->sum_map, identity);
    return sum != NULL ? sum
                       : add_series(binding, identity, &binding->sums, &binding->sum_count,
                                    &binding->sum_map);
}

int binding_open(struct binding *binding, const struct zone_filter *zone_filter, bool total,
                 bool cores) {
    const struct zone_identity identity = {.kind = ZONE_TOTAL,
                                           .domain = "total",
                                           .package_id = RAPL_NO_ID,
                                           .die_id = RAPL_NO_ID,
                                           .core_id = RAPL_NO_ID};
    binding->zone_filter = zone_filter;
    binding->cores = cores;
    struct series *sum = find_sum(binding, &identity);
    if (sum == NULL)
        return -ENOMEM;
    sum->selected = sum->selected && total;
    return 0;
}

struct series *binding_find_sum(const struct binding *binding, const struct zone *zone) {
    struct zone_identity whole;
    if (zone_in_total(&zone->identity))
        return binding->sums[0];
    return zone_is_core_of(&zone->identity, &whole) ? zone_map_find(&binding->sum_map, &whole)
                                                    : NULL;
}

int binding_join_sum(struct binding *binding, struct series *series) {
    struct zone_identity whole;
    if (zone_in_total(&series->identity)) {
        series->sum = binding->sums[0];
    } else if (zone_is_core_of(&series->identity, &whole)) {
        series->selected = series->selected && binding->cores;
        series->sum = find_sum(binding, &whole);
        if (series->sum == NULL)
            return -ENOMEM;
    }
    return 0;
}

static void free_series(struct series **series, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(series[i]->zones);
        free(series[i]->window);
        free(series[i]);
    }
    free(series);
}

void binding_free(struct binding *binding) {
    free_series(binding->series, binding->series_count);
    free_series(binding->sums, binding->sum_count);
    alikes_free(&binding->alikes);
    zone_map_free(&binding->fed_map);
    zone_map_free(&binding->series_map);
    zone_map_free(&binding->sum_map);
    *binding = (struct binding){.series = NULL};
}
