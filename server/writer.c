/*
 * writer: the queue and its thread (see writer.h).
 *
 * The thread owns the database connection, the shuffle and every checkpoint. The mutex guards the
 * queue and its counters only; nothing is done under it that can block. A batch is whatever has
 * gathered while the last one was committed, so the disk's own pace sets the size.
 *
 * An error of COMMIT that is not "no space" leaves nobody knowing what is on the disk. Then every
 * job of the batch is answered JOB_FAILED and the process ends; the supervisor's restart reads what
 * there is. That is the same path as after a power cut.
 */
#include "writer.h"

#include "log.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <unistd.h>

/* Places beyond the limit for threads that wait: the publisher, deliveries, commands. Visitors
 * cannot take them, so a flood of submissions stops none of these. */
#define INNER_PLACES 16

#define CHECKPOINT_PAGES 15000 /* the WAL is moved to the database above this: 60 MB */
#define TRUNCATE_PAGES                                                                             \
    32000                 /* and its file emptied above this: readers kept it from restarting      \
                           */
#define ERASURE_DELAY_S 5 /* erased columns leave the WAL this long after the commit */
#define HOUSEKEEPING_S  1 /* how often an idle thread looks after the WAL */
#define LAST_ANSWERS_US (300 * 1000) /* for the answers of a failed batch to leave */

/* Jobs in one transaction. `make bench` builds a program with 1, to show what batches are worth. */
#ifndef WRITER_BATCH_MAX
#define WRITER_BATCH_MAX SIZE_MAX
#endif

struct writer {
    struct db *db; /* the thread's, from open to close */
    struct writer_hooks hooks;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first, **end; /* under lock: the queue, in order of arrival */
    int places, limit;        /* under lock: places taken, at most limit */
    bool closing;             /* under lock */
    uint32_t *random;         /* the thread's: as many */
    struct job **batch;       /* the thread's: room for all places */
    int64_t erased_since_s;   /* the thread's: 0, or when the WAL began to hold erased columns */
    atomic_int_least64_t log_size;
    struct writer_stats stats;
};

static const double bounds_jobs[] = {1, 4, 16, 64, 256, 1024};
static const double bounds_commit_s[] = {0.001, 0.004, 0.016, 0.064, 0.25, 1, 4};

static int64_t monotonic_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- one batch */

/* Puts the jobs of the queue into w->batch: those marked `last` at the end, the others in random
 * order (Fisher-Yates; one draw of random bytes serves the batch, and its bias is below 2^-16). */
static size_t shuffle(struct writer *w, struct job *first)
{
    size_t count = 0, early = 0, all = 0;

    for (struct job *job = first; job; job = job->next, all++)
        early += !job->last;
    randombytes_buf(w->random, all * sizeof *w->random);
    for (struct job *job = first; job; job = job->next) {
        size_t at;

        if (job->last) {
            w->batch[early++] = job;
            continue;
        }
        at = w->random[count] % (count + 1);
        w->batch[count] = w->batch[at];
        w->batch[at] = job;
        count++;
    }
    return early;
}

static int apply_all(struct writer *w, size_t count)
{
    int result = db_begin(w->db);

    for (size_t i = 0; i < count && result == DB_OK; i++)
        result = w->batch[i]->apply(w->batch[i], w->db);
    return result;
}

/* One transaction attempt; *broken tells whether the process must end. */
static enum job_result attempt(struct writer *w, size_t count, bool *broken)
{
    int result = w->hooks.attempt_begin ? w->hooks.attempt_begin(w->hooks.ctx) : DB_OK;

    *broken = false;
    if (result == DB_OK)
        result = apply_all(w, count);
    if (result == DB_OK) {
        double started_s = metrics_now_s();

        result = db_commit(w->db);
        histogram_add(&w->stats.commit_seconds, metrics_now_s() - started_s);
        *broken = result != DB_OK && result != DB_FULL;
    }
    atomic_store(&w->stats.disk_full, result == DB_FULL);
    if (result != DB_OK)
        db_rollback(w->db);
    if (w->hooks.attempt_end)
        w->hooks.attempt_end(w->hooks.ctx, result == DB_OK);
    return result == DB_OK ? JOB_COMMITTED : JOB_FAILED;
}

static void give_back_places(struct writer *w, size_t count)
{
    pthread_mutex_lock(&w->lock);
    w->places -= (int)count;
    pthread_mutex_unlock(&w->lock);
}

static void run_batch(struct writer *w, struct job *first)
{
    bool broken;
    size_t count = shuffle(w, first);
    enum job_result result = attempt(w, count, &broken);

    atomic_store(&w->log_size, db_log_size(w->db));
    atomic_store(&w->stats.wal_pages, db_wal_pages(w->db));
    histogram_add(&w->stats.batch_jobs, (double)count);
    if (result != JOB_COMMITTED)
        atomic_fetch_add(&w->stats.failed_batches, 1);
    give_back_places(w, count);
    for (size_t i = 0; i < count; i++) {
        struct job *job = w->batch[i];

        job->result = result;
        job->done(job); /* the job may be gone from here on */
    }
    if (broken) {
        log_error("a commit failed and its outcome is unknown; ending, so that a restart reads it");
        usleep(LAST_ANSWERS_US);
        _exit(1);
    }
}

/* ---- the WAL */

