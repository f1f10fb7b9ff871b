/*
 * db_delivery: what the log says of deliveries, and what deliveries say of the log.
 *
 * Runs where db.c runs: on the thread that owns the connection. The statements are in db_sql.c.
 */
#include "db_internal.h"

#include "entry_read.h"
#include "log.h"

int db_delivery_enter(struct db *db, const struct dlv_entry *d)
{
    struct buf entry;
    int64_t index;
    int result;

    buf_init(&entry, BUF_UNLIMITED);
    entry_dlv(&entry, d);
    result = db_log_append(db, &entry, &index);
    buf_release(&entry);
    return result;
}

/* The number in the first column of the one row, which depends on a delivery. */
static int number_for(struct db *db, enum sql which, int64_t delivery, int64_t *out)
{
    int result;

    db_bind_int(db, which, 1, delivery);
    result = db_step(db, which);
    if (result == DB_OK)
        *out = db_column_int(db, which, 0);
    db_finish(db, which);
    return result;
}

int db_delivery_entry(struct db *db, int64_t delivery, int64_t *index)
{
    return number_for(db, SQL_DELIVERY_ENTRY, delivery, index);
}

int db_delivery_before(struct db *db, int64_t delivery, int64_t *size)
{
    int result = number_for(db, SQL_DELIVERY_BEFORE, delivery, size);

    if (result == DB_NO_ROW)
        *size = 0;
    return result < 0 ? result : DB_OK;
}

int db_removals(struct db *db, const struct db_range *range, db_removal_each *each, void *ctx)
{
    const enum sql removals = SQL_LOG_REMOVALS;
    int result;

    db_bind_int(db, removals, 1, range->from);
    db_bind_int(db, removals, 2, range->to);
    while ((result = db_step(db, removals)) == DB_OK) {
        struct entry e;
        size_t len;
        const char *body = db_column_blob(db, removals, 0, &len);

        if (entry_read(&e, body, len) != 0) {
            log_error("database: a removal in the log cannot be read");
            result = DB_BROKEN;
            break;
        }
        each(ctx, e.target, e.type == ENTRY_VOID ? e.why : VOID__MAX);
    }
    db_finish(db, removals);
    return result == DB_NO_ROW ? DB_OK : result;
}

int db_checkpoint_after(struct db *db, int64_t index, int64_t *size, struct buf *note)
{
    int result;

    db_bind_int(db, SQL_CHECKPOINT_AFTER, 1, index);
    result = db_step(db, SQL_CHECKPOINT_AFTER);
    if (result == DB_OK) {
        *size = db_column_int(db, SQL_CHECKPOINT_AFTER, 0);
        db_add_column(db, SQL_CHECKPOINT_AFTER, 1, note);
    }
    db_finish(db, SQL_CHECKPOINT_AFTER);
    return result;
}
