/*
 * delivery: freezing, spooling and building, on one thread (see delivery.h).
 *
 * The thread's own reader connection lives only while a delivery is frozen: an open snapshot keeps
 * the WAL from being truncated. All changes of state are writer jobs. What a delivery is made of
 * lies in its folder; the database says how far it is, and never claims a file that is not whole.
 */
#include "delivery.h"

#include "files.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RETRY_S 5 /* after a writer job failed */

/* Shares of the whole progress. */
#define SPOOL_SHARE 0.6
#define BUILD_SHARE (1 - SPOOL_SHARE)

struct delivery {
    struct delivery_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool woken; /* under lock */
    atomic_bool closing;
    atomic_int_least64_t in_work; /* id, or 0 */
    atomic_int permille;
    double from, share; /* the thread's: which part of the progress the running step is */
};

/* ---- writer jobs */

/* One change of the delivery in the database. */
struct delivery_job {
    struct job job;
    struct delivery *d;
    struct delivery_row *row;
    const struct bundle_row *bundle;
    enum delivery_state state;
    const char *why;
    bool found;
    /* freezing */
    struct db *reader;
    struct publication publication;
    int reader_result;
};

/* Runs the job, again and again while the database is only busy or full; false when closing. */
static bool run_job(struct delivery *d, struct delivery_job *j)
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

static int apply_frozen(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;

    return db_delivery_set_frozen(db, j->row);
}

static int apply_bundle(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;

    return db_bundle_set(db, j->row->id, j->bundle);
}

static bool set_state(struct delivery *d, struct delivery_row *row, enum delivery_state state,
                      const char *why)
{
    struct delivery_job j = {.job = {.apply = apply_state}, .row = row, .state = state, .why = why};

    return run_job(d, &j);
}

/* ---- freezing */

static int apply_freeze(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;

    publication_release(&j->publication); /* of an attempt before */
    return publication_collect(&j->publication, db, j->d->config.count_step);
}

/* Writer's thread, after the commit and before the next batch: so the snapshot, the size and the
 * figures are of one state. */
static void open_snapshot(struct job *job)
{
    struct delivery_job *j = (struct delivery_job *)job;

    if (job->result == JOB_COMMITTED)
        j->reader_result = db_snapshot_begin(j->reader);
}

/* What the frozen state is: the row's size and figures. Then the public sees it, too. */
static int describe_frozen(struct delivery *d, struct delivery_job *j, struct buf *why)
{
    j->row->frozen_s = j->publication.at_s;
    j->row->size = j->publication.log_size;
    buf_clear(&j->row->figures);
    if (bundle_figures(&j->row->figures, j->row, j->reader, &j->publication) != 0) {
        buf_adds(why, "the database could not be read");
        return -1;
    }
    if (d->config.publisher)
        publisher_show(d->config.publisher, &j->publication);
    return 0;
}

static int spool_frozen(struct delivery *d, struct delivery_job *j, struct buf *why)
{
    struct bundle_context bundle = d->config.bundle;
    int result = describe_frozen(d, j, why);

    bundle.delivery = j->row;
    return result == 0 ? bundle_spool(&bundle, j->reader, why) : result;
}

static int freeze(struct delivery *d, struct delivery_row *row, struct buf *why)
{
    struct delivery_job j = {.job = {.apply = apply_freeze, .done = open_snapshot, .last = true},
                             .row = row};
    int result = -1;

    j.reader = db_open(d->config.database, DB_READER, why);
    if (!j.reader)
        return -1;
    if (run_job(d, &j) && j.reader_result == DB_OK) {
        result = spool_frozen(d, &j, why);
        db_snapshot_end(j.reader);
    } else {
        buf_adds(why, "the database could not be frozen");
    }
    publication_release(&j.publication);
    db_close(j.reader);
    if (result == 0) {
        j.job = (struct job){.apply = apply_frozen};
        result = run_job(d, &j) ? 0 : -1;
    }
    return result;
}

/* ---- building */

static bool on_progress(void *ctx, double fraction)
{
    struct delivery *d = ctx;

    atomic_store(&d->permille, (int)(1000 * (d->from + fraction * d->share)));
    return !atomic_load(&d->closing);
}

static int build_all(struct delivery *d, struct delivery_row *row, struct buf *why)
{
    struct bundle_context bundle = d->config.bundle;

    bundle.delivery = row;
    for (int i = 0; i < ADDRESSEE_COUNT; i++) {
        struct bundle_row built;
        struct delivery_job j = {.job = {.apply = apply_bundle}, .row = row, .bundle = &built};

        d->share = BUILD_SHARE / ADDRESSEE_COUNT;
        d->from = SPOOL_SHARE + i * d->share;
        if (bundle_build(&bundle, i, &built, why) != 0 || !run_job(d, &j))
            return -1;
    }
    return 0;
}

