/*
 * delivery_freeze: one state of the database, as a delivery's spool (see delivery.h).
 *
 * The reader connections live only while a delivery is frozen: an open snapshot keeps the WAL from
 * being truncated.
 */
#include "delivery_internal.h"

static int apply_frozen(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;

    return db_delivery_set_frozen(db, j->row);
}

static int apply_freeze(struct job *job, struct db *db)
{
    struct delivery_job *j = (struct delivery_job *)job;

    publication_release(&j->publication); /* of an attempt before */
    return publication_collect(&j->publication, db, j->d->config.count_step);
}

/* Writer's thread, after the commit and before the next batch: so the snapshots, the size and the
 * figures are of one state. */
static void open_snapshots(struct job *job)
{
    struct delivery_job *j = (struct delivery_job *)job;

    if (job->result != JOB_COMMITTED)
        return;
    j->reader_result = DB_OK;
    for (; j->open < BUNDLE_SNAPSHOTS && j->reader_result == DB_OK; j->open++)
        j->reader_result = db_snapshot_begin(j->readers[j->open]);
    /* One that could not begin has no snapshot. */
    j->open -= j->reader_result != DB_OK;
}

static void end_snapshots(struct delivery_job *j)
{
    while (j->open > 0)
        db_snapshot_end(j->readers[--j->open]);
}

/* Takes the snapshots and the figures of them. False when closing, or if the database fails. */
static bool take_snapshots(struct delivery *d, struct delivery_job *j)
{
    while (delivery_run_job(d, j) && j->reader_result == DB_OK) {
        if (db_log_size(j->readers[0]) == j->publication.log_size)
            return true;
        /* The batch went on behind this job: the petition was closed in it. */
        end_snapshots(j);
    }
    return false;
}

/* What the frozen state is: the row's size and figures, and the checkpoint of it. Then the public
 * sees it, too. */
static int describe_frozen(struct delivery *d, struct delivery_job *j, struct buf *note,
                           struct buf *why)
{
    j->row->frozen_s = j->publication.at_s;
    j->row->size = j->publication.log_size;
    buf_clear(&j->row->figures);
    if (bundle_figures(&j->row->figures, j->row, j->readers[0], &j->publication) != 0) {
        buf_adds(why, "the database could not be read");
        return -1;
    }
    head_sign(d->config.head, j->publication.edge, note);
    if (delivery_publish(d, &j->publication) == 0)
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
        result = bundle_spool(&bundle, j->readers, why);
    buf_release(&note);
    return result;
}

int delivery_freeze(struct delivery *d, struct delivery_row *row, struct buf *why)
{
    struct delivery_job j = {.job = {.apply = apply_freeze, .done = open_snapshots, .last = true},
                             .row = row};
    int result = -1;

    for (int i = 0; i < BUNDLE_SNAPSHOTS; i++)
        j.readers[i] = db_open(d->config.database, DB_READER, why);
    if (!j.readers[0] || !j.readers[1])
        goto out;
    if (take_snapshots(d, &j))
        result = spool_frozen(d, &j, why);
    else
        buf_adds(why, "the database could not be frozen");
out:
    end_snapshots(&j);
    publication_release(&j.publication);
    for (int i = 0; i < BUNDLE_SNAPSHOTS; i++)
        db_close(j.readers[i]);
    if (result == 0) {
        j.job = (struct job){.apply = apply_frozen};
        result = delivery_run_job(d, &j) ? 0 : -1;
    }
    return result;
}
