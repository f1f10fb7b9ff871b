/*
 * test_publisher: when something is published, by a clock that stands still unless it is set, and
 * that what is shown keeps to the steps.
 *
 * The publisher looks at its clock once a second; a claim that nothing happens waits for one look.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "publisher.h"
#include "support.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NOON_S (INT64_C(86400) * DAY + 43200)

static char folder[FOLDER_BYTES];
static char path[64];
static struct writer *writer;
static struct publisher *publisher;

/* ---- the clock */

static atomic_int_least64_t unix_s, monotonic_s;
static atomic_int looks;

static int64_t fake_now_s(clockid_t clock)
{
    if (clock == CLOCK_MONOTONIC)
        return atomic_load(&monotonic_s);
    atomic_fetch_add(&looks, 1);
    return atomic_load(&unix_s);
}

static void pass(int64_t s)
{
    atomic_fetch_add(&monotonic_s, s);
}

/* ---- what is rendered */

static struct {
    pthread_mutex_t lock;
    pthread_t thread;
    int times;
    struct publication last; /* its tables are copies */
} rendered = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct table copy_of(const struct table *t)
{
    struct table copy = {xcalloc(t->count + 1, sizeof *t->cells), t->count};

    for (size_t i = 0; i < t->count; i++)
        copy.cells[i] = t->cells[i];
    return copy;
}

static void render(void *ctx, const struct publication *p)
{
    assert_ptr_equal(ctx, &rendered);
    pthread_mutex_lock(&rendered.lock);
    publication_release(&rendered.last);
    rendered.last = *p;
    rendered.last.edge = NULL;
    rendered.last.by_country = copy_of(&p->by_country);
    rendered.last.by_day = copy_of(&p->by_day);
    rendered.last.by_tier = copy_of(&p->by_tier);
    rendered.thread = pthread_self();
    rendered.times++;
    pthread_mutex_unlock(&rendered.lock);
}

static int times_rendered(int64_t *log_size)
{
    int times;

    pthread_mutex_lock(&rendered.lock);
    times = rendered.times;
    *log_size = rendered.last.log_size;
    pthread_mutex_unlock(&rendered.lock);
    return times;
}

static void assert_rendered(int times, int64_t log_size)
{
    int64_t size;

    for (int i = 0; i < 5000 && times_rendered(&size) < times; i++)
        usleep(1000);
    assert_int_equal(times_rendered(&size), times);
    assert_int_equal(size, log_size);
}

/* Nothing more is rendered although the publisher has looked at the clock. */
static void assert_not_rendered_again(void)
{
    int64_t size;
    int times = times_rendered(&size), seen = atomic_load(&looks);

    for (int i = 0; i < 5000 && atomic_load(&looks) == seen; i++)
        usleep(1000);
    assert_true(atomic_load(&looks) > seen);
    usleep(20 * 1000);
    assert_int_equal(times_rendered(&size), times);
}

/* ---- the writer's side */

static atomic_bool refuse; /* the next attempt */

static int on_begin(void *ctx)
{
    (void)ctx;
    return atomic_exchange(&refuse, false) ? DB_FULL : DB_OK;
}

struct adding {
    struct job job;
    int count;
    char country[3];
    enum tier tier;
    day_number day;
};

static int apply_adding(struct job *job, struct db *db)
{
    static uint64_t person; /* the writer's */
    const struct adding *a = (const struct adding *)job;
    uint8_t tag[TAG_LEN];
    struct submission s = {.tag = tag, .tier = a->tier, .day = a->day};

    memcpy(s.country, a->country, sizeof s.country);
    for (int i = 0; i < a->count; i++) {
        fill(tag, sizeof tag, ++person);
        if (add_submission(db, &s) < 0)
            return DB_BROKEN;
    }
    return DB_OK;
}

static void add_some(int count, const char *country, enum tier tier, day_number day)
{
    struct adding a = {.job = {.apply = apply_adding}, .count = count, .tier = tier, .day = day};

    memcpy(a.country, country, sizeof a.country);
    assert_int_equal(writer_run(writer, &a.job), JOB_COMMITTED);
}

static void add(int count)
{
    add_some(count, "KH", TIER_UNCONFIRMED, DAY);
}

struct erasing {
    struct job job;
    int64_t from, to;
};

static int apply_erasing(struct job *job, struct db *db)
{
    const struct erasing *e = (const struct erasing *)job;
    int result = DB_OK;

    for (int64_t index = e->from; index < e->to && result == DB_OK; index++)
        result = db_submission_erase(db, index, VOID_TEST);
    return result;
}

