/*
 * db_marks: what entries of the log say of others: which submission is ended by which entry, which
 * deliveries there were (see db.h). So that nobody has to read the log for it.
 *
 * Written with each entry, wherever it comes from, in its transaction; nothing else writes them.
 */
#include "db_internal.h"

#include "entry_read.h"

int db_mark_entry(struct db *db, int64_t index, const struct buf *body)
{
    struct entry e;

    if (body->len == SIGN_ENTRY_BYTES || entry_read(&e, body->data, body->len) != 0)
        return DB_OK; /* it says nothing of others */
    if (e.type == ENTRY_WD || e.type == ENTRY_VOID) {
        db_bind_int(db, SQL_LOG_END_ADD, 1, e.target);
        db_bind_int(db, SQL_LOG_END_ADD, 2, index);
        return db_exec(db, SQL_LOG_END_ADD);
    }
    if (e.type == ENTRY_DLV) {
        db_bind_int(db, SQL_LOG_DELIVERY_ADD, 1, e.n);
        db_bind_int(db, SQL_LOG_DELIVERY_ADD, 2, e.size);
        db_bind_int(db, SQL_LOG_DELIVERY_ADD, 3, index);
        return db_exec(db, SQL_LOG_DELIVERY_ADD);
    }
    return DB_OK;
}

int db_submission_end(struct db *db, int64_t index, int64_t *entry, enum void_why *why)
{
    struct entry e;
    size_t len;
    const char *body;
    int result;

    db_bind_int(db, SQL_LOG_END_GET, 1, index);
    result = db_step(db, SQL_LOG_END_GET);
    *why = VOID__MAX;
    if (result == DB_OK) {
        *entry = db_column_int(db, SQL_LOG_END_GET, 0);
        body = db_column_blob(db, SQL_LOG_END_GET, 1, &len);
        if (entry_read(&e, body, len) != 0)
            result = DB_BROKEN;
        else if (e.type == ENTRY_VOID)
            *why = e.why;
    }
    db_finish(db, SQL_LOG_END_GET);
    return result;
}

int db_checkpoint_covering(struct db *db, int64_t index, int64_t *size)
{
    int result;

    db_bind_int(db, SQL_CHECKPOINT_COVERING, 1, index);
    result = db_step(db, SQL_CHECKPOINT_COVERING);
    if (result == DB_OK)
        *size = db_column_int(db, SQL_CHECKPOINT_COVERING, 0);
    db_finish(db, SQL_CHECKPOINT_COVERING);
    return result;
}

int db_log_delivery(struct db *db, int64_t end, int64_t *n, int64_t *size)
{
    int result;

    db_bind_int(db, SQL_LOG_DELIVERIES, 1, *n);
    db_bind_int(db, SQL_LOG_DELIVERIES, 2, end);
    result = db_step(db, SQL_LOG_DELIVERIES);
    if (result == DB_OK) {
        *n = db_column_int(db, SQL_LOG_DELIVERIES, 0);
        *size = db_column_int(db, SQL_LOG_DELIVERIES, 1);
    }
    db_finish(db, SQL_LOG_DELIVERIES);
    return result;
}
