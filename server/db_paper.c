/*
 * db_paper: batches of paper rows in the database. `live` of a batch follows its submissions in
 * db.c, in the same transaction.
 *
 * Runs where db.c runs: on the thread that owns the connection. The statements are in db_sql.c.
 */
#include "db_internal.h"

#include <string.h>

void batch_row_init(struct batch_row *b)
{
    *b = (struct batch_row){.why = VOID__MAX};
    buf_init(&b->who, BUF_UNLIMITED);
    buf_init(&b->label, BUF_UNLIMITED);
}

void batch_row_release(struct batch_row *b)
{
    buf_release(&b->who);
    buf_release(&b->label);
}

int db_batch_add(struct db *db, const struct batch_row *b, int64_t *id)
{
    int result;

    db_bind_int(db, SQL_BATCH_ADD, 1, b->day);
    db_bind_text(db, SQL_BATCH_ADD, 2, b->who.data);
    db_bind_text(db, SQL_BATCH_ADD, 3, b->label.data);
    db_bind_int(db, SQL_BATCH_ADD, 4, b->rows);
    result = db_step(db, SQL_BATCH_ADD);
    if (result == DB_OK)
        *id = db_column_int(db, SQL_BATCH_ADD, 0);
    db_finish(db, SQL_BATCH_ADD);
    return result;
}

int db_batch_add_contactless(struct db *db, int64_t id, int64_t n)
{
    db_bind_int(db, SQL_BATCH_CONTACTLESS, 1, id);
    db_bind_int(db, SQL_BATCH_CONTACTLESS, 2, n);
    return db_exec(db, SQL_BATCH_CONTACTLESS);
}

int db_batch_done(struct db *db, int64_t id, int64_t now_s)
{
    db_bind_int(db, SQL_BATCH_DONE, 1, id);
    db_bind_int(db, SQL_BATCH_DONE, 2, now_s);
    return db_exec(db, SQL_BATCH_DONE);
}

static enum void_why why_of(const char *name)
{
    int why = 0;

    while (name && why < VOID__MAX && strcmp(void_why_names[why], name) != 0)
        why++;
    return name ? (enum void_why)why : VOID__MAX;
}

int db_batch_get(struct db *db, int64_t id, struct batch_row *out)
{
    const enum sql get = SQL_BATCH_GET;
    int at = 0, result;

    db_bind_int(db, get, 1, id);
    result = db_step(db, get);
    if (result == DB_OK) {
        buf_clear(&out->who);
        buf_clear(&out->label);
        out->id = id;
        out->day = (day_number)db_column_int(db, get, at++);
        db_add_column(db, get, at++, &out->who);
        db_add_column(db, get, at++, &out->label);
        out->rows = db_column_int(db, get, at++);
        out->live = db_column_int(db, get, at++);
        out->without_contact = db_column_int(db, get, at++);
        out->done_s = db_column_int(db, get, at++);
        out->removed_s = db_column_int(db, get, at++);
        out->why = why_of(db_column_text(db, get, at++));
    }
    db_finish(db, get);
    return result;
}

int db_batch_last(struct db *db, int64_t before, int64_t *id)
{
    int result;

    db_bind_int(db, SQL_BATCH_LAST, 1, before);
    result = db_step(db, SQL_BATCH_LAST);
    if (result == DB_OK)
        *id = db_column_int(db, SQL_BATCH_LAST, 0);
    db_finish(db, SQL_BATCH_LAST);
    return result;
}

int db_batch_remove(struct db *db, int64_t id, int64_t now_s, enum void_why why)
{
    db_bind_int(db, SQL_BATCH_REMOVE, 1, id);
    db_bind_int(db, SQL_BATCH_REMOVE, 2, now_s);
    db_bind_text(db, SQL_BATCH_REMOVE, 3, void_why_names[why]);
    return db_exists(db, SQL_BATCH_REMOVE);
}

int db_batch_live(struct db *db, int64_t id, int64_t *indices, size_t *count)
{
    size_t cap = *count;
    int result;

    *count = 0;
    db_bind_int(db, SQL_BATCH_LIVE, 1, id);
    db_bind_int(db, SQL_BATCH_LIVE, 2, (int64_t)cap);
    while ((result = db_step(db, SQL_BATCH_LIVE)) == DB_OK && *count < cap)
        indices[(*count)++] = db_column_int(db, SQL_BATCH_LIVE, 0);
    db_finish(db, SQL_BATCH_LIVE);
    return result == DB_NO_ROW ? DB_OK : result;
}
