/*
 * writer: the queue and the one thread that writes the database.
 *
 * Promised order: the thread takes the whole queue, runs it in random order (so that neighbours in
 * the log say nothing about the order of arrival), with the jobs marked `last` at the end, in one
 * transaction, COMMITs, and only then calls done() of each. One fsync per batch.
 *
 * A job's life: the caller fills apply and done, reserves a place, then submits. From submit until
 * done returns the job belongs to the writer. apply() decides before its first write, so that a
 * refusal leaves nothing behind; a database failure in one job rolls back the whole batch, and
 * every job of it gets JOB_FAILED ("unknown": sending again is harmless).
 */
#ifndef WRITER_H
#define WRITER_H

#include "db.h"
#include "metrics.h"

enum job_result { JOB_COMMITTED, JOB_FAILED };

struct job {
    struct job *next; /* the queue's, from submit to done */
    /* Writer thread, inside the transaction. A verdict goes into the job's own struct; returns 0,
     * or the negative result of a db call. May be called again if the attempt is repeated. */
    int (*apply)(struct job *job, struct db *db);
    /* Writer thread, after COMMIT or failure; must not block. The job may be freed in it. */
    void (*done)(struct job *job);
    enum job_result result; /* set before done */
    bool last;              /* runs after all others of its batch */
};

struct writer;

/* Called around every transaction attempt, on the writer thread: for keys that live that long. */
struct writer_hooks {
    int (*attempt_begin)(void *ctx); /* 0, or negative to fail the batch */
    void (*attempt_end)(void *ctx, bool committed);
    void *ctx;
};

/* Starts the thread; it owns db until writer_close. `hooks` may be NULL. */
struct writer *writer_open(struct db *db, int queue_limit, const struct writer_hooks *hooks);
/* Finishes what is queued, stops the thread, closes the database. Nothing may be submitted any
 * more. */
void writer_close(struct writer *w);

/* Takes a place in the queue; false if it is full or closing. With true, submit or cancel must
 * follow. */
bool writer_reserve(struct writer *w) __attribute__((warn_unused_result));
void writer_cancel(struct writer *w);
void writer_submit(struct writer *w, struct job *job);
/* For threads that may wait: reserves, submits, and returns after done (which may be NULL) has run.
 * JOB_FAILED, without done, when the writer is closing. They have places of their own: a queue that
 * visitors have filled does not stop them. */
enum job_result writer_run(struct writer *w, struct job *job) __attribute__((warn_unused_result));

/* apply() of a job that changes nothing and yet is committed to the disk as a submission is: for
 * whoever wants to know whether the writer still writes. */
int writer_probe(struct job *job, struct db *db);

/* What the writer has done since the start. Any thread. */
struct writer_stats {
    struct histogram batch_jobs;     /* of every batch */
    struct histogram commit_seconds; /* of every commit that was tried */
    metrics_counter failed_batches;
    atomic_int wal_pages;  /* as of the last commit or checkpoint */
    atomic_bool disk_full; /* the last attempt found no room */
};
const struct writer_stats *writer_stats(const struct writer *w);
/* Jobs submitted or announced by a reservation, and not yet committed. Any thread. */
int writer_queue_length(struct writer *w);

/* Entries of the log as of the last commit. Any thread. */
int64_t writer_log_size(const struct writer *w);

#endif
