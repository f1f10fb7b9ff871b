/*
 * delivery: freezing, spooling and building, on one thread; a second one helps to build (see
 * delivery.h).
 *
 * The thread's own reader connection lives only while a delivery is frozen: an open snapshot keeps
 * the WAL from being truncated. All changes of state are writer jobs. What a delivery is made of
 * lies in its folder; the database says how far it is, and never claims a file that is not whole.
 */
#include "delivery.h"

#include "archive.h"
#include "files.h"
#include "log.h"
#include "mirror.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RETRY_S     5                   /* after a writer job failed */
#define BUILDERS    2                   /* threads that build bundles; one of them is this one */
#define SPARE_BYTES (100 * 1000 * 1000) /* of the disk: for signatures that come meanwhile */
#define WHY_MAX     400

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
    const struct dlv_entry *entry;
    int64_t index; /* of the entry */
    /* freezing, and entering */
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

/* ---- publishing */

/* Has the log signed as far as a job has collected it, and shows it. Takes the publication. */
static int publish(struct delivery *d, struct publication *p)
{
    int result = head_publish(d->config.head, d->config.writer, p->edge);

    if (result == 0 && d->config.publisher)
        publisher_show(d->config.publisher, p);
    publication_release(p);
    return result;
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

/* What the frozen state is: the row's size and figures, and the checkpoint of it. Then the public
 * sees it, too. */
static int describe_frozen(struct delivery *d, struct delivery_job *j, struct buf *note,
                           struct buf *why)
{
    j->row->frozen_s = j->publication.at_s;
    j->row->size = j->publication.log_size;
    buf_clear(&j->row->figures);
    if (bundle_figures(&j->row->figures, j->row, j->reader, &j->publication) != 0) {
        buf_adds(why, "the database could not be read");
        return -1;
    }
    head_sign(d->config.head, j->publication.edge, note);
    if (publish(d, &j->publication) == 0)
        return 0;
    buf_adds(why, "the log's checkpoint could not be published");
    return -1;
}

static int spool_frozen(struct delivery *d, struct delivery_job *j, struct buf *why)
{
    struct bundle_context bundle = d->config.bundle;
    struct buf note;
    int result;

    buf_init(&note, NOTE_MAX_BYTES);
    result = describe_frozen(d, j, &note, why);
    bundle.delivery = j->row;
    bundle.checkpoint = note.data;
    if (result == 0)
        result = bundle_spool(&bundle, j->reader, why);
    buf_release(&note);
    return result;
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

    atomic_store(&d->permille, (int)(1000 * SPOOL_SHARE * fraction));
    return !atomic_load(&d->closing);
}

/* Within a bundle: the progress is how many are done. */
static bool on_bundle_progress(void *ctx, double fraction)
{
    struct delivery *d = ctx;

    (void)fraction;
    return !atomic_load(&d->closing);
}

/* The bundles of a delivery, shared by BUILDERS threads. */
struct building {
    struct delivery *d;
    struct delivery_row *row;
    struct dlv_entry *entry; /* each bundle's builder fills in its hash */
    pthread_mutex_t lock;
    int next, done;  /* under lock: position, count */
    bool failed;     /* under lock: the rest is left */
    struct buf *why; /* under lock: of the first failure */
};

/* The next bundle's position, or -1. */
static int take_position(struct building *b)
{
    int position = -1;

    pthread_mutex_lock(&b->lock);
    if (!b->failed && b->next < ADDRESSEE_COUNT)
        position = b->next++;
    pthread_mutex_unlock(&b->lock);
    return position;
}

static void note_built(struct building *b, bool built, const struct buf *why)
{
    pthread_mutex_lock(&b->lock);
    if (built) {
        double done = (double)++b->done / ADDRESSEE_COUNT;

        atomic_store(&b->d->permille, (int)(1000 * (SPOOL_SHARE + BUILD_SHARE * done)));
    } else if (!b->failed) {
        b->failed = true;
        buf_adds(b->why, why->data);
    }
    pthread_mutex_unlock(&b->lock);
}

static void *build_some(void *arg)
{
    struct building *b = arg;
    struct bundle_context bundle = b->d->config.bundle;
    struct buf why;
    int position;

    bundle.delivery = b->row;
    bundle.progress = on_bundle_progress;
    while ((position = take_position(b)) >= 0) {
        struct bundle_row row;
        struct delivery_job j = {.job = {.apply = apply_bundle}, .row = b->row, .bundle = &row};
        bool built;

        buf_init(&why, WHY_MAX);
        built = bundle_build(&bundle, position, &row, &why) == 0 && run_job(b->d, &j);
        if (built)
            memcpy(b->entry->manifests[position], row.manifest, HASH_LEN);
        note_built(b, built, &why);
        buf_release(&why);
    }
    return NULL;
}

static int build_all(struct delivery *d, struct delivery_row *row, struct dlv_entry *entry,
                     struct buf *why)
{
    struct building b = {.d = d, .row = row, .entry = entry, .why = why};
    pthread_t threads[BUILDERS - 1];
    int started = 0;

    if (bundle_has_space(&d->config.bundle, why) != 0)
        return -1;
    pthread_mutex_init(&b.lock, NULL);
    while (started < BUILDERS - 1 && pthread_create(&threads[started], NULL, build_some, &b) == 0)
        started++;
    build_some(&b);
    while (started > 0)
        pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&b.lock);
    return b.failed ? -1 : 0;
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

    if (!run_job(d, &j))
        return false;
    if (publish(d, &j.publication) != 0)
        log_error("delivery %" PRId64 ": its entry could not be published yet", row->id);
    return true;
}

