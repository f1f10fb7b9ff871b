/*
 * database_fixture: a new database for each claim, and a second connection that looks at it by
 * plain SQL: what the tests of db.c share. Include after cmocka.h; each claim runs between open_new
 * and close_all.
 */
#ifndef DATABASE_FIXTURE_H
#define DATABASE_FIXTURE_H

#include "db_check.h"
#include "support.h"

#include <sqlite3.h>

static char folder[FOLDER_BYTES];
static char path[64], wal[64];
static struct db *db;
static sqlite3 *raw; /* the second connection; NULL until open_raw */

static inline void open_raw(void)
{
    if (raw)
        return;
    assert_int_equal(sqlite3_open_v2(path, &raw, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
}

static inline void close_raw(void)
{
    if (raw)
        assert_int_equal(sqlite3_close(raw), SQLITE_OK);
    raw = NULL;
}

static inline int open_new(void **state)
{
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/petition.db", folder);
    snprintf(wal, sizeof wal, "%s/petition.db-wal", folder);
    db = new_database(path);
    return 0;
}

static inline int close_all(void **state)
{
    (void)state;
    close_raw();
    db_close(db);
    db = NULL;
    remove_folder(folder);
    return 0;
}

static inline void begin(void)
{
    assert_int_equal(db_begin(db), DB_OK);
}

static inline void commit(void)
{
    assert_int_equal(db_commit(db), DB_OK);
}

static inline void reopen(void)
{
    close_raw();
    db_close(db);
    db = open_database(path, DB_WRITER);
}

/* As it is, for reading: a writer would not open a damaged log. */
static inline void reopen_damaged(void)
{
    close_raw();
    db_close(db);
    db = open_database(path, DB_READER);
}

/* The first column of the first row. */
static inline int64_t query(const char *sql)
{
    sqlite3_stmt *s = NULL;
    int64_t n;

    open_raw();
    assert_int_equal(sqlite3_prepare_v2(raw, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

static inline int try_sql(const char *sql)
{
    open_raw();
    return sqlite3_exec(raw, sql, NULL, NULL, NULL);
}

/* All that `petition check` says of a database. */
static inline void check_claims(void)
{
    struct buf line;

    buf_init(&line, BUF_UNLIMITED);
    for (int claim = 0; claim < DB_CLAIM__COUNT; claim++) {
        buf_clear(&line);
        if (db_check(db, (enum db_claim)claim, 0, &line) != DB_HOLDS)
            fail_msg("%s", line.data);
    }
    buf_release(&line);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_new, close_all)

#endif