static void look_after_wal(struct writer *w)
{
    int pages = db_wal_pages(w->db), result = DB_OK;
    bool erase_due = false;

    if (db_erasure_pending(w->db)) {
        if (w->erased_since_s == 0)
            w->erased_since_s = monotonic_s();
        erase_due = monotonic_s() - w->erased_since_s >= ERASURE_DELAY_S;
    }
    if (erase_due || pages >= TRUNCATE_PAGES)
        result = db_checkpoint(w->db, true);
    else if (pages >= CHECKPOINT_PAGES)
        result = db_checkpoint(w->db, false);
    if (!db_erasure_pending(w->db))
        w->erased_since_s = 0;
    atomic_store(&w->stats.wal_pages, db_wal_pages(w->db));
    if (result < 0) {
        log_error("a checkpoint failed; ending, so that a restart recovers the database");
        _exit(1);
    }
}

/* ---- the thread */

/* Waits for jobs, or for the time to look after the WAL. Takes the whole queue. */
static struct job *take_queue(struct writer *w, bool *closing)
{
    struct timespec until;
    struct job *first;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += HOUSEKEEPING_S;
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->closing)
        if (pthread_cond_timedwait(&w->wake, &w->lock, &until) != 0)
            break;
    first = w->first;
    w->first = NULL;
    w->end = &w->first;
    *closing = w->closing;
    pthread_mutex_unlock(&w->lock);
    return first;
}

/* Ends the list after a batch; the rest of it. */
static struct job *cut_batch(struct job *first)
{
    struct job *rest;

    for (size_t count = 1; first->next && count < WRITER_BATCH_MAX; count++)
        first = first->next;
    rest = first->next;
    first->next = NULL;
    return rest;
}

static void *run(void *arg)
{
    struct writer *w = arg;
    bool closing = false;

    for (;;) {
        struct job *first = take_queue(w, &closing);

        if (!first && closing)
            return NULL;
        while (first) {
            struct job *rest = cut_batch(first);

            run_batch(w, first);
            first = rest;
        }
        look_after_wal(w);
    }
}

struct writer *writer_open(struct db *db, int queue_limit, const struct writer_hooks *hooks)
{
    struct writer *w = xcalloc(1, sizeof *w);
    pthread_condattr_t monotonic;

    w->db = db;
    w->limit = queue_limit;
    w->end = &w->first;
    w->batch = xcalloc((size_t)(queue_limit + INNER_PLACES), sizeof *w->batch);
    w->random = xcalloc((size_t)(queue_limit + INNER_PLACES), sizeof *w->random);
    if (hooks)
        w->hooks = *hooks;
    atomic_store(&w->log_size, db_log_size(db));
    histogram_init(&w->stats.batch_jobs, bounds_jobs, sizeof bounds_jobs / sizeof *bounds_jobs);
    histogram_init(&w->stats.commit_seconds, bounds_commit_s,
                   sizeof bounds_commit_s / sizeof *bounds_commit_s);
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&w->thread, NULL, run, w) != 0)
        log_fatal(1, "cannot start the writer's thread");
    return w;
}

void writer_close(struct writer *w)
{
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    db_close(w->db);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w->batch);
    free(w->random);
    free(w);
}

/* ---- submitting */

static bool reserve(struct writer *w, int limit)
{
    bool free_place;

    pthread_mutex_lock(&w->lock);
    free_place = w->places < limit && !w->closing;
    w->places += free_place;
    pthread_mutex_unlock(&w->lock);
    return free_place;
}

bool writer_reserve(struct writer *w)
{
    return reserve(w, w->limit);
}

void writer_cancel(struct writer *w)
{
    give_back_places(w, 1);
}

void writer_submit(struct writer *w, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&w->lock);
    *w->end = job;
    w->end = &job->next;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

/* Stands in the queue for the job of a thread that waits. */
struct waiting {
    struct job job;
    struct job *inner;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool finished; /* under lock */
};

static int waiting_apply(struct job *job, struct db *db)
{
    struct waiting *waiting = (struct waiting *)job;

    return waiting->inner->apply(waiting->inner, db);
}

static void waiting_done(struct job *job)
{
    struct waiting *waiting = (struct waiting *)job;

    waiting->inner->result = job->result;
    if (waiting->inner->done)
        waiting->inner->done(waiting->inner);
    pthread_mutex_lock(&waiting->lock);
    waiting->finished = true;
    pthread_cond_signal(&waiting->wake);
    pthread_mutex_unlock(&waiting->lock);
}

enum job_result writer_run(struct writer *w, struct job *job)
{
    struct waiting waiting = {
        .job = {.apply = waiting_apply, .done = waiting_done, .last = job->last}, .inner = job};

    if (!reserve(w, w->limit + INNER_PLACES))
        return job->result = JOB_FAILED;
    pthread_mutex_init(&waiting.lock, NULL);
    pthread_cond_init(&waiting.wake, NULL);
    writer_submit(w, &waiting.job);
    pthread_mutex_lock(&waiting.lock);
    while (!waiting.finished)
        pthread_cond_wait(&waiting.wake, &waiting.lock);
    pthread_mutex_unlock(&waiting.lock);
    pthread_cond_destroy(&waiting.wake);
    pthread_mutex_destroy(&waiting.lock);
    return waiting.job.result; /* the inner one may be gone */
}

int writer_probe(struct job *job, struct db *db)
{
    (void)job;
    return db_touch(db);
}

/* ---- what is known from outside */

const struct writer_stats *writer_stats(const struct writer *w)
{
    return &w->stats;
}

int writer_queue_length(struct writer *w)
{
    int length;

    pthread_mutex_lock(&w->lock);
    length = w->places;
    pthread_mutex_unlock(&w->lock);
    return length;
}

int64_t writer_log_size(const struct writer *w)
{
    return atomic_load(&w->log_size);
}
