/*
 * test_figures: the rules of shown counts and tables, by example and over random walks.
 *
 * The walks come from a generator with a fixed seed, so every run sees the same ones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "figures.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WALKS      50
#define WALK_STEPS 4000
#define CELLS_MAX  30

static const uint32_t steps[] = {1, 2, 10, 100};
#define STEPS (sizeof steps / sizeof *steps)

/* splitmix64, https://prng.di.unimi.it/splitmix64.c */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint32_t below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(next_random(state) % bound);
}

static uint32_t draw_generated(void *ctx, uint32_t bound)
{
    return below(ctx, bound);
}

static uint32_t draw_given(void *ctx, uint32_t bound)
{
    const uint32_t *jitter = ctx;

    assert_true(*jitter < bound);
    return *jitter;
}

/* The state after a step by 10 in which a redraw gives 7. */
static struct shown after(uint64_t value, uint32_t jitter, uint64_t truth)
{
    struct shown s = {.value = value, .jitter = jitter};
    uint32_t drawn = 7;
    bool moved = figures_step(&s, truth, 10, draw_given, &drawn);

    assert_true(moved == (s.value != value));
    assert_int_equal(s.jitter, moved ? 7 : jitter);
    return s;
}

static void a_figure_moves_up_when_the_truth_reaches_a_step_and_the_jitter_more(void **state)
{
    (void)state;
    assert_int_equal(after(0, 0, 9).value, 0);
    assert_int_equal(after(0, 0, 10).value, 10);
    assert_int_equal(after(0, 9, 18).value, 0);
    assert_int_equal(after(0, 9, 19).value, 10);
    assert_int_equal(after(50, 3, 62).value, 50);
    assert_int_equal(after(50, 3, 63).value, 60);
    assert_int_equal(after(50, 3, 72).value, 60); /* 72 - 3 = 69 */
    assert_int_equal(after(50, 3, 1000003).value, 1000000);
    assert_int_equal(after(50, 3, 1000002).value, 999990);
}

static void a_figure_moves_down_when_the_truth_falls_the_jitter_below_it(void **state)
{
    (void)state;
    assert_int_equal(after(50, 3, 47).value, 50);
    assert_int_equal(after(50, 3, 46).value, 40); /* 46 + 3 = 49 */
    assert_int_equal(after(50, 0, 50).value, 50);
    assert_int_equal(after(50, 0, 49).value, 40);
    assert_int_equal(after(50, 9, 41).value, 50);
    assert_int_equal(after(50, 9, 40).value, 40);
    assert_int_equal(after(50, 9, 0).value, 0);
    assert_int_equal(after(10, 9, 1).value, 10);
    assert_int_equal(after(10, 9, 0).value, 0);
    assert_int_equal(after(0, 9, 0).value, 0);
}

static void a_figure_made_with_another_step_starts_anew(void **state)
{
    uint64_t random = 1;
    struct shown s = {.value = 130, .jitter = 4};

    (void)state;
    assert_true(figures_step(&s, 137, 1, draw_generated, &random));
    assert_int_equal(s.value, 137);
    assert_int_equal(s.jitter, 0);
    assert_true(figures_step(&s, 141, 100, draw_generated, &random));
    assert_int_equal(s.value, 100);
    assert_true(s.jitter < 100);
}

/* Adds up to 3 × step or takes as many away, never below 0. */
static uint64_t wander(uint64_t truth, uint32_t step, uint64_t *random)
{
    uint32_t size = below(random, below(random, 4) == 0 ? 3 * step + 1 : 2);

    if (below(random, 2) == 0)
        return truth + size;
    return truth > size ? truth - size : 0;
}

static void check_walk(uint32_t step, uint64_t *random)
{
    struct shown s = {.value = 0, .jitter = below(random, step)};
    uint64_t truth = 0;

    for (int i = 0; i < WALK_STEPS; i++) {
        truth = wander(truth, step, random);
        figures_step(&s, truth, step, draw_generated, random);
        assert_int_equal(s.value % step, 0);
        assert_true(s.jitter < step);
        assert_true(s.value < truth + 2 * step && truth < s.value + 2 * step);
        assert_true(step > 1 || s.value == truth);
    }
}

