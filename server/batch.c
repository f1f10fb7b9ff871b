/*
 * batch: importing and removing batches (see batch.h).
 *
 * The caller's thread reads and prepares the rows of a chunk while the writer is free for others,
 * then waits for the chunk's job. `busy` makes imports and removals take turns; whoever has set it
 * owns the rest. What the rows hold is wiped after each chunk, whatever the outcome.
 */
#include "batch.h"

#include "removal.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CHUNK_ROWS 250 /* a few milliseconds of the writer's time */

struct batches {
    struct batches_config config;
    atomic_flag busy;
    atomic_int_least64_t in_work;
    atomic_bool stopping;
};

/* Rows on their way in. */
struct chunk {
    struct job job;
    struct batches *batches;
    int64_t batch;
    struct paper_row *rows;   /* CHUNK_ROWS of them */
    size_t order[CHUNK_ROWS]; /* of their entries */
    size_t count, without_contact;
    bool last;
    bool closed; /* the petition was, before its rows could go in */
};

/* The start of an import or of a removal. */
struct opening_job {
    struct job job;
    const struct batch_file *file;
    const struct batch_removal *removal;
    struct batch_result *result;
};

struct removing_chunk {
    struct job job;
    const struct batch_removal *removal;
    size_t count; /* rows removed */
};

struct batches *batches_new(const struct batches_config *config)
{
    struct batches *b = xcalloc(1, sizeof *b);

    b->config = *config;
    atomic_flag_clear(&b->busy);
    return b;
}

void batches_free(struct batches *b)
{
    free(b);
}

void batches_stop(struct batches *b)
{
    atomic_store(&b->stopping, true);
}

int64_t batch_in_work(const struct batches *b)
{
    return atomic_load(&b->in_work);
}

static int audit(struct db *db, const char *who, const char *act, const char *detail)
{
    const struct audit_act a = {time(NULL), who, act, detail};

    return db_audit(db, &a);
}

/* ---- checking */

static struct paper_sheet *open_sheet(const struct batches *b, const struct batch_file *file)
{
    const struct paper_rules rules = {b->config.content, b->config.identity, b->config.submitter,
                                      file->lang, file->rows_max ? file->rows_max : PAPER_ROWS_MAX};

    return paper_open(&rules, file->data, file->len);
}

void batch_check(const struct batches *b, const struct batch_file *file,
                 struct batch_result *result)
{
    struct paper_sheet *sheet;
    struct paper_row row;

    *result = (struct batch_result){.outcome = BATCH_CLOSED};
    if (submitter_closed(b->config.submitter))
        return;
    sheet = open_sheet(b, file);
    result->outcome = BATCH_DONE;
    paper_row_init(&row);
    while (paper_next(sheet, &row))
        if (file->row)
            file->row(file->ctx, &row);
    paper_row_release(&row);
    result->totals = *paper_totals(sheet);
    result->fault = paper_fault(sheet);
    result->line = paper_line(sheet);
    if (result->fault != PAPER_OK)
        result->outcome = BATCH_FAULT;
    else if (result->totals.wrong > 0)
        result->outcome = BATCH_WRONG_ROWS;
    paper_close(sheet);
}

/* ---- importing */

/* The same form sent twice must not be two batches. */
static int is_next(struct db *db, int64_t after, bool *next)
{
    int64_t newest = 0;
    int result = db_batch_last(db, INT64_MAX, &newest);

    *next = after < 0 || newest == after;
    return result == DB_NO_ROW ? DB_OK : result;
}

static int apply_opening(struct job *job, struct db *db)
{
    struct opening_job *j = (struct opening_job *)job;
    struct batch_row row;
    char detail[32];
    bool next;
    int result = is_next(db, j->file->after, &next);

    j->result->outcome = next ? BATCH_DONE : BATCH_STALE;
    if (db_close_index(db) > 0)
        j->result->outcome = BATCH_CLOSED;
    if (result != DB_OK || j->result->outcome != BATCH_DONE)
        return result;
    batch_row_init(&row);
    row.day = day_of(time(NULL));
    row.rows = (int64_t)j->result->totals.rows;
    buf_adds(&row.who, j->file->who);
    buf_adds(&row.label, j->file->label);
    result = db_batch_add(db, &row, &j->result->id);
    snprintf(detail, sizeof detail, "%" PRId64, j->result->id);
    if (result == DB_OK)
        result = audit(db, j->file->who, "paper.import", detail);
    batch_row_release(&row);
    return result;
}

static int apply_chunk(struct job *job, struct db *db)
{
    struct chunk *c = (struct chunk *)job;
    int result = DB_OK;

    for (size_t i = 0; i < c->count && result == DB_OK; i++)
        result = submission_apply(c->batches->config.submitter, &c->rows[c->order[i]].draft, db);
    c->closed = result == DB_NO_ROW;
    if (c->closed)
        return DB_OK;
    if (result == DB_OK && c->without_contact > 0)
        result = db_batch_add_contactless(db, c->batch, (int64_t)c->without_contact);
    if (result == DB_OK && c->last)
        result = db_batch_done(db, c->batch, time(NULL));
    return result;
}

