/*
 * db_marks: what entries of the log say of others: which submission is ended by which entry, which
 * deliveries there were (see db.h). So that nobody has to read the log for it.
 *
 * Written with each entry, wherever it comes from, in its transaction; nothing else writes them.
 */
#include "db_internal.h"

#include <stdio.h>
#include <string.h>

/* The number behind `"name":`, or -1. The entry is one that this program has written. */
static int64_t number_of(const char *body, const char *name)
{
    const char *at = strstr(body, name);
    long long n = 0;

    return at && sscanf(at + strlen(name), "%lld", &n) == 1 ? n : -1;
}

static bool is_type(const struct buf *body, const char *type)
{
    char start[40];

    snprintf(start, sizeof start, "{\"v\":1,\"t\":\"%s\",", type);
    return strncmp(body->data, start, strlen(start)) == 0;
}

int db_mark_entry(struct db *db, int64_t index, const struct buf *body)
{
    if (body->len == SIGN_ENTRY_BYTES && is_type(body, "sign"))
        return DB_OK;
    if (is_type(body, "wd") || is_type(body, "void")) {
        db_bind_int(db, SQL_LOG_END_ADD, 1, number_of(body->data, "\"i\":"));
        db_bind_int(db, SQL_LOG_END_ADD, 2, index);
        return db_exec(db, SQL_LOG_END_ADD);
    }
    if (is_type(body, "dlv")) {
        db_bind_int(db, SQL_LOG_DELIVERY_ADD, 1, number_of(body->data, "\"n\":"));
        db_bind_int(db, SQL_LOG_DELIVERY_ADD, 2, number_of(body->data, "\"size\":"));
        db_bind_int(db, SQL_LOG_DELIVERY_ADD, 3, index);
        return db_exec(db, SQL_LOG_DELIVERY_ADD);
    }
    return DB_OK;
}

int db_submission_end(struct db *db, int64_t index, int64_t *entry, enum void_why *why)
{
    struct buf body;
    char reason[40];
    int result;

    buf_init(&body, BUF_UNLIMITED);
    db_bind_int(db, SQL_LOG_END_GET, 1, index);
    result = db_step(db, SQL_LOG_END_GET);
    *why = VOID__MAX;
    if (result == DB_OK) {
        *entry = db_column_int(db, SQL_LOG_END_GET, 0);
        db_add_column(db, SQL_LOG_END_GET, 1, &body);
        for (int i = 0; i < VOID__MAX; i++) {
            snprintf(reason, sizeof reason, "\"why\":\"%s\"", void_why_names[i]);
            if (strstr(body.data, reason))
                *why = (enum void_why)i;
        }
    }
    db_finish(db, SQL_LOG_END_GET);
    buf_release(&body);
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