static void a_figure_is_a_multiple_of_the_step_and_less_than_two_steps_off(void **state)
{
    uint64_t random = 20171023;

    (void)state;
    for (size_t i = 0; i < STEPS; i++)
        for (int walk = 0; walk < WALKS; walk++)
            check_walk(steps[i], &random);
}

/* What a figure does when the same publication holds one signature more, or one less. */
struct probes {
    uint64_t made, seen_more, seen_less;
};

static uint64_t shown_for(const struct shown *before, uint64_t truth, uint32_t step)
{
    struct shown s = *before;
    uint32_t drawn = 0;

    figures_step(&s, truth, step, draw_given, &drawn);
    return s.value;
}

static void probe(struct probes *p, const struct shown *before, uint64_t truth, uint32_t step)
{
    uint64_t shown = shown_for(before, truth, step);

    p->made++;
    p->seen_more += shown_for(before, truth + 1, step) != shown;
    p->seen_less += truth > 0 && shown_for(before, truth - 1, step) != shown;
}

typedef uint64_t walk(uint64_t truth, uint32_t step, uint64_t *random);

static uint64_t one_by_one(uint64_t truth, uint32_t step, uint64_t *random)
{
    (void)step;
    (void)random;
    return truth + 1;
}

static uint64_t in_batches(uint64_t truth, uint32_t step, uint64_t *random)
{
    (void)step;
    return truth + 20 + below(random, 50);
}

static struct probes probe_along(walk *next, uint32_t step, uint64_t *random)
{
    struct probes p = {0};

    for (int i = 0; i < WALKS; i++) {
        struct shown s = {.value = 0, .jitter = below(random, step)};
        uint64_t truth = 0;

        for (int k = 0; k < WALK_STEPS; k++) {
            truth = next(truth, step, random);
            probe(&p, &s, truth, step);
            figures_step(&s, truth, step, draw_generated, random);
        }
    }
    return p;
}

/* 200,000 probes each, so the standard deviation is below 2.3 % of the chance even for a step of
 * 100. One signature at a time, the chance is (1 - 1 / step²) / step: a redraw that lets the figure
 * move again at once hides what comes between. */
static void a_single_probe_is_seen_with_a_chance_of_one_in_step(void **state)
{
    static walk *const growing[] = {one_by_one, in_batches};
    uint64_t random = 19911023;

    (void)state;
    for (size_t i = 1; i < STEPS; i++) {
        for (size_t k = 0; k < sizeof growing / sizeof *growing; k++) {
            struct probes p = probe_along(growing[k], steps[i], &random);

            assert_in_range(p.seen_more * steps[i], p.made * 7 / 10, p.made * 11 / 10);
            assert_true(p.seen_less * steps[i] <= p.made * 11 / 10);
        }
    }
}

static void a_probe_is_not_seen_more_often_while_signatures_come_and_go(void **state)
{
    uint64_t random = 19911024;

    (void)state;
    for (size_t i = 1; i < STEPS; i++) {
        struct probes p = probe_along(wander, steps[i], &random);

        assert_true(p.seen_more * steps[i] <= p.made * 11 / 10);
        assert_true(p.seen_less * steps[i] <= p.made * 11 / 10);
    }
}

static void with_step_1_every_probe_is_seen(void **state)
{
    uint64_t random = 5;
    struct probes p = probe_along(one_by_one, 1, &random);

    (void)state;
    assert_int_equal(p.seen_more, p.made);
    assert_int_equal(p.seen_less, p.made);
}

static void the_systems_generator_stays_below_the_bound(void **state)
{
    uint32_t seen = 0;

    (void)state;
    assert_int_equal(figures_draw_random(NULL, 1), 0);
    for (int i = 0; i < 1000; i++) {
        uint32_t drawn = figures_draw_random(NULL, 10);

        assert_true(drawn < 10);
        seen |= 1U << drawn;
    }
    assert_int_equal(seen, 0x3ff);
}

static size_t fold_five(struct cell out[5], const uint64_t n[5])
{
    static const char *const keys[5] = {"KH", "FR", "US", "AU", "CA"};

    for (size_t i = 0; i < 5; i++) {
        out[i] = (struct cell){.n = n[i]};
        memcpy(out[i].key, keys[i], 2);
    }
    return figures_fold(out, 5, 10);
}