/* The log as it was first published with the delivery's entry; nothing if it is not yet. */
static int build_mirror(struct delivery *d, const struct delivery_row *row, const char *dir,
                        struct buf *why)
{
    struct mirror m = {.verifier = head_verifier(d->config.head),
                       .dir = dir,
                       .mtime_s = row->frozen_s,
                       .spare_bytes = SPARE_BYTES,
                       .progress = on_bundle_progress,
                       .progress_ctx = d};
    int64_t index;
    struct buf note;
    int result = -1, found = DB_BROKEN;

    buf_init(&note, NOTE_MAX_BYTES);
    m.reader = db_open(d->config.database, DB_READER, why);
    if (m.reader)
        found = db_delivery_entry(m.reader, row->id, &index);
    if (found == DB_OK)
        found = db_checkpoint_after(m.reader, index, &m.size, &note);
    m.checkpoint = note.data;
    if (found == DB_OK)
        result = mirror_build(&m, why);
    else if (found == DB_NO_ROW)
        result = 0;
    db_close(m.reader);
    buf_release(&note);
    return result;
}

/* Makes log.zip unless it is there. Whatever happens the delivery is done. */
static void mend_mirror(struct delivery *d, const struct delivery_row *row)
{
    struct buf dir, path, why;

    buf_init(&dir, BUF_UNLIMITED);
    buf_init(&path, BUF_UNLIMITED);
    buf_init(&why, WHY_MAX);
    buf_printf(&dir, "%s/%" PRId64, d->config.dir, row->id);
    delivery_mirror_path(&path, &d->config, row->id);
    if (access(path.data, F_OK) != 0) {
        archive_clean(dir.data);
        if ((files_make_dir(d->config.dir) != 0 || files_make_dir(dir.data) != 0 ||
             build_mirror(d, row, dir.data, &why) != 0) &&
            !atomic_load(&d->closing))
            log_error("delivery %" PRId64 ": log.zip cannot be made; it is tried again at the next "
                      "start: %s",
                      row->id, why.data);
    }
    buf_release(&dir);
    buf_release(&path);
    buf_release(&why);
}

/* ---- making */

static int make_bundles(struct delivery *d, struct delivery_row *row, struct dlv_entry *entry,
                        struct buf *why)
{
    bundle_clean(&d->config.bundle, row->size == 0);
    if (row->size == 0 && freeze(d, row, why) != 0)
        return -1;
    *entry = (struct dlv_entry){.n = row->id, .size = row->size};
    return build_all(d, row, entry, why);
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
    if (!set_state(d, row, DELIVERY_RUNNING, NULL) || !run_job(d, &entered))
        return -1;
    if (entered.found && row->size == 0) {
        buf_adds(why, "its bundles were made after the backup, and are lost");
        return -1;
    }
    if (!entered.found && make_bundles(d, row, &entry, why) != 0)
        return -1;
    if (!enter(d, row, &entry))
        return -1;
    mend_mirror(d, row);
    return 0;
}

/* A failed delivery is not served; its files would only keep the disk full. */
static void remove_all(struct delivery *d, const struct delivery_row *row)
{
    struct bundle_context bundle = d->config.bundle;
    struct buf path;

    buf_init(&path, BUF_UNLIMITED);
    buf_printf(&path, "%s/%" PRId64, d->config.dir, row->id);
    bundle.dir = path.data;
    bundle_clean(&bundle, true);
    for (int addressee = 1; addressee <= ADDRESSEE_COUNT; addressee++) {
        buf_clear(&path);
        delivery_bundle_path(&path, &d->config, row->id, addressee);
        unlink(path.data);
    }
    buf_release(&path);
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

/* The process may have died between the commit and the files, and files are in no backup. */
static void mend_files(struct delivery *d)
{
    struct delivery_row row;
    struct delivery_job j = {.job = {.apply = apply_before}, .row = &row};

    delivery_row_init(&row);
    row.id = INT64_MAX;
    while (run_job(d, &j) && j.found) {
        if (row.completed_s)
            delivery_forget_names(&d->config, row.id);
        if (row.state == DELIVERY_FAILED)
            remove_all(d, &row);
        if (row.state == DELIVERY_DONE)
            mend_mirror(d, &row);
    }
    delivery_row_release(&row);
}

static void work_on(struct delivery *d, struct delivery_row *row)
{
    struct buf dir, why;
    int result;

    buf_init(&dir, BUF_UNLIMITED);
    buf_init(&why, WHY_MAX);
    buf_printf(&dir, "%s/%" PRId64, d->config.dir, row->id);
    d->config.bundle.dir = dir.data;
    d->config.bundle.spare_bytes = SPARE_BYTES;
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

    mend_files(d);
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
