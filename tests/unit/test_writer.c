/*
 * test_writer: a batch commits as a whole, or not at all; every job hears of it once; and what was
 * answered survives the process.
 *
 * A gate is a job that holds the writer in its apply(), so that what is submitted meanwhile becomes
 * one batch.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"
#include "writer.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define LIMIT 64

static char folder[FOLDER_BYTES];
static char path[64], wal[64];
static struct writer *writer;

/* ---- hooks: what happened around the attempts, as letters */

static struct {
    char text[1000];
    size_t len;
    bool refuse; /* the next attempt */
} hooked;

static void note(char letter)
{
    if (hooked.len + 1 < sizeof hooked.text)
        hooked.text[hooked.len++] = letter;
}

static int on_begin(void *ctx)
{
    bool refuse = hooked.refuse;

    assert_ptr_equal(ctx, &hooked);
    note('(');
    hooked.refuse = false;
    return refuse ? DB_BROKEN : DB_OK;
}

static void on_end(void *ctx, bool committed)
{
    assert_ptr_equal(ctx, &hooked);
    note(committed ? ')' : ']');
}

/* ---- life cycle */

static int open_writer(void **state)
{
    const struct writer_hooks hooks = {on_begin, on_end, &hooked};

    (void)state;
    memset(&hooked, 0, sizeof hooked);
    make_folder(folder);
    snprintf(path, sizeof path, "%s/petition.db", folder);
    snprintf(wal, sizeof wal, "%s/petition.db-wal", folder);
    writer = writer_open(new_database(path), LIMIT, &hooks);
    return 0;
}

static void close_writer(void)
{
    if (writer)
        writer_close(writer);
    writer = NULL;
}

static int close_all(void **state)
{
    (void)state;
    close_writer();
    remove_folder(folder);
    return 0;
}

/* Entries on the disk. */
static int64_t stored(void)
{
    struct db *reader = open_database(path, DB_READER);
    int64_t size = db_log_size(reader);

    db_close(reader);
    return size;
}

/* ---- jobs */

struct work {
    struct job job;
    uint64_t number; /* its entry stands for it */
    int outcome;     /* what apply returns */
    bool idle;       /* writes nothing */
    int64_t index;
    int64_t seen; /* entries on the disk when done was called */
    int turn;     /* when apply ran */
    atomic_int applied, finished;
};

static atomic_int turns;
static sem_t done_count;
static struct db *done_reader; /* the writer's thread looks through it in done */

static int apply_work(struct job *job, struct db *db)
{
    struct work *w = (struct work *)job;

    w->turn = atomic_fetch_add(&turns, 1);
    atomic_fetch_add(&w->applied, 1);
    note('a');
    if (w->outcome != DB_OK || w->idle)
        return w->outcome;
    w->index = append_entry(db, w->number);
    return w->index < 0 ? (int)w->index : DB_OK;
}

static void work_done(struct job *job)
{
    struct work *w = (struct work *)job;

    if (done_reader && db_snapshot_begin(done_reader) == DB_OK) {
        w->seen = db_log_size(done_reader);
        db_snapshot_end(done_reader);
    }
    atomic_fetch_add(&w->finished, 1);
    sem_post(&done_count);
}

static struct work *new_works(size_t count)
{
    struct work *works = xcalloc(count, sizeof *works);

    sem_init(&done_count, 0, 0);
    for (size_t i = 0; i < count; i++) {
        works[i].job = (struct job){.apply = apply_work, .done = work_done};
        works[i].number = i;
    }
    return works;
}

static void submit(struct work *work)
{
    assert_true(writer_reserve(writer));
    writer_submit(writer, &work->job);
}

static void await(size_t count)
{
    for (size_t i = 0; i < count; i++)
        sem_wait(&done_count);
}

struct gate {
    struct job job;
    sem_t entered, open, left;
};

static int apply_gate(struct job *job, struct db *db)
{
    struct gate *gate = (struct gate *)job;

    (void)db;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
    return DB_OK;
}

static void gate_done(struct job *job)
{
    struct gate *gate = (struct gate *)job;

    sem_post(&gate->left);
}