static void assert_cell(const struct cell *cell, const char *key, uint64_t n)
{
    assert_string_equal(cell->key, key);
    assert_int_equal(cell->n, n);
}

static void small_cells_are_folded_into_other(void **state)
{
    struct cell c[5];

    (void)state;
    assert_int_equal(fold_five(c, (const uint64_t[]){8, 129, 9, 7, 10}), 3);
    assert_cell(&c[0], "FR", 120);
    assert_cell(&c[1], "CA", 10);
    assert_cell(&c[2], "other", 20);
}

static void a_lone_small_cell_takes_the_smallest_of_the_rest_with_it(void **state)
{
    struct cell c[5];

    (void)state;
    assert_int_equal(fold_five(c, (const uint64_t[]){55, 129, 3, 48, 48}), 4);
    assert_cell(&c[0], "KH", 50);
    assert_cell(&c[1], "FR", 120);
    assert_cell(&c[2], "CA", 40);
    assert_cell(&c[3], "other", 50);
}

static void cells_of_zero_vanish_and_hide_nobody(void **state)
{
    struct cell c[5];

    (void)state;
    assert_int_equal(fold_five(c, (const uint64_t[]){0, 129, 0, 10, 0}), 2);
    assert_cell(&c[0], "FR", 120);
    assert_cell(&c[1], "AU", 10);
    assert_int_equal(fold_five(c, (const uint64_t[]){0, 0, 0, 0, 0}), 0);
    assert_int_equal(figures_fold(c, 0, 10), 0);
}

static void a_table_may_be_all_other_or_empty(void **state)
{
    struct cell c[5];

    (void)state;
    assert_int_equal(fold_five(c, (const uint64_t[]){9, 9, 9, 9, 9}), 1);
    assert_cell(&c[0], "other", 40);
    assert_int_equal(fold_five(c, (const uint64_t[]){0, 25, 0, 9, 0}), 1);
    assert_cell(&c[0], "other", 30);
    assert_int_equal(fold_five(c, (const uint64_t[]){1, 0, 9, 0, 0}), 1);
    assert_cell(&c[0], "other", 10);
    assert_int_equal(fold_five(c, (const uint64_t[]){1, 2, 3, 0, 0}), 0);
    assert_int_equal(fold_five(c, (const uint64_t[]){9, 0, 0, 0, 0}), 0);
}

static void check_fold(const struct cell *truth, size_t count, uint32_t step)
{
    struct cell shown[CELLS_MAX];
    uint64_t all = 0, sum = 0;
    size_t kept, hidden = 0, at = 0;
    bool other;

    memcpy(shown, truth, count * sizeof *truth);
    kept = figures_fold(shown, count, step);
    assert_true(kept <= count);
    other = kept > 0 && strcmp(shown[kept - 1].key, "other") == 0;
    for (size_t i = 0; i < kept; i++) {
        assert_true(shown[i].n >= step && shown[i].n % step == 0);
        sum += shown[i].n;
    }
    for (size_t i = 0; i < count; i++) {
        all += truth[i].n;
        if (at < kept - other && strcmp(truth[i].key, shown[at].key) == 0)
            assert_int_equal(shown[at++].n, truth[i].n - truth[i].n % step);
        else
            hidden += truth[i].n > 0;
    }
    assert_int_equal(at, kept - other);
    assert_true(sum <= all && (step > 1 || (sum == all && !other)));
    assert_true(hidden != 1 || at == 0);
    assert_true(!other || hidden >= 2);
}

static void a_folded_table_never_isolates_a_cell_nor_exceeds_the_truth(void **state)
{
    struct cell truth[CELLS_MAX];
    uint64_t random = 1993;

    (void)state;
    for (int table = 0; table < 100000; table++) {
        uint32_t step = steps[below(&random, STEPS)];
        size_t count = below(&random, CELLS_MAX + 1);

        for (size_t i = 0; i < count; i++) {
            truth[i] = (struct cell){.key = "A", .n = below(&random, 1 + below(&random, 5 * step))};
            truth[i].key[1] = (char)('A' + i);
        }
        check_fold(truth, count, step);
    }
}

static void assert_number(uint64_t n, const char *lang, const char *text)
{
    struct buf out;

    buf_init(&out, BUF_UNLIMITED);
    figures_number(&out, n, lang);
    assert_string_equal(out.data, text);
    buf_release(&out);
}