/* Indices from <= index < to. */
static void erase(int64_t from, int64_t to)
{
    struct erasing e = {.job = {.apply = apply_erasing}, .from = from, .to = to};

    assert_int_equal(writer_run(writer, &e.job), JOB_COMMITTED);
}

struct collecting {
    struct job job;
    uint32_t step;
    struct publication publication;
    struct totals totals;
};

static int apply_collecting(struct job *job, struct db *db)
{
    struct collecting *c = (struct collecting *)job;
    int result = publication_collect(&c->publication, db, c->step);

    return result == DB_OK ? db_totals(db, &c->totals) : result;
}

/* The caller releases the publication. */
static struct collecting collect(uint32_t step)
{
    struct collecting c = {.job = {.apply = apply_collecting, .last = true}, .step = step};

    assert_int_equal(writer_run(writer, &c.job), JOB_COMMITTED);
    return c;
}

/* ---- life cycle */

static void open_publisher(struct publish_rule rule, uint32_t step)
{
    const struct publisher_config config = {.writer = writer,
                                            .rule = rule,
                                            .count_step = step,
                                            .render = render,
                                            .ctx = &rendered,
                                            .now_s = fake_now_s};

    publisher = publisher_open(&config);
}

/* For what publication_collect has collected, which is of the system's day; nothing is due. */
static void open_patient_publisher(void)
{
    atomic_store(&unix_s, time(NULL));
    open_publisher((struct publish_rule){3600, 1000}, 1);
}

static int open_writer(void **state)
{
    const struct writer_hooks hooks = {.attempt_begin = on_begin};

    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/petition.db", folder);
    writer = writer_open(new_database(path), 64, &hooks);
    unix_s = NOON_S;
    monotonic_s = 5000;
    rendered.times = 0;
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    if (publisher)
        publisher_close(publisher);
    publisher = NULL;
    writer_close(writer);
    publication_release(&rendered.last);
    remove_folder(folder);
    return 0;
}

/* ---- when */

static void opening_publishes_before_it_returns(void **state)
{
    (void)state;
    add(7);
    open_publisher((struct publish_rule){10, 20}, 1);
    assert_non_null(publisher);
    assert_rendered(1, 8);
    assert_true(pthread_equal(rendered.thread, pthread_self()));
    assert_int_equal(rendered.last.count, 7);
    assert_int_equal(rendered.last.at_s, NOON_S);
}

static void opening_fails_if_nothing_can_be_published(void **state)
{
    (void)state;
    atomic_store(&refuse, true);
    open_publisher((struct publish_rule){10, 20}, 1);
    assert_null(publisher);
    assert_int_equal(rendered.times, 0);
}

static void a_publication_follows_once_time_has_passed_and_entries_are_enough(void **state)
{
    (void)state;
    open_publisher((struct publish_rule){10, 20}, 1);
    add(20);
    pass(9);
    assert_not_rendered_again();
    atomic_store(&refuse, true); /* and it is tried again when it fails */
    pass(1);
    assert_rendered(2, 21);
    assert_false(atomic_load(&refuse));
    assert_false(pthread_equal(rendered.thread, pthread_self()));
}

static void few_entries_wait_ten_minutes_and_none_for_ever(void **state)
{
    (void)state;
    open_publisher((struct publish_rule){10, 20}, 1);
    add(19);
    pass(599);
    assert_not_rendered_again();
    pass(1);
    assert_rendered(2, 20);
    pass(100000);
    assert_not_rendered_again();
}

static void a_new_day_is_published_even_without_entries(void **state)
{
    (void)state;
    add_some(30, "KH", TIER_PAPER, DAY);
    open_publisher((struct publish_rule){10, 20}, 10);
    assert_rendered(1, 31);
    assert_int_equal(rendered.last.by_day.count, 0); /* the day is not over */
    atomic_store(&unix_s, NOON_S + 86400);
    assert_rendered(2, 31);
    assert_int_equal(rendered.last.by_day.count, 1);
    assert_string_equal(rendered.last.by_day.cells[0].key, "2017-10-23");
    assert_int_equal(rendered.last.by_day.cells[0].n, 30);
}

static void what_is_handed_over_is_rendered_at_once(void **state)
{
    struct collecting c;
    struct publication now;

    (void)state;
    open_patient_publisher();
    add(4);
    c = collect(1);
    publisher_show(publisher, &c.publication);
    assert_null(c.publication.by_country.cells);
    assert_rendered(2, 5);
    assert_int_equal(rendered.last.count, 4);
    assert_int_equal(rendered.last.by_tier.count, 1);
    publisher_current(publisher, &now);
    assert_int_equal(now.count, 4);
    assert_int_equal(now.log_size, 5);
    assert_null(now.by_country.cells);
}

