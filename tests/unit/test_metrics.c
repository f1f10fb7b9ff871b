/*
 * test_metrics: histograms count each observation once and their text is exactly that of the
 * format; what many threads add is all there.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "metrics.h"

#include <pthread.h>
#include <string.h>

static const double bounds[] = {0.001, 0.5, 4};

static struct buf text;

static int start(void **state)
{
    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    return 0;
}

static int end(void **state)
{
    (void)state;
    buf_release(&text);
    return 0;
}

static void a_value_on_a_bound_is_within_it(void **state)
{
    static const double values[] = {0, 0.001, 0.0011, 0.5, 3.25, 4, 4.5};
    struct histogram h;

    (void)state;
    histogram_init(&h, bounds, 3);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        histogram_add(&h, values[i]);
    metrics_histogram(&text, "x_seconds", "", &h);
    assert_string_equal(text.data, "x_seconds_bucket{le=\"0.001\"} 2\n"
                                   "x_seconds_bucket{le=\"0.5\"} 4\n"
                                   "x_seconds_bucket{le=\"4\"} 6\n"
                                   "x_seconds_bucket{le=\"+Inf\"} 7\n"
                                   "x_seconds_sum 12.252100\n"
                                   "x_seconds_count 7\n");
}

static void labels_stand_before_the_bound(void **state)
{
    struct histogram h;

    (void)state;
    histogram_init(&h, bounds, 1);
    metrics_histogram(&text, "x", "group=\"a\",code=\"b\"", &h);
    assert_string_equal(text.data, "x_bucket{group=\"a\",code=\"b\",le=\"0.001\"} 0\n"
                                   "x_bucket{group=\"a\",code=\"b\",le=\"+Inf\"} 0\n"
                                   "x_sum{group=\"a\",code=\"b\"} 0.000000\n"
                                   "x_count{group=\"a\",code=\"b\"} 0\n");
}

static void families_and_samples_are_lines_of_the_format(void **state)
{
    (void)state;
    metrics_family(&text, "a_total", METRICS_COUNTER, "Of a.");
    metrics_sample(&text, "a_total", "", UINT64_MAX);
    metrics_family(&text, "b", METRICS_GAUGE, "Of b.");
    metrics_sample(&text, "b", "c=\"d\"", 0);
    metrics_family(&text, "e", METRICS_HISTOGRAM, "Of e.");
    assert_string_equal(text.data, "# HELP a_total Of a.\n# TYPE a_total counter\n"
                                   "a_total 18446744073709551615\n"
                                   "# HELP b Of b.\n# TYPE b gauge\nb{c=\"d\"} 0\n"
                                   "# HELP e Of e.\n# TYPE e histogram\n");
}

static struct histogram shared;

static void *add_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10000; i++)
        histogram_add(&shared, i % 2 ? 0.25 : 2);
    return NULL;
}

static void nothing_that_threads_add_at_once_is_lost(void **state)
{
    pthread_t threads[4];

    (void)state;
    histogram_init(&shared, bounds, 3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    metrics_histogram(&text, "x", "", &shared);
    assert_non_null(strstr(text.data, "le=\"0.5\"} 20000\n"));
    assert_non_null(strstr(text.data, "x_sum 45000.000000\nx_count 40000\n"));
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_value_on_a_bound_is_within_it),
        CLAIM(labels_stand_before_the_bound),
        CLAIM(families_and_samples_are_lines_of_the_format),
        CLAIM(nothing_that_threads_add_at_once_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