static void numbers_are_grouped_as_the_language_does(void **state)
{
    (void)state;
    assert_number(0, "en", "0");
    assert_number(999, "en", "999");
    assert_number(1000, "en", "1,000");
    assert_number(1234567, "en", "1,234,567");
    assert_number(1234567, "km", "1,234,567");
    assert_number(1234567, "fr",
                  "1\xe2\x80\xaf"
                  "234\xe2\x80\xaf"
                  "567");
    assert_number(100000, "fr",
                  "100\xe2\x80\xaf"
                  "000");
    assert_number(UINT64_MAX, "en", "18,446,744,073,709,551,615");
}

static void the_next_milestone_is_above_the_count_and_at_most_the_goal(void **state)
{
    static const uint64_t cases[][3] = {
        {0, 1000000, 100},
        {99, 1000000, 100},
        {100, 1000000, 500},
        {999, 1000000, 1000},
        {49999, 1000000, 50000},
        {100000, 1000000, 250000},
        {250000, 1000000, 500000},
        {500000, 1000000, 750000},
        {750000, 1000000, 1000000},
        {999999, 1000000, 1000000},
        {1000000, 1000000, 1000000},
        {2000000, 1000000, 1000000},
        {0, 80, 80},
        {100, 300, 300},
        {1000000, 3000000, 3000000},
        {900000, 3000000, 1000000},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(figures_next_milestone(cases[i][0], cases[i][1]), cases[i][2]);
}

static void a_publication_waits_for_time_and_entries_but_ten_minutes_at_most(void **state)
{
    const struct publish_rule rule = {.every_s = 10, .min_new = 20};

    (void)state;
    assert_false(figures_publication_due(&rule, 9, 1000));
    assert_false(figures_publication_due(&rule, 10, 19));
    assert_true(figures_publication_due(&rule, 10, 20));
    assert_false(figures_publication_due(&rule, 599, 19));
    assert_true(figures_publication_due(&rule, 600, 1));
    assert_false(figures_publication_due(&rule, 100000, 0));
    assert_false(figures_publication_due(&(const struct publish_rule){10, 0}, 10, 0));
    assert_true(figures_publication_due(&(const struct publish_rule){0, 1}, 0, 1));
}

static void a_released_publication_has_no_tables(void **state)
{
    struct publication p = {.count = 10};

    (void)state;
    p.by_country = (struct table){xcalloc(3, sizeof(struct cell)), 3};
    p.by_day = (struct table){xcalloc(2, sizeof(struct cell)), 2};
    publication_release(&p);
    assert_null(p.by_country.cells);
    assert_int_equal(p.by_country.count, 0);
    assert_null(p.by_day.cells);
    publication_release(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_figure_moves_up_when_the_truth_reaches_a_step_and_the_jitter_more),
        cmocka_unit_test(a_figure_moves_down_when_the_truth_falls_the_jitter_below_it),
        cmocka_unit_test(a_figure_made_with_another_step_starts_anew),
        cmocka_unit_test(a_figure_is_a_multiple_of_the_step_and_less_than_two_steps_off),
        cmocka_unit_test(a_single_probe_is_seen_with_a_chance_of_one_in_step),
        cmocka_unit_test(a_probe_is_not_seen_more_often_while_signatures_come_and_go),
        cmocka_unit_test(with_step_1_every_probe_is_seen),
        cmocka_unit_test(the_systems_generator_stays_below_the_bound),
        cmocka_unit_test(small_cells_are_folded_into_other),
        cmocka_unit_test(a_lone_small_cell_takes_the_smallest_of_the_rest_with_it),
        cmocka_unit_test(cells_of_zero_vanish_and_hide_nobody),
        cmocka_unit_test(a_table_may_be_all_other_or_empty),
        cmocka_unit_test(a_folded_table_never_isolates_a_cell_nor_exceeds_the_truth),
        cmocka_unit_test(numbers_are_grouped_as_the_language_does),
        cmocka_unit_test(the_next_milestone_is_above_the_count_and_at_most_the_goal),
        cmocka_unit_test(a_publication_waits_for_time_and_entries_but_ten_minutes_at_most),
        cmocka_unit_test(a_released_publication_has_no_tables),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
