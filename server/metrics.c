/*
 * metrics: histograms and their text (see metrics.h). Any thread.
 *
 * A histogram is read while others add to it: its count is made from the buckets that were read, so
 * the text agrees with itself; the sum may be one observation ahead.
 */
#include "metrics.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

void histogram_init(struct histogram *h, const double *bounds, size_t bound_count)
{
    assert(bound_count <= HISTOGRAM_BOUNDS_MAX);
    *h = (struct histogram){.bounds = bounds, .bound_count = bound_count};
}

void histogram_add(struct histogram *h, double value)
{
    size_t at = 0;

    while (at < h->bound_count && value > h->bounds[at])
        at++;
    atomic_fetch_add_explicit(&h->buckets[at], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_millionths, (uint64_t)(value * 1e6 + 0.5),
                              memory_order_relaxed);
}

double metrics_now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help)
{
    static const char *const types[] = {"counter", "gauge", "histogram"};

    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

/* Name, suffix and labels, with one more label if there is one. */
static void add_series(struct buf *out, const char *name, const char *labels, const char *more)
{
    buf_adds(out, name);
    if (*labels || *more)
        buf_printf(out, "{%s%s%s}", labels, *labels && *more ? "," : "", more);
}

void metrics_sample(struct buf *out, const char *name, const char *labels, uint64_t value)
{
    add_series(out, name, labels, "");
    buf_printf(out, " %" PRIu64 "\n", value);
}

void metrics_histogram(struct buf *out, const char *name, const char *labels,
                       const struct histogram *h)
{
    char series[80], bound[32];
    uint64_t count = 0, sum = atomic_load_explicit(&h->sum_millionths, memory_order_relaxed);

    snprintf(series, sizeof series, "%s_bucket", name);
    for (size_t i = 0; i <= h->bound_count; i++) {
        count += atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
        if (i < h->bound_count)
            snprintf(bound, sizeof bound, "le=\"%g\"", h->bounds[i]);
        else
            snprintf(bound, sizeof bound, "le=\"+Inf\"");
        add_series(out, series, labels, bound);
        buf_printf(out, " %" PRIu64 "\n", count);
    }
    snprintf(series, sizeof series, "%s_sum", name);
    add_series(out, series, labels, "");
    buf_printf(out, " %" PRIu64 ".%06" PRIu64 "\n", sum / 1000000, sum % 1000000);
    snprintf(series, sizeof series, "%s_count", name);
    metrics_sample(out, series, labels, count);
}