/* Reads the next rows, and draws an order for them. */
static void fill_chunk(struct chunk *c, struct paper_sheet *sheet, size_t left)
{
    size_t want = left < CHUNK_ROWS ? left : CHUNK_ROWS;

    c->count = c->without_contact = 0;
    while (c->count < want && paper_next(sheet, &c->rows[c->count])) {
        struct paper_row *row = &c->rows[c->count];
        size_t at = randombytes_uniform((uint32_t)c->count + 1);

        row->draft.batch = c->batch;
        c->without_contact += row->form.contact.len == 0;
        c->order[c->count] = c->order[at];
        c->order[at] = c->count++;
    }
    c->last = c->count == left;
}

/* Chunk after chunk; true if all rows are in. */
static bool import_rows(struct batches *b, const struct batch_file *file,
                        struct batch_result *result)
{
    struct paper_sheet *sheet = open_sheet(b, file);
    struct chunk *c = xcalloc(1, sizeof *c);
    size_t rows = result->totals.rows;
    bool go_on = true;

    *c = (struct chunk){.job = {.apply = apply_chunk}, .batches = b, .batch = result->id};
    c->rows = xcalloc(CHUNK_ROWS, sizeof *c->rows);
    for (size_t i = 0; i < CHUNK_ROWS; i++)
        paper_row_init(&c->rows[i]);
    while (go_on && result->stored < rows && !atomic_load(&b->stopping)) {
        fill_chunk(c, sheet, rows - result->stored);
        go_on =
            c->count > 0 && writer_run(b->config.writer, &c->job) == JOB_COMMITTED && !c->closed;
        result->stored += go_on ? c->count : 0;
        if (go_on && file->progress)
            file->progress(file->ctx, result->stored);
    }
    for (size_t i = 0; i < CHUNK_ROWS; i++)
        paper_row_release(&c->rows[i]);
    free(c->rows);
    free(c);
    paper_close(sheet);
    return result->stored == rows;
}

void batch_import(struct batches *b, const struct batch_file *file, struct batch_result *result)
{
    struct opening_job opening = {.job = {.apply = apply_opening}, .file = file, .result = result};

    if (atomic_flag_test_and_set(&b->busy)) {
        *result = (struct batch_result){.outcome = BATCH_BUSY};
        return;
    }
    batch_check(b, file, result);
    if (result->outcome == BATCH_DONE &&
        writer_run(b->config.writer, &opening.job) != JOB_COMMITTED) {
        result->outcome = BATCH_FAILED;
        result->id = 0;
    }
    if (result->outcome == BATCH_DONE) {
        atomic_store(&b->in_work, result->id);
        if (!import_rows(b, file, result))
            result->outcome = BATCH_INTERRUPTED;
        atomic_store(&b->in_work, 0);
    }
    atomic_flag_clear(&b->busy);
}

/* ---- removing */

static int apply_removal(struct job *job, struct db *db)
{
    struct opening_job *j = (struct opening_job *)job;
    const struct batch_removal *removal = j->removal;
    struct batch_row row;
    char detail[64];
    int result;

    batch_row_init(&row);
    j->result->outcome = BATCH_UNKNOWN;
    result = db_batch_get(db, removal->id, &row);
    if (result != DB_OK)
        goto out;
    j->result->outcome = row.removed_s && row.live == 0 ? BATCH_GONE : BATCH_DONE;
    if (row.removed_s)
        goto out;
    snprintf(detail, sizeof detail, "%" PRId64 " %s", removal->id, void_why_names[removal->why]);
    result = db_batch_remove(db, removal->id, time(NULL), removal->why);
    if (result == DB_OK)
        result = audit(db, removal->who, "paper.remove", detail);
out:
    batch_row_release(&row);
    return result == DB_NO_ROW ? DB_OK : result;
}

static int apply_removing_chunk(struct job *job, struct db *db)
{
    struct removing_chunk *c = (struct removing_chunk *)job;
    int64_t indices[CHUNK_ROWS];
    struct batch_row row;
    int result;

    batch_row_init(&row);
    c->count = CHUNK_ROWS;
    result = db_batch_get(db, c->removal->id, &row);
    if (result == DB_OK)
        result = db_batch_live(db, c->removal->id, indices, &c->count);
    for (size_t i = 0; i < c->count && result == DB_OK; i++)
        result = removal_apply(db, indices[i], row.why);
    batch_row_release(&row);
    return result == DB_NO_ROW ? DB_BROKEN : result;
}

static void remove_rows(struct batches *b, const struct batch_removal *removal,
                        struct batch_result *result)
{
    struct removing_chunk c = {.job = {.apply = apply_removing_chunk}, .removal = removal};

    do {
        if (atomic_load(&b->stopping) || writer_run(b->config.writer, &c.job) != JOB_COMMITTED) {
            result->outcome = BATCH_INTERRUPTED;
            return;
        }
        result->stored += c.count;
    } while (c.count == CHUNK_ROWS);
}

void batch_remove(struct batches *b, const struct batch_removal *removal,
                  struct batch_result *result)
{
    struct opening_job opening = {.job = {.apply = apply_removal},
                                  .removal = removal,
                                  .result = result};

    *result = (struct batch_result){.outcome = BATCH_BUSY, .id = removal->id};
    if (atomic_flag_test_and_set(&b->busy))
        return;
    if (writer_run(b->config.writer, &opening.job) != JOB_COMMITTED)
        result->outcome = BATCH_FAILED;
    if (result->outcome == BATCH_DONE) {
        atomic_store(&b->in_work, removal->id);
        remove_rows(b, removal, result);
        atomic_store(&b->in_work, 0);
    }
    atomic_flag_clear(&b->busy);
}
