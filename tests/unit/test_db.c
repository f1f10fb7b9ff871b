/*
 * test_db: what the database promises: a file that is not ours is refused, the schema holds against
 * any program, the counters are always those of a full recount, and what is erased is gone.
 *
 * A second connection, by plain SQL, looks at what db.c has written.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"

#include <inttypes.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>

#define PROPERTY_STEPS 6000
#define PEOPLE         40
#define REOPEN_EVERY   50 /* commits */

static char folder[FOLDER_BYTES];
static char path[64], wal[64];
static struct db *db;
static sqlite3 *raw; /* the second connection; NULL until open_raw */

static void open_raw(void)
{
    if (raw)
        return;
    assert_int_equal(sqlite3_open_v2(path, &raw, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, "PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 0",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
}

static void close_raw(void)
{
    if (raw)
        assert_int_equal(sqlite3_close(raw), SQLITE_OK);
    raw = NULL;
}

static int open_new(void **state)
{
    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/petition.db", folder);
    snprintf(wal, sizeof wal, "%s-wal", path);
    db = new_database(path);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    close_raw();
    db_close(db);
    db = NULL;
    remove_folder(folder);
    return 0;
}

static void begin(void)
{
    assert_int_equal(db_begin(db), DB_OK);
}

static void commit(void)
{
    assert_int_equal(db_commit(db), DB_OK);
}

static void reopen(void)
{
    close_raw();
    db_close(db);
    db = open_database(path, DB_WRITER);
}

/* The first column of the first row. */
static int64_t query(const char *sql)
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

static int try_sql(const char *sql)
{
    open_raw();
    return sqlite3_exec(raw, sql, NULL, NULL, NULL);
}

/* ---- which files are opened */

static void assert_refused(const char *file, const char *reason)
{
    static const enum db_mode modes[] = {DB_WRITER, DB_READER};

    for (size_t i = 0; i < 2; i++) {
        struct buf err;

        buf_init(&err, BUF_UNLIMITED);
        assert_null(db_open(file, modes[i], &err));
        assert_one_line(&err);
        assert_non_null(strstr(err.data, file));
        assert_non_null(strstr(err.data, reason));
        buf_release(&err);
    }
}

static void a_missing_file_is_refused_and_not_made(void **state)
{
    char missing[64];

    (void)state;
    snprintf(missing, sizeof missing, "%s/missing.db", folder);
    assert_refused(missing, "No such file");
    assert_int_equal(access(missing, F_OK), -1);
}

static void a_foreign_application_id_is_refused(void **state)
{
    (void)state;
    assert_int_equal(try_sql("PRAGMA application_id = 1"), SQLITE_OK);
    assert_refused(path, "is not a petition database");
    assert_int_equal(try_sql("PRAGMA application_id = 1346720817"), SQLITE_OK);
    reopen();
}

static void another_schema_version_is_refused_newer_or_older(void **state)
{
    (void)state;
    assert_int_equal(try_sql("PRAGMA user_version = 2"), SQLITE_OK);
    assert_refused(path, "has schema version 2; this program knows 1");
    assert_int_equal(try_sql("PRAGMA user_version = 0"), SQLITE_OK);
    assert_refused(path, "has schema version 0; this program knows 1");
}

static void a_file_that_is_no_database_is_refused(void **state)
{
    static const char garbage[5000] = "SQLite format 3, but not quite";
    char other[64];

    (void)state;
    snprintf(other, sizeof other, "%s/other.db", folder);
    assert_int_equal(files_replace(other, "", 0), 0);
    assert_refused(other, "is not a petition database");
    assert_int_equal(files_replace(other, garbage, sizeof garbage), 0);
    assert_refused(other, "is not a petition database");
    assert_refused(folder, "");
}

static void a_database_is_never_made_over_a_file(void **state)
{
    struct buf err;

    (void)state;
    buf_init(&err, BUF_UNLIMITED);
    assert_int_equal(db_create(path, &err), -1);
    assert_one_line(&err);
    assert_non_null(strstr(err.data, "File exists"));
    buf_release(&err);
    reopen();
    assert_int_equal(db_log_size(db), 1);
}

static void a_database_without_a_log_opens_empty(void **state)
{
    char fresh[64];
    struct db *other;
    struct buf text;

    (void)state;
    snprintf(fresh, sizeof fresh, "%s/fresh.db", folder);
    buf_init(&text, BUF_UNLIMITED);
    assert_int_equal(db_create(fresh, &text), 0);
    other = open_database(fresh, DB_WRITER);
    assert_int_equal(db_log_size(other), 0);
    assert_int_equal(db_log_entry(other, 0, &text), DB_NO_ROW);
    db_close(other);
    buf_release(&text);
}

static void the_file_is_for_its_owner_only(void **state)
{
    struct stat st;

    (void)state;
    begin();
    assert_true(sign_as(db, 1) > 0);
    commit();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* ---- what the schema enforces */

#define TAG     "randomblob(32)"
#define NO_BLOB "NULL"
/* A row of submission for entry 1: tag, tier, visibility, country, day, name, opening, sealed. */
#define SUBMISSION(values) "INSERT INTO submission VALUES(1, " values ")"
#define DELIVERY(values)   "INSERT INTO delivery VALUES(" values ")"

/* Each pair differs in what is wrong with the second. */
static const struct {
    const char *good, *bad;
} limits[] = {
    {"INSERT INTO log_entry VALUES(2, 'x')", "INSERT INTO log_entry VALUES(2, x'')"},
    {"INSERT INTO log_entry VALUES(2, x'00')", "INSERT INTO log_entry VALUES(2, x'')"},
};
