/*
 * db_schema: a new database's schema, and the steps that bring an older one up to date.
 *
 * Runs on the thread that opens the connection. A step is plain SQL from one version to the next;
 * all that a file needs run in one transaction with the new number, so that a file is of one
 * version or of another, whenever the process dies.
 */
#include "db_schema.h"

#include "db.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION_ID 1346720817 /* "PET1" */
#define USER_VERSION   6

static const char schema[] = {
#include "schema.inc"
    0};

/* From the version of the index to the next. */
static const char *const steps[USER_VERSION] = {
    [1] = "CREATE TABLE paper_batch ("
          " id INTEGER PRIMARY KEY CHECK (id > 0), day INTEGER NOT NULL, who TEXT NOT NULL,"
          " label TEXT NOT NULL, rows INTEGER NOT NULL CHECK (rows > 0),"
          " live INTEGER NOT NULL DEFAULT 0 CHECK (live BETWEEN 0 AND rows),"
          " without_contact INTEGER NOT NULL DEFAULT 0"
          " CHECK (without_contact BETWEEN 0 AND rows), done_s INTEGER, removed_s INTEGER,"
          " why TEXT, CHECK ((removed_s IS NULL) = (why IS NULL))) STRICT;"
          "ALTER TABLE submission ADD COLUMN batch INTEGER REFERENCES paper_batch;"
          "CREATE INDEX submission_batch ON submission(batch)"
          " WHERE batch IS NOT NULL AND tag IS NOT NULL;"
          "CREATE INDEX submission_named ON submission(visibility)"
          " WHERE tag IS NOT NULL AND visibility > 0;"
          "ALTER TABLE organiser ADD COLUMN role INTEGER NOT NULL DEFAULT 2"
          " CHECK (role BETWEEN 0 AND 2);"
          "ALTER TABLE organiser ADD COLUMN totp_secret BLOB CHECK (length(totp_secret) = 20);"
          "ALTER TABLE organiser ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;"
          "CREATE TABLE recovery ("
          " organiser TEXT NOT NULL REFERENCES organiser,"
          " hash BLOB NOT NULL CHECK (length(hash) = 32),"
          " PRIMARY KEY (organiser, hash)) STRICT, WITHOUT ROWID;"
          "CREATE TABLE session ("
          " hash BLOB PRIMARY KEY CHECK (length(hash) = 32),"
          " organiser TEXT NOT NULL REFERENCES organiser,"
          " lang INTEGER CHECK (lang BETWEEN 0 AND 2), created_s INTEGER NOT NULL,"
          " seen_s INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
          "CREATE INDEX session_organiser ON session(organiser);"
          "ALTER TABLE delivery ADD COLUMN completed_s INTEGER;"
          "CREATE TABLE handover ("
          " delivery INTEGER NOT NULL REFERENCES delivery,"
          " addressee INTEGER NOT NULL CHECK (addressee BETWEEN 1 AND 19),"
          " day INTEGER NOT NULL, note TEXT NOT NULL, who TEXT NOT NULL,"
          " PRIMARY KEY (delivery, addressee)) STRICT, WITHOUT ROWID;",
    /* The entries are hashed when the database is opened (db_log.c). */
    [2] = "CREATE TABLE log_tile ( "
          "level  INTEGER NOT NULL CHECK (level BETWEEN 0 AND 6), "
          "n      INTEGER NOT NULL CHECK (n >= 0), "
          "hashes BLOB NOT NULL CHECK (length(hashes) = 8192), "
          "PRIMARY KEY (level, n) "
          ") STRICT; "
          "CREATE TRIGGER log_tile_in_order BEFORE INSERT ON log_tile "
          "WHEN NEW.n <> (SELECT ifnull(max(n) + 1, 0) FROM log_tile WHERE level = NEW.level) "
          "BEGIN SELECT RAISE(ABORT, 'log_tile is append-only'); END; "
          "CREATE TRIGGER log_tile_no_update BEFORE UPDATE ON log_tile "
          "BEGIN SELECT RAISE(ABORT, 'log_tile is append-only'); END; "
          "CREATE TRIGGER log_tile_no_delete BEFORE DELETE ON log_tile "
          "BEGIN SELECT RAISE(ABORT, 'log_tile is append-only'); END; "
          "CREATE TABLE log_checkpoint ( "
          "size INTEGER PRIMARY KEY CHECK (size > 0), "
          "note TEXT NOT NULL "
          ") STRICT; "
          "CREATE TRIGGER log_checkpoint_in_order BEFORE INSERT ON log_checkpoint "
          "WHEN NEW.size <= (SELECT ifnull(max(size), 0) FROM log_checkpoint) "
          "BEGIN SELECT RAISE(ABORT, 'log_checkpoint is append-only'); END; "
          "CREATE TRIGGER log_checkpoint_no_update BEFORE UPDATE ON log_checkpoint "
          "BEGIN SELECT RAISE(ABORT, 'log_checkpoint is append-only'); END; "
          "CREATE TRIGGER log_checkpoint_no_delete BEFORE DELETE ON log_checkpoint "
          "BEGIN SELECT RAISE(ABORT, 'log_checkpoint is append-only'); END; ",
    [3] = "CREATE TABLE log_end ("
          " idx INTEGER PRIMARY KEY REFERENCES log_entry,"
          " entry INTEGER NOT NULL REFERENCES log_entry CHECK (entry > idx)) STRICT;"
          "CREATE TABLE log_delivery ("
          " n INTEGER PRIMARY KEY CHECK (n > 0), size INTEGER NOT NULL CHECK (size > 0),"
          " entry INTEGER NOT NULL REFERENCES log_entry) STRICT;"
          "INSERT INTO log_end SELECT json_extract(CAST(body AS TEXT), '$.i'), idx FROM log_entry"
          " WHERE length(body) <> 120"
          " AND (substr(body, 1, 15) = CAST('{\"v\":1,\"t\":\"wd\"' AS BLOB)"
          " OR substr(body, 1, 17) = CAST('{\"v\":1,\"t\":\"void\"' AS BLOB));",
    [4] = "ALTER TABLE signer RENAME TO signer_row;"
          "CREATE TABLE signer_slice ("
          " slice INTEGER PRIMARY KEY CHECK (slice BETWEEN 0 AND 1023),"
          " upto INTEGER NOT NULL CHECK (upto >= 0)) STRICT;"
          "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < 1023)"
          " INSERT INTO signer_slice SELECT n, (SELECT ifnull(max(idx) + 1, 0) FROM log_entry)"
          " FROM s;"
          "CREATE VIEW signer AS SELECT tag, count(*) AS live, sum(tier = 0) AS confirmed"
          " FROM submission WHERE tag IS NOT NULL GROUP BY tag;",
    [5] = "ALTER TABLE signer_row RENAME TO signer_whole;"
          "CREATE TABLE signer_row ("
          " head BLOB PRIMARY KEY CHECK (length(head) = 16),"
          " live INTEGER NOT NULL CHECK (live > 0),"
          " confirmed INTEGER NOT NULL CHECK (confirmed BETWEEN 0 AND live)"
          ") STRICT, WITHOUT ROWID;"
          "INSERT INTO signer_row SELECT substr(tag, 1, 16), live, confirmed FROM signer_whole;"
          "DROP TABLE signer_whole;",
};