/* Returns once the writer waits at the gate. */
static void shut(struct gate *gate)
{
    *gate = (struct gate){.job = {.apply = apply_gate, .done = gate_done}};
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
    sem_init(&gate->left, 0, 0);
    assert_true(writer_reserve(writer));
    writer_submit(writer, &gate->job);
    sem_wait(&gate->entered);
}

static void let_go(struct gate *gate)
{
    sem_post(&gate->open);
    sem_wait(&gate->left);
}

/* Submits the jobs as one batch and waits for all. */
static void run_batch_of(struct work *works, size_t count)
{
    struct gate gate;

    shut(&gate);
    for (size_t i = 0; i < count; i++)
        submit(&works[i]);
    let_go(&gate);
    await(count);
}

/* ---- batches */

static void a_batch_commits_together_and_before_any_done(void **state)
{
    struct work *works = new_works(20);

    (void)state;
    done_reader = open_database(path, DB_READER);
    run_batch_of(works, 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(works[i].job.result, JOB_COMMITTED);
        assert_int_equal(works[i].seen, 21);
    }
    close_writer();
    assert_string_equal(hooked.text, "()(aaaaaaaaaaaaaaaaaaaa)");
    db_close(done_reader);
    done_reader = NULL;
    free(works);
}

static void a_job_that_fails_makes_its_batch_fail_and_nothing_is_stored(void **state)
{
    static const int failures[] = {DB_BROKEN, DB_FULL, DB_NO_ROW};
    struct work last = {.job = {.apply = apply_work}};

    (void)state;
    for (size_t f = 0; f < 3; f++) {
        struct work *works = new_works(12);

        works[4].outcome = failures[f];
        run_batch_of(works, 12);
        for (int i = 0; i < 12; i++)
            assert_int_equal(works[i].job.result, JOB_FAILED);
        assert_int_equal(writer_log_size(writer), 1);
        assert_int_equal(stored(), 1);
        free(works);
    }
    assert_int_equal(writer_run(writer, &last.job), JOB_COMMITTED);
    assert_int_equal(last.index, 1);
    assert_int_equal(writer_log_size(writer), 2);
}

static void the_jobs_before_the_failing_one_have_no_share_in_the_next_batch(void **state)
{
    struct work *works = new_works(3);

    (void)state;
    works[2].job.last = true;
    works[2].outcome = DB_FULL;
    run_batch_of(works, 3);
    assert_int_equal(works[0].applied + works[1].applied + works[2].applied, 3);
    works[2].outcome = DB_OK;
    run_batch_of(works + 2, 1);
    assert_int_equal(works[2].job.result, JOB_COMMITTED);
    assert_int_equal(works[2].index, 1);
    assert_int_equal(stored(), 2);
    free(works);
}

static void jobs_marked_last_run_after_all_others(void **state)
{
    struct work *works = new_works(30);
    int latest = -1, first_last = 1 << 30;

    (void)state;
    for (int i = 0; i < 30; i += 3)
        works[i].job.last = true;
    run_batch_of(works, 30);
    for (int i = 0; i < 30; i++) {
        if (!works[i].job.last && works[i].turn > latest)
            latest = works[i].turn;
        if (works[i].job.last && works[i].turn < first_last)
            first_last = works[i].turn;
    }
    assert_true(latest < first_last);
    free(works);
}

/* 300 rounds of five: each count is expected to be 60 or 150, and is allowed 6.5 standard
 * deviations. */
static void the_order_of_arrival_is_shuffled(void **state)
{
    int places[5] = {0}, in_order = 0;
    struct work *works = new_works(5);

    (void)state;
    for (int i = 0; i < 5; i++)
        works[i].idle = true;
    for (int round = 0; round < 300; round++) {
        int place = 0;

        run_batch_of(works, 5);
        for (int i = 1; i < 5; i++)
            place += works[i].turn < works[0].turn;
        places[place]++;
        in_order += works[3].turn < works[4].turn;
    }
    for (int i = 0; i < 5; i++)
        assert_in_range(places[i], 15, 105);
    assert_in_range(in_order, 94, 206);
    free(works);
}