static int make(struct delivery *d, struct delivery_row *row, struct buf *why)
{
    const char *dir = d->config.bundle.dir;

    if (files_make_dir(d->config.dir) != 0 || files_make_dir(dir) != 0 ||
        files_sync_dir(d->config.dir) != 0) {
        buf_printf(why, "the folder cannot be made: %s", strerror(errno));
        return -1;
    }
    if (!set_state(d, row, DELIVERY_RUNNING, NULL))
        return -1;
    d->from = 0;
    d->share = SPOOL_SHARE;
    bundle_clean(&d->config.bundle, row->size == 0);
    if (row->size == 0 && freeze(d, row, why) != 0)
        return -1;
    return build_all(d, row, why);
}

/* A failed delivery is not served; its files would only keep the disk full. */
static void remove_all(struct delivery *d, const struct delivery_row *row)
{
    struct buf path;

    bundle_clean(&d->config.bundle, true);
    buf_init(&path, BUF_UNLIMITED);
    for (int addressee = 1; addressee <= ADDRESSEE_COUNT; addressee++) {
        buf_clear(&path);
        delivery_bundle_path(&path, &d->config, row->id, addressee);
        unlink(path.data);
    }
    buf_release(&path);
}

/* ---- completing */

bool delivery_has_names(const struct content *content, int addressee)
{
    const cJSON *names =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(content->addressees, addressee - 1),
                                         "names");

    return cJSON_IsString(names) && strcmp(names->valuestring, "with-consent") == 0;
}

void delivery_forget_names(const struct delivery_config *config, int64_t id)
{
    struct bundle_context bundle = config->bundle;
    struct buf path;

    buf_init(&path, BUF_UNLIMITED);
    buf_printf(&path, "%s/%" PRId64, config->dir, id);
    bundle.dir = path.data;
    bundle_clean(&bundle, true);
    for (int addressee = 1; addressee <= ADDRESSEE_COUNT; addressee++) {
        buf_clear(&path);
        delivery_bundle_path(&path, config, id, addressee);
        if (delivery_has_names(config->bundle.content, addressee) && unlink(path.data) != 0 &&
            errno != ENOENT)
            log_error("%s: %s", path.data, strerror(errno));
    }
    buf_release(&path);
}

static int apply_completed(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;
    int result = db_delivery_last(db, j->row->id, &j->row->id);

    j->found = result == DB_OK;
    return result == DB_OK       ? db_delivery_get(db, j->row->id, j->row)
           : result == DB_NO_ROW ? 0
                                 : result;
}

/* The process may have died between the commit and the files. */
static void forget_completed(struct delivery *d)
{
    struct delivery_row row;
    struct delivery_job j = {.job = {.apply = apply_completed}, .row = &row};

    delivery_row_init(&row);
    row.id = INT64_MAX;
    while (run_job(d, &j) && j.found)
        if (row.completed_s)
            delivery_forget_names(&d->config, row.id);
    delivery_row_release(&row);
}

static void work_on(struct delivery *d, struct delivery_row *row)
{
    struct buf dir, why;
    int result;

    buf_init(&dir, BUF_UNLIMITED);
    buf_init(&why, 400);
    buf_printf(&dir, "%s/%" PRId64, d->config.dir, row->id);
    d->config.bundle.dir = dir.data;
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
            remove_all(d, row);
    }
    /* Who has read `running` a moment ago must not be told 0: what is done stays at its end. */
    if (result != 0)
        atomic_store(&d->in_work, 0);
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
    found = run_job(d, &j) && j.found;
    if (found)
        work_on(d, &row);
    delivery_row_release(&row);
    return found;
}

static void *run(void *arg)
{
    struct delivery *d = arg;

    forget_completed(d);
    while (!atomic_load(&d->closing)) {
        while (!atomic_load(&d->closing) && work_on_next(d))
            continue;
        pthread_mutex_lock(&d->lock);
        while (!d->woken)
            pthread_cond_wait(&d->wake, &d->lock);
        d->woken = false;
        pthread_mutex_unlock(&d->lock);
    }
    return NULL;
}

struct delivery *delivery_open(const struct delivery_config *config)
{
    struct delivery *d = xcalloc(1, sizeof *d);

    d->config = *config;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->wake, NULL);
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

void delivery_bundle_path(struct buf *out, const struct delivery_config *config, int64_t id,
                          int addressee)
{
    buf_printf(out, "%s/%" PRId64 "/", config->dir, id);
    bundle_file_name(out, config->bundle.content, addressee - 1);
}
