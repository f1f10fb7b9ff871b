/*
 * delivery: the thread that makes deliveries, and their states (see delivery.h).
 *
 * All changes of state are writer jobs. What a delivery is made of lies in its folder; the database
 * says how far it is, and never claims a file that is not whole.
 */
#include "delivery_internal.h"

#include "files.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RETRY_S    5  /* after a writer job failed */
#define MEND_S     10 /* until a missing log.zip is tried again; then twice as long, and so on */
#define MEND_MAX_S 3600

/* ---- writer jobs */

bool delivery_run_job(struct delivery *d, struct delivery_job *j)
{
    j->d = d;
    while (writer_run(d->config.writer, &j->job) != JOB_COMMITTED) {
        for (int i = 0; i < 10 * RETRY_S && !atomic_load(&d->closing); i++)
            usleep(100 * 1000);
        if (atomic_load(&d->closing))
            return false;
    }
    return true;
}

static int apply_next(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;
    int result = db_delivery_next(db, &j->row->id);

    j->found = result == DB_OK;
    return result == DB_OK       ? db_delivery_get(db, j->row->id, j->row)
           : result == DB_NO_ROW ? 0
                                 : result;
}

static int apply_state(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;

    return db_delivery_set_state(db, j->row->id, j->state, j->why);
}

static bool set_state(struct delivery *d, struct delivery_row *row, enum delivery_state state,
                      const char *why)
{
    struct delivery_job j = {.job = {.apply = apply_state}, .row = row, .state = state, .why = why};

    return delivery_run_job(d, &j);
}

/* ---- publishing */

int delivery_publish(struct delivery *d, struct publication *p)
{
    int result = head_publish(d->config.head, d->config.writer, p->edge);

    if (result == 0 && d->config.publisher)
        publisher_show(d->config.publisher, p);
    publication_release(p);
    return result;
}

void delivery_changed(const struct delivery_config *config)
{
    if (config->changed)
        config->changed(config->changed_ctx);
}

/* Within the spool. */
static bool on_progress(void *ctx, double fraction)
{
    struct delivery *d = ctx;

    atomic_store(&d->permille, (int)(1000 * DELIVERY_SPOOL_SHARE * fraction));
    return !atomic_load(&d->closing);
}

/* ---- in the log */

static int apply_entered(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;
    int result = db_delivery_entry(db, j->row->id, &j->index);

    j->found = result == DB_OK;
    return result == DB_NO_ROW ? DB_OK : result;
}

/* The entry, once, and a publication that has it. */
static int apply_enter(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;
    int result = apply_entered(job, db);

    publication_release(&j->publication); /* of an attempt before */
    if (result == DB_OK && !j->found)
        result = db_delivery_enter(db, j->entry);
    if (result == DB_OK)
        result = publication_collect(&j->publication, db, j->d->config.count_step);
    return result;
}

static bool enter(struct delivery *d, struct delivery_row *row, const struct dlv_entry *entry)
{
    struct delivery_job j = {.job = {.apply = apply_enter, .last = true},
                             .row = row,
                             .entry = entry};

    if (!delivery_run_job(d, &j))
        return false;
    if (delivery_publish(d, &j.publication) != 0)
        log_error("delivery %" PRId64 ": its entry could not be published yet", row->id);
    delivery_changed(&d->config);
    return true;
}

/* ---- making */

static int make_bundles(struct delivery *d, struct delivery_row *row, struct dlv_entry *entry,
                        struct buf *why)
{
    bundle_clean(&d->config.bundle, row->size == 0);
    if (row->size == 0 && delivery_freeze(d, row, why) != 0)
        return -1;
    *entry = (struct dlv_entry){.n = row->id, .size = row->size};
    return delivery_build(d, row, entry, why);
}

static int make(struct delivery *d, struct delivery_row *row, struct buf *why)
{
    struct delivery_job entered = {.job = {.apply = apply_entered}, .row = row};
    const char *dir = d->config.bundle.dir;
    struct dlv_entry entry;

    if (files_make_dir(d->config.dir) != 0 || files_make_dir(dir) != 0 ||
        files_sync_dir(d->config.dir) != 0) {
        buf_printf(why, "the folder cannot be made: %s", strerror(errno));
        return -1;
    }
    if (!set_state(d, row, DELIVERY_RUNNING, NULL) || !delivery_run_job(d, &entered))
        return -1;
    if (entered.found && row->size == 0) {
        buf_adds(why, "its bundles were made after the backup, and are lost");
        return -1;
    }
    if (!entered.found && make_bundles(d, row, &entry, why) != 0)
        return -1;
    if (!enter(d, row, &entry))
        return -1;
    delivery_mend_mirror(d, row);
    return 0;
}

/* ---- what a death or a restore has left out */

static int apply_before(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;
    int result = db_delivery_last(db, j->row->id, &j->row->id);

    j->found = result == DB_OK;
    return result == DB_OK       ? db_delivery_get(db, j->row->id, j->row)
           : result == DB_NO_ROW ? 0
                                 : result;
}