static void hooks_come_in_pairs_around_every_attempt(void **state)
{
    struct work *works = new_works(3);

    (void)state;
    hooked.refuse = true;
    assert_int_equal(writer_run(writer, &works[0].job), JOB_FAILED);
    assert_int_equal(works[0].applied, 0);
    assert_int_equal(works[0].finished, 1);
    works[1].outcome = DB_BROKEN;
    assert_int_equal(writer_run(writer, &works[1].job), JOB_FAILED);
    assert_int_equal(writer_run(writer, &works[2].job), JOB_COMMITTED);
    close_writer();
    assert_string_equal(hooked.text, "(](a](a)");
    assert_int_equal(stored(), 2);
    free(works);
}

static int apply_and_look(struct job *job, struct db *db)
{
    struct work *w = (struct work *)job;
    int result = apply_work(job, db);

    w->seen = writer_log_size(writer);
    return result;
}

static void the_log_size_is_of_the_last_commit(void **state)
{
    struct work work = {.job = {.apply = apply_and_look}};

    (void)state;
    assert_int_equal(writer_log_size(writer), 1);
    assert_int_equal(writer_run(writer, &work.job), JOB_COMMITTED);
    assert_int_equal(work.seen, 1);
    assert_int_equal(writer_log_size(writer), 2);
}

static void a_probe_changes_nothing_and_yet_writes(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct job probe = {.apply = writer_probe};
        int before = atomic_load(&writer_stats(writer)->wal_pages);

        assert_int_equal(writer_run(writer, &probe), JOB_COMMITTED);
        assert_true(atomic_load(&writer_stats(writer)->wal_pages) > before);
    }
    assert_int_equal(writer_log_size(writer), 1);
}

/* ---- the queue */

static void the_queue_takes_as_many_as_its_limit(void **state)
{
    struct work *works = new_works(LIMIT);
    struct gate gate;

    (void)state;
    shut(&gate); /* takes a place until it is done */
    for (int i = 0; i < LIMIT - 1; i++)
        submit(&works[i]);
    assert_false(writer_reserve(writer));
    let_go(&gate);
    await(LIMIT - 1);
    for (int i = 0; i < LIMIT; i++)
        assert_true(writer_reserve(writer));
    assert_false(writer_reserve(writer));
    writer_cancel(writer);
    assert_true(writer_reserve(writer));
    for (int i = 0; i < LIMIT; i++)
        writer_cancel(writer);
    free(works);
}

static void *run_one(void *arg)
{
    struct work *w = arg;

    w->outcome = writer_run(writer, &w->job) == JOB_COMMITTED ? DB_OK : DB_BROKEN;
    return NULL;
}

static void a_full_queue_does_not_stop_the_threads_that_wait(void **state)
{
    struct work *works = new_works(LIMIT);
    struct gate gate;
    pthread_t inner;

    (void)state;
    shut(&gate);
    for (int i = 0; i < LIMIT - 1; i++)
        submit(&works[i]);
    assert_false(writer_reserve(writer));
    assert_int_equal(pthread_create(&inner, NULL, run_one, &works[LIMIT - 1]), 0);
    usleep(20 * 1000);
    let_go(&gate);
    await(LIMIT);
    pthread_join(inner, NULL);
    assert_int_equal(works[LIMIT - 1].outcome, DB_OK);
    assert_int_equal(stored(), 1 + LIMIT);
    free(works);
}

static void *close_in_thread(void *arg)
{
    writer_close(arg);
    return NULL;
}

static void closing_refuses_what_is_new_and_commits_what_is_queued(void **state)
{
    struct work *works = new_works(10), late = {.job = {.apply = apply_work, .done = work_done}};
    struct gate gate;
    pthread_t closer;

    (void)state;
    shut(&gate);
    for (int i = 0; i < 10; i++)
        submit(&works[i]);
    assert_int_equal(pthread_create(&closer, NULL, close_in_thread, writer), 0);
    while (writer_reserve(writer)) {
        writer_cancel(writer);
        usleep(1000);
    }
    assert_int_equal(writer_run(writer, &late.job), JOB_FAILED);
    assert_int_equal(late.applied + late.finished, 0);
    let_go(&gate);
    pthread_join(closer, NULL);
    writer = NULL;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(works[i].job.result, JOB_COMMITTED);
        assert_int_equal(works[i].finished, 1);
    }
    assert_int_equal(stored(), 11);
    free(works);
}

/* ---- many threads */

