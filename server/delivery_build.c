/*
 * delivery_build: the bundles of a delivery, on two threads, and its log.zip (see delivery.h).
 */
#include "delivery_internal.h"

#include "archive.h"
#include "files.h"
#include "log.h"
#include "mirror.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define BUILDERS 2 /* threads that build bundles; one of them is the delivery's own */

static int apply_bundle(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;

    return db_bundle_set(db, j->row->id, j->bundle);
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

        atomic_store(&b->d->permille,
                     (int)(1000 * (DELIVERY_SPOOL_SHARE + (1 - DELIVERY_SPOOL_SHARE) * done)));
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

        buf_init(&why, DELIVERY_WHY_MAX);
        built = bundle_build(&bundle, position, &row, &why) == 0 && delivery_run_job(b->d, &j);
        if (built)
            memcpy(b->entry->manifests[position], row.manifest, HASH_LEN);
        note_built(b, built, &why);
        buf_release(&why);
    }
    return NULL;
}

int delivery_build(struct delivery *d, struct delivery_row *row, struct dlv_entry *entry,
                   struct buf *why)
{
    struct building b = {.d = d, .row = row, .entry = entry, .why = why};
    pthread_t threads[BUILDERS - 1];
    int started = 0;

    if (delivery_forget_renamed(&d->config, row->id) != 0) {
        buf_adds(why, "a bundle of an earlier name cannot be deleted");
        return -1;
    }
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

/* ---- log.zip */

/* The log as it was first published with the delivery's entry. */
static int build_mirror(struct delivery *d, const struct delivery_row *row, const char *dir,
                        struct buf *why)
{
    struct mirror m = {.verifier = head_verifier(d->config.head),
                       .dir = dir,
                       .mtime_s = row->frozen_s,
                       .spare_bytes = DELIVERY_SPARE_BYTES,
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
        buf_adds(why, "the delivery's entry has not been published");
    db_close(m.reader);
    buf_release(&note);
    return result;
}

void delivery_mend_mirror(struct delivery *d, const struct delivery_row *row)
{
    struct buf dir, path, why;
    bool made = true;

    buf_init(&dir, BUF_UNLIMITED);
    buf_init(&path, BUF_UNLIMITED);
    buf_init(&why, DELIVERY_WHY_MAX);
    buf_printf(&dir, "%s/%" PRId64, d->config.dir, row->id);
    delivery_mirror_path(&path, &d->config, row->id);
    if (access(path.data, F_OK) != 0) {
        archive_clean(dir.data);
        made = files_make_dir(d->config.dir) == 0 && files_make_dir(dir.data) == 0 &&
               build_mirror(d, row, dir.data, &why) == 0;
        if (!made && !atomic_load(&d->closing))
            log_error("delivery %" PRId64 ": log.zip cannot be made yet: %s", row->id, why.data);
    }
    d->log_missed |= !made;
    buf_release(&dir);
    buf_release(&path);
    buf_release(&why);
}