/* The next one in the log. One that was made after the backup has no row: only the log knows it. */
static int apply_logged(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;
    int64_t size;
    int result;

    j->row->id = j->after;
    j->row->size = j->row->frozen_s = 0;
    result = db_log_delivery(db, INT64_MAX, &j->row->id, &size);
    j->found = result == DB_OK;
    if (result == DB_OK)
        result = db_delivery_get(db, j->row->id, j->row);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* The log.zip of each delivery that is in the log and is not in work. */
static void mend_mirrors(struct delivery *d, struct delivery_row *row)
{
    struct delivery_job j = {.job = {.apply = apply_logged}, .row = row};

    d->log_missed = false;
    while (delivery_run_job(d, &j) && j.found) {
        if (row->size == 0 || row->state == DELIVERY_DONE)
            delivery_mend_mirror(d, row);
        j.after = row->id;
    }
}

/* The process may have died between the commit and the files, and files are in no backup. */
static void mend_files(struct delivery *d)
{
    struct delivery_row row;
    struct delivery_job j = {.job = {.apply = apply_before}, .row = &row};

    delivery_row_init(&row);
    row.id = INT64_MAX;
    while (delivery_run_job(d, &j) && j.found) {
        if (row.completed_s)
            delivery_forget_names(&d->config, row.id);
        if (row.state == DELIVERY_FAILED)
            delivery_forget_failed(&d->config, row.id);
    }
    mend_mirrors(d, &row);
    delivery_row_release(&row);
}

static void work_on(struct delivery *d, struct delivery_row *row)
{
    struct buf dir, why;
    int result;

    buf_init(&dir, BUF_UNLIMITED);
    buf_init(&why, DELIVERY_WHY_MAX);
    buf_printf(&dir, "%s/%" PRId64, d->config.dir, row->id);
    d->config.bundle.dir = dir.data;
    d->config.bundle.spare_bytes = DELIVERY_SPARE_BYTES;
    d->config.bundle.progress = on_progress;
    d->config.bundle.progress_ctx = d;
    d->config.bundle.delivery = row;
    atomic_store(&d->permille, 0);
    atomic_store(&d->in_work, row->id);
    result = make(d, row, &why);
    bundle_clean(&d->config.bundle, result == 0);
    if (result == 0) {
        if (set_state(d, row, DELIVERY_DONE, NULL))
            log_info("delivery %" PRId64 " is done: log size %" PRId64, row->id, row->size);
    } else if (!atomic_load(&d->closing)) {
        log_error("delivery %" PRId64 " failed: %s", row->id, why.data);
        if (set_state(d, row, DELIVERY_FAILED, why.data))
            delivery_forget_failed(&d->config, row->id);
    }
    buf_release(&dir);
    buf_release(&why);
}

/* ---- the thread */

/* Works on the oldest unfinished delivery; false if there is none. */
static bool work_on_next(struct delivery *d)
{
    struct delivery_row row;
    struct delivery_job j = {.job = {.apply = apply_next}, .row = &row};
    bool found;

    delivery_row_init(&row);
    found = delivery_run_job(d, &j) && j.found;
    if (found)
        work_on(d, &row);
    delivery_row_release(&row);
    return found;
}

/* Waits until there is work, or, if a log.zip is missing, until it is tried again. */
static void wait_for_work(struct delivery *d)
{
    struct timespec until;
    int waited = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += d->mend_s;
    pthread_mutex_lock(&d->lock);
    while (!d->woken && waited == 0)
        waited = d->log_missed ? pthread_cond_timedwait(&d->wake, &d->lock, &until)
                               : pthread_cond_wait(&d->wake, &d->lock);
    d->woken = false;
    pthread_mutex_unlock(&d->lock);
}

static void *run(void *arg)
{
    struct delivery *d = arg;

    mend_files(d);
    d->mend_s = MEND_S;
    while (!atomic_load(&d->closing)) {
        while (!atomic_load(&d->closing) && work_on_next(d))
            d->mend_s = MEND_S;
        wait_for_work(d);
        if (!d->log_missed)
            continue;
        mend_files(d);
        d->mend_s = 2 * d->mend_s < MEND_MAX_S ? 2 * d->mend_s : MEND_MAX_S;
    }
    return NULL;
}

struct delivery *delivery_open(const struct delivery_config *config)
{
    struct delivery *d = xcalloc(1, sizeof *d);
    pthread_condattr_t monotonic;

    d->config = *config;
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&d->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&d->thread, NULL, run, d) != 0)
        log_fatal(1, "cannot start the deliveries' thread");
    return d;
}

void delivery_wake(struct delivery *d)
{
    pthread_mutex_lock(&d->lock);
    d->woken = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
}

void delivery_close(struct delivery *d)
{
    atomic_store(&d->closing, true);
    delivery_wake(d);
    pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

double delivery_progress(struct delivery *d, int64_t id)
{
    return atomic_load(&d->in_work) == id ? atomic_load(&d->permille) / 1000.0 : 0;
}