#define THREADS    8
#define JOBS_EACH  60
#define FAIL_EVERY 20

struct sender {
    pthread_t thread;
    struct work *works;
    int committed;
};

static void *submit_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < JOBS_EACH; i++) {
        while (!writer_reserve(writer))
            usleep(200);
        writer_submit(writer, &s->works[i].job);
    }
    return NULL;
}

static void *run_all(void *arg)
{
    struct sender *s = arg;

    for (int i = 0; i < JOBS_EACH; i++) {
        s->works[i].job.done = NULL;
        if (writer_run(writer, &s->works[i].job) == JOB_COMMITTED)
            s->committed++;
    }
    return NULL;
}

static void start_senders(struct sender *senders, struct work *works, void *(*run)(void *))
{
    for (int t = 0; t < THREADS; t++) {
        senders[t] = (struct sender){.works = works + t * JOBS_EACH};
        assert_int_equal(pthread_create(&senders[t].thread, NULL, run, &senders[t]), 0);
    }
}

static void every_submitted_job_gets_exactly_one_done(void **state)
{
    struct work *works = new_works(THREADS * JOBS_EACH);
    struct sender senders[THREADS];
    int64_t committed = 0;

    (void)state;
    for (int i = 0; i < THREADS * JOBS_EACH; i += FAIL_EVERY)
        works[i].outcome = DB_FULL;
    start_senders(senders, works, submit_all);
    for (int t = 0; t < THREADS; t++)
        pthread_join(senders[t].thread, NULL);
    close_writer();
    for (int i = 0; i < THREADS * JOBS_EACH; i++) {
        assert_int_equal(works[i].finished, 1);
        assert_true(works[i].outcome == DB_OK || works[i].job.result == JOB_FAILED);
        committed += works[i].job.result == JOB_COMMITTED;
    }
    assert_int_equal(stored(), 1 + committed);
    free(works);
}

static void many_threads_may_wait_for_their_jobs_at_once(void **state)
{
    struct work *works = new_works(THREADS * JOBS_EACH);
    bool taken[THREADS * JOBS_EACH] = {false};
    struct sender senders[THREADS];

    (void)state;
    start_senders(senders, works, run_all);
    for (int t = 0; t < THREADS; t++) {
        pthread_join(senders[t].thread, NULL);
        assert_int_equal(senders[t].committed, JOBS_EACH);
    }
    for (int i = 0; i < THREADS * JOBS_EACH; i++) {
        assert_in_range(works[i].index, 1, THREADS * JOBS_EACH);
        assert_false(taken[works[i].index - 1]);
        taken[works[i].index - 1] = true;
    }
    assert_int_equal(writer_log_size(writer), 1 + THREADS * JOBS_EACH);
    free(works);
}

static void free_job(struct job *job)
{
    free(job);
}

static void a_job_may_be_freed_in_its_done(void **state)
{
    struct work *work = new_works(1);

    (void)state;
    work->job.done = free_job;
    assert_int_equal(writer_run(writer, &work->job), JOB_COMMITTED);
    work = new_works(1);
    work->job.done = free_job;
    work->outcome = DB_FULL;
    assert_int_equal(writer_run(writer, &work->job), JOB_FAILED);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_writer, close_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_batch_commits_together_and_before_any_done),
        CLAIM(a_job_that_fails_makes_its_batch_fail_and_nothing_is_stored),
        CLAIM(the_jobs_before_the_failing_one_have_no_share_in_the_next_batch),
        CLAIM(jobs_marked_last_run_after_all_others),
        CLAIM(the_order_of_arrival_is_shuffled),
        CLAIM(hooks_come_in_pairs_around_every_attempt),
        CLAIM(the_log_size_is_of_the_last_commit),
        CLAIM(a_probe_changes_nothing_and_yet_writes),
        CLAIM(the_queue_takes_as_many_as_its_limit),
        CLAIM(a_full_queue_does_not_stop_the_threads_that_wait),
        CLAIM(closing_refuses_what_is_new_and_commits_what_is_queued),
        CLAIM(every_submitted_job_gets_exactly_one_done),
        CLAIM(many_threads_may_wait_for_their_jobs_at_once),
        CLAIM(a_job_may_be_freed_in_its_done),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