static void an_older_publication_that_comes_late_is_not_shown(void **state)
{
    struct collecting c[3];

    (void)state;
    open_patient_publisher();
    for (int i = 0; i < 3; i++) {
        add(1);
        c[i] = collect(1);
    }
    publisher_show(publisher, &c[1].publication);
    assert_rendered(2, 3);
    publisher_show(publisher, &c[0].publication);
    usleep(50 * 1000);
    assert_rendered(2, 3);
    publisher_show(publisher, &c[2].publication);
    assert_rendered(3, 4);
}

/* Holds the writer until all are submitted, so that they are one batch. */
static atomic_bool all_submitted;

static int apply_waiting(struct job *job, struct db *db)
{
    (void)job;
    (void)db;
    while (!atomic_load(&all_submitted))
        usleep(1000);
    return DB_OK;
}

static void ignore(struct job *job)
{
    (void)job;
}

static void submit(struct job *job)
{
    assert_true(writer_reserve(writer));
    job->done = ignore;
    writer_submit(writer, job);
}

static void *open_in_thread(void *arg)
{
    (void)arg;
    open_publisher((struct publish_rule){3600, 1000}, 1);
    return NULL;
}

static void a_publication_shows_its_whole_batch(void **state)
{
    static struct adding adds[30];
    static struct job gate;
    pthread_t opener;

    (void)state;
    atomic_store(&all_submitted, false);
    gate = (struct job){.apply = apply_waiting};
    submit(&gate);
    usleep(20 * 1000);
    for (int i = 0; i < 30; i++) {
        adds[i] = (struct adding){.job = {.apply = apply_adding}, .count = 1, .country = "KH"};
        submit(&adds[i].job);
        if (i == 15)
            assert_int_equal(pthread_create(&opener, NULL, open_in_thread, NULL), 0);
    }
    usleep(50 * 1000);
    atomic_store(&all_submitted, true);
    pthread_join(opener, NULL);
    assert_rendered(1, 31);
    assert_int_equal(rendered.last.count, 30);
}

static void *hand_over_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        struct collecting c;
        struct publication now;

        add(1);
        c = collect(1);
        publisher_show(publisher, &c.publication);
        publisher_current(publisher, &now);
        assert_true(now.log_size <= 41);
    }
    return NULL;
}

static void many_threads_may_hand_over_and_the_newest_is_shown(void **state)
{
    struct publication now = {.log_size = 0};
    pthread_t other;

    (void)state;
    open_patient_publisher();
    assert_int_equal(pthread_create(&other, NULL, hand_over_many, NULL), 0);
    hand_over_many(NULL);
    pthread_join(other, NULL);
    for (int i = 0; i < 2000 && now.log_size < 41; i++) {
        usleep(1000);
        publisher_current(publisher, &now);
    }
    assert_int_equal(now.log_size, 41);
}

static void what_nobody_has_rendered_is_released_on_closing(void **state)
{
    (void)state;
    open_patient_publisher();
    add(1);
    for (int i = 0; i < 10; i++) {
        struct collecting c = collect(1);

        publisher_show(publisher, &c.publication);
    }
}

/* ---- what */

static uint64_t distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* One publication with count_step = 10 against the truth of the same moment. */
static void assert_in_steps(void)
{
    struct collecting c = collect(10);
    const struct publication *p = &c.publication;

    assert_int_equal(p->step, 10);
    assert_int_equal(p->count % 10, 0);
    assert_int_equal(p->confirmed % 10, 0);
    assert_true(p->confirmed <= p->count);
    assert_true(distance(p->count, c.totals.signatures) < 20);
    assert_true(p->confirmed < c.totals.confirmed + 10);
    assert_int_equal(p->count, c.totals.shown_count.value);
    assert_true(c.totals.shown_count.jitter < 10 && c.totals.shown_confirmed.jitter < 10);
    publication_release(&c.publication);
}

static void shown_counts_move_in_steps_and_confirmed_never_exceeds_the_count(void **state)
{
    uint64_t random = 19911023;
    int64_t erased = 1;

    (void)state;
    for (int i = 0; i < 150; i++) {
        enum tier tier = i < 100 || below(&random, 3) ? TIER_CONFIRMED : TIER_UNCONFIRMED;

        add_some((int)below(&random, 12), "KH", tier, DAY);
        if (below(&random, 3) == 0) {
            int64_t size = writer_log_size(writer), to = erased + below(&random, 25);

            to = to < size ? to : size;
            erase(erased, to);
            erased = to;
        }
        assert_in_steps();
    }
    erase(erased, writer_log_size(writer));
    assert_in_steps();
}

