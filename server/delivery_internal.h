/*
 * delivery_internal: what the files of delivery share, and nobody else sees.
 *
 * delivery.c is the thread and the states; delivery_freeze.c takes the snapshots and has them
 * spooled; delivery_build.c makes the bundles and log.zip of what is frozen; delivery_files.c finds
 * and deletes them.
 */
#ifndef DELIVERY_INTERNAL_H
#define DELIVERY_INTERNAL_H

#include "delivery.h"

#include <pthread.h>
#include <stdatomic.h>

#define DELIVERY_SPARE_BYTES                                                                       \
    (100 * 1000 * 1000) /* of the disk: for signatures that come meanwhile */
#define DELIVERY_WHY_MAX 400

/* Share of spooling in the whole progress; the bundles have the rest. */
#define DELIVERY_SPOOL_SHARE 0.6

struct delivery {
    struct delivery_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken;      /* under lock */
    int mend_s;      /* the thread's: until a missing log.zip is tried again */
    bool log_missed; /* the thread's: the log.zip of a done delivery could not be made yet */
    atomic_bool closing;
    atomic_int_least64_t in_work; /* id, or 0 */
    atomic_int permille;
};

/* One change of the delivery in the database. */
struct delivery_job {
    struct job job;
    struct delivery *d;
    struct delivery_row *row;
    const struct bundle_row *bundle;
    enum delivery_state state;
    const char *why;
    bool found;
    const struct dlv_entry *entry;
    int64_t index; /* of the entry */
    int64_t after; /* number of the delivery before the one that is looked for */
    /* freezing, and entering */
    struct db *readers[BUNDLE_SNAPSHOTS];
    int open; /* of them have a snapshot */
    int reader_result;
    struct publication publication;
};

/* Runs the job, again and again while the database is only busy or full; false when closing. */
bool delivery_run_job(struct delivery *d, struct delivery_job *j);
/* Has the log signed as far as a job has collected it, and shows it. Takes the publication. */
int delivery_publish(struct delivery *d, struct publication *p);

/* Takes one state of the database, and spools it; then the row has its size. 0, or -1 with a
 * sentence in why. */
int delivery_freeze(struct delivery *d, struct delivery_row *row, struct buf *why);

/* Deletes what an interrupted building left under names that the addressees have no more; and the
 * files of a delivery that failed, but for log.zip. 0, or -1 if some are left, which is logged. */
int delivery_forget_renamed(const struct delivery_config *config, int64_t id)
    __attribute__((warn_unused_result));
int delivery_forget_failed(const struct delivery_config *config, int64_t id);

/* Builds the 19 bundles from the spool, and puts their hashes into the entry. 0, or -1 with a
 * sentence in why. */
int delivery_build(struct delivery *d, struct delivery_row *row, struct dlv_entry *entry,
                   struct buf *why);
/* Makes log.zip unless it is there; if it cannot be made yet, d->log_missed is set. */
void delivery_mend_mirror(struct delivery *d, const struct delivery_row *row);

#endif