static int pragma_int(sqlite3 *handle, const char *pragma)
{
    sqlite3_stmt *s = NULL;
    int value = -1;

    if (sqlite3_prepare_v2(handle, pragma, -1, &s, NULL) == SQLITE_OK &&
        sqlite3_step(s) == SQLITE_ROW)
        value = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return value;
}

static int version_of(sqlite3 *handle)
{
    return pragma_int(handle, "PRAGMA user_version");
}

int db_schema_check(sqlite3 *handle, bool writer, const char *path, struct buf *err)
{
    int version;

    if (pragma_int(handle, "PRAGMA application_id") != APPLICATION_ID) {
        buf_printf(err, "%s is not a petition database", path);
        return -1;
    }
    version = version_of(handle);
    if (version < 1 || version > USER_VERSION || (!writer && version != USER_VERSION)) {
        buf_printf(err, "%s has schema version %d; this program knows %d", path, version,
                   USER_VERSION);
        return -1;
    }
    return 0;
}

static int run(sqlite3 *handle, const char *sql)
{
    return sqlite3_exec(handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

int db_schema_migrate(sqlite3 *handle, const char *path, struct buf *err)
{
    int from = version_of(handle), result;
    char number[40];

    if (from == USER_VERSION)
        return 0;
    snprintf(number, sizeof number, "PRAGMA user_version = %d", USER_VERSION);
    result = run(handle, "BEGIN IMMEDIATE");
    for (int version = from; result == 0 && version < USER_VERSION; version++)
        result = run(handle, steps[version]);
    if (result == 0)
        result = run(handle, number);
    if (result == 0)
        result = run(handle, "COMMIT");
    if (result == 0) {
        log_info("database: schema version %d is now %d", from, USER_VERSION);
        return 0;
    }
    buf_printf(err, "%s cannot be brought from schema version %d to %d: %s", path, from,
               USER_VERSION, sqlite3_errmsg(handle));
    if (!sqlite3_get_autocommit(handle) && run(handle, "ROLLBACK") != 0)
        log_error("database: the schema's change cannot be rolled back");
    return -1;
}

int db_create(const char *path, struct buf *err)
{
    sqlite3 *handle = NULL;
    int result = -1, fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        buf_printf(err, "%s: %s", path, strerror(errno));
        return -1;
    }
    close(fd);
    if (sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        run(handle, "PRAGMA journal_mode = WAL; BEGIN") == 0 && run(handle, schema) == 0 &&
        run(handle, "COMMIT") == 0)
        result = 0;
    else
        buf_printf(err, "%s: %s", path, sqlite3_errmsg(handle));
    sqlite3_close(handle);
    return result;
}