static void a_shown_count_rests_while_the_truth_moves_by_less_than_a_step(void **state)
{
    struct collecting c;
    uint64_t shown;

    (void)state;
    add(105);
    c = collect(10);
    shown = c.publication.count;
    publication_release(&c.publication);
    assert_true(shown == 90 || shown == 100);
    for (int i = 0; i < 5; i++) {
        c = collect(10); /* publishing again moves nothing */
        assert_int_equal(c.publication.count, shown);
        publication_release(&c.publication);
    }
}

static void with_step_1_all_is_exact_and_today_is_included(void **state)
{
    day_number today = day_of(time(NULL));
    struct collecting c;

    (void)state;
    add_some(3, "KH", TIER_CONFIRMED, today);
    add_some(1, "FR", TIER_PAPER, today - 1);
    add_some(4, "US", TIER_UNCONFIRMED, today);
    erase(8, 9);
    c = collect(1);
    assert_int_equal(c.publication.count, 7);
    assert_int_equal(c.publication.confirmed, 3);
    assert_int_equal(c.publication.log_size, 9);
    assert_int_equal(c.publication.by_country.count, 3);
    assert_string_equal(c.publication.by_country.cells[0].key, "KH");
    assert_string_equal(c.publication.by_country.cells[1].key, "US");
    assert_string_equal(c.publication.by_country.cells[2].key, "FR");
    assert_int_equal(c.publication.by_country.cells[1].n, 3);
    assert_int_equal(c.publication.by_day.count, 2);
    assert_int_equal(c.publication.by_day.cells[1].n, 6);
    assert_int_equal(c.publication.by_tier.count, 3);
    publication_release(&c.publication);
}

static void tables_hold_completed_days_only_rounded_folded_and_in_shown_order(void **state)
{
    day_number today = day_of(time(NULL));
    struct collecting c;

    (void)state;
    add_some(47, "FR", TIER_UNCONFIRMED, today - 1);
    add_some(41, "KH", TIER_UNCONFIRMED, today - 2);
    add_some(9, "AU", TIER_UNCONFIRMED, today - 2);
    add_some(5, "CA", TIER_PAPER, today - 2);
    add_some(64, "US", TIER_UNCONFIRMED, today - 2);
    add_some(500, "DE", TIER_UNCONFIRMED, today);
    c = collect(10);
    assert_int_equal(c.publication.by_country.count, 4);
    assert_string_equal(c.publication.by_country.cells[0].key, "US");
    assert_string_equal(c.publication.by_country.cells[1].key, "FR"); /* both are shown as 40 */
    assert_string_equal(c.publication.by_country.cells[2].key, "KH");
    assert_string_equal(c.publication.by_country.cells[3].key, "other");
    assert_int_equal(c.publication.by_country.cells[0].n, 60);
    assert_int_equal(c.publication.by_country.cells[1].n, 40);
    assert_int_equal(c.publication.by_country.cells[2].n, 40);
    assert_int_equal(c.publication.by_country.cells[3].n, 10);
    assert_int_equal(c.publication.by_day.count, 2);
    publication_release(&c.publication);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_writer, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(opening_publishes_before_it_returns),
        CLAIM(opening_fails_if_nothing_can_be_published),
        CLAIM(a_publication_follows_once_time_has_passed_and_entries_are_enough),
        CLAIM(few_entries_wait_ten_minutes_and_none_for_ever),
        CLAIM(a_new_day_is_published_even_without_entries),
        CLAIM(what_is_handed_over_is_rendered_at_once),
        CLAIM(an_older_publication_that_comes_late_is_not_shown),
        CLAIM(a_publication_shows_its_whole_batch),
        CLAIM(many_threads_may_hand_over_and_the_newest_is_shown),
        CLAIM(what_nobody_has_rendered_is_released_on_closing),
        CLAIM(shown_counts_move_in_steps_and_confirmed_never_exceeds_the_count),
        CLAIM(a_shown_count_rests_while_the_truth_moves_by_less_than_a_step),
        CLAIM(with_step_1_all_is_exact_and_today_is_included),
        CLAIM(tables_hold_completed_days_only_rounded_folded_and_in_shown_order),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
