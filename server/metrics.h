/*
 * metrics: numbers about the process for its operator, and the text they are read in.
 *
 * Format: Prometheus text-based exposition format, version 0.0.4,
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * Whatever has numbers keeps them in types of this module, in its own struct. None of them may
 * depend on who has signed, and none may be about fewer than all: no label takes a value from
 * outside, and there are none for countries, languages or tiers.
 */
#ifndef METRICS_H
#define METRICS_H

#include "buf.h"

#include <stdatomic.h>

typedef atomic_uint_least64_t metrics_counter; /* never falls */

#define HISTOGRAM_BOUNDS_MAX 12

/* How often something was at most so much. Any thread adds. */
struct histogram {
    const double *bounds;                              /* ascending, constant */
    size_t bound_count;                                /* at most HISTOGRAM_BOUNDS_MAX */
    metrics_counter buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* the last: above all bounds */
    metrics_counter sum_millionths;
};

void histogram_init(struct histogram *h, const double *bounds, size_t bound_count);
void histogram_add(struct histogram *h, double value);

/* Seconds of the monotonic clock: differences are what histograms of seconds take. */
double metrics_now_s(void);

/* ---- the text: a family, then its samples. Names, labels and help must need no escaping. */

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help);
/* `labels`: name="value",… or "". */
void metrics_sample(struct buf *out, const char *name, const char *labels, uint64_t value);
/* All series of one histogram. */
void metrics_histogram(struct buf *out, const char *name, const char *labels,
                       const struct histogram *h);

#endif
