/*
 * db: the SQLite calls (see db.h). The statements are in db_sql.c, the log's tiles and checkpoints
 * in db_log.c, who has signed in db_signer.c, the organisers' part is in db_desk.c, the schema in
 * db_schema.c; db_copy.c and db_check.c have what backups and checks need.
 *
 * A connection belongs to one thread at a time. All statements are prepared when the connection
 * opens, and are never left stepped: db_exec() and friends reset them. Always true in the writer:
 * `work` describes the open transaction, `totals` and `next_index` the last commit.
 *
 * SQLite before 3.51.3 loses commits when one connection checkpoints while another writes; so only
 * the writer connection does either, and readers are opened so that they cannot.
 */
#include "db_internal.h"
#include "db_schema.h"

#include "log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Distinct cells that a batch gathers before they are written; a power of two. */
#define TALLY_SLOTS 1024

static pthread_once_t library_configured = PTHREAD_ONCE_INIT;

struct tally_cell {
    day_number day;
    char country[3];
    enum tier tier;
    int64_t n; /* what the batch adds; may be negative */
    bool used;
};

/* What a transaction changes beside its rows. */
struct counters {
    struct totals totals;
    int64_t next_index;
    int64_t text_index;
    int64_t close_index;
};

struct db {
    sqlite3 *handle;
    sqlite3_stmt *statements[SQL__COUNT];
    enum db_mode mode;
    bool in_transaction;
    bool totals_dirty;    /* work.totals or work.text_index differ from the table */
    bool erased_in_batch; /* the open transaction erases personal columns */
    bool erasure_pending; /* a committed one did, and the WAL still holds the old pages */
    bool unbound;         /* a parameter could not be bound: the statement must not run */
    int failing; /* SQLite's code of the failures since the last commit that wrote; 0: none */
    int wal_pages;
    struct counters committed, work;
    struct tally_cell tally[TALLY_SLOTS];
    size_t tally_used;
    struct db_edges edges;
    struct db_signers signers;
};

/* ---- statements */

/* The errno of the last failed call on the database file or the WAL, 0 if there was none. */
static int system_error(struct db *db)
{
    sqlite3_file *wal = NULL;
    int code = 0;

    sqlite3_file_control(db->handle, NULL, SQLITE_FCNTL_LAST_ERRNO, &code);
    if (code == 0 &&
        sqlite3_file_control(db->handle, NULL, SQLITE_FCNTL_JOURNAL_POINTER, (void *)&wal) ==
            SQLITE_OK &&
        wal && wal->pMethods)
        wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &code);
    return code;
}

/* Says what kind a failure is, and logs it; of a run of equal ones the first only. A disk quota and
 * a limit of file sizes are "full" too: the write was refused, nothing of it is on the disk. */
static int failure(struct db *db, const char *what)
{
    int code = sqlite3_extended_errcode(db->handle);
    int os = (code & 0xff) == SQLITE_IOERR ? system_error(db) : 0;

    if (code != db->failing)
        log_error("database: %s: %s (%d, errno %d)", what, sqlite3_errmsg(db->handle), code, os);
    db->failing = code;
    if ((code & 0xff) == SQLITE_FULL ||
        (code == SQLITE_IOERR_WRITE && (os == ENOSPC || os == EDQUOT || os == EFBIG)))
        return DB_FULL;
    return DB_BROKEN;
}

/* After a commit that wrote: the end of a run of failures. */
static void note_success(struct db *db)
{
    if (db->failing)
        log_info("database: writing succeeds again");
    db->failing = 0;
}

int db_step(struct db *db, enum sql which)
{
    sqlite3_stmt *s = db->statements[which];
    int code = db->unbound ? SQLITE_ERROR : sqlite3_step(s);

    db->unbound = false;
    if (code == SQLITE_ROW)
        return DB_OK;
    if (code == SQLITE_DONE) {
        sqlite3_reset(s);
        return DB_NO_ROW;
    }
    code = failure(db, db_sql[which]);
    sqlite3_reset(s);
    return code;
}

/* Resets a statement whose row has been read. */
void db_finish(struct db *db, enum sql which)
{
    sqlite3_reset(db->statements[which]);
    sqlite3_clear_bindings(db->statements[which]);
}

/* Runs a statement to its end. DB_OK if it gave no row, or its row is of no interest. */
int db_exec(struct db *db, enum sql which)
{
    int result = db_step(db, which);

    db_finish(db, which);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* Runs a statement of which only matters whether it gives a row. */
int db_exists(struct db *db, enum sql which)
{
    int result = db_step(db, which);

    db_finish(db, which);
    return result;
}

void db_bind_int(struct db *db, enum sql which, int at, int64_t n)
{
    db->unbound |= sqlite3_bind_int64(db->statements[which], at, n) != SQLITE_OK;
}

/* Text and blobs are bound without a copy: they live until db_finish(). NULL binds NULL. */
void db_bind_text(struct db *db, enum sql which, int at, const char *text)
{
    /* Binding NULL text binds NULL. */
    db->unbound |=
        sqlite3_bind_text(db->statements[which], at, text, -1, SQLITE_STATIC) != SQLITE_OK;
}

void db_bind_blob(struct db *db, enum sql which, int at, const void *data, size_t len)
{
    db->unbound |=
        sqlite3_bind_blob64(db->statements[which], at, data, len, SQLITE_STATIC) != SQLITE_OK;
}

int64_t db_column_int(struct db *db, enum sql which, int column)
{
    return sqlite3_column_int64(db->statements[which], column);
}

const char *db_column_text(struct db *db, enum sql which, int column)
{
    return (const char *)sqlite3_column_text(db->statements[which], column);
}

const void *db_column_blob(struct db *db, enum sql which, int column, size_t *len)
{
    const void *data = sqlite3_column_blob(db->statements[which], column);

    if (len)
        *len = (size_t)sqlite3_column_bytes(db->statements[which], column);
    return data;
}

void db_add_column(struct db *db, enum sql which, int column, struct buf *out)
{
    size_t len;
    const void *data = db_column_blob(db, which, column, &len);

    buf_add(out, data, len);
}

struct db_edges *db_edges(struct db *db)
{
    return &db->edges;
}

struct db_signers *db_signers(struct db *db)
{
    return &db->signers;
}

struct sqlite3 *db_handle(struct db *db)
{
    return db->handle;
}

/* ---- opening and closing */

static int on_commit_to_wal(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    struct db *db = ctx;

    (void)handle;
    (void)name;
    db->wal_pages = pages;
    return SQLITE_OK;
}

static const char pragmas_of_all[] = "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                                     "PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                                     "PRAGMA wal_autocheckpoint = 0; PRAGMA foreign_keys = ON;"
                                     "PRAGMA cache_size = -4096;";
static const char pragmas_of_writer[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
    "PRAGMA journal_size_limit = 67108864;";
static const char pragmas_of_reader[] = "PRAGMA query_only = ON;";

/* Sets up a connection; the file may still be anything, so the first read of it is checked here. */
static int configure(struct db *db, const char *path, struct buf *err)
{
    const char *more = db->mode == DB_WRITER ? pragmas_of_writer : pragmas_of_reader;

    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    if (db->mode == DB_READER)
        sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (db_schema_check(db->handle, db->mode == DB_WRITER, path, err) != 0)
        return -1;
    if (sqlite3_exec(db->handle, pragmas_of_all, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_exec(db->handle, more, NULL, NULL, NULL) != SQLITE_OK) {
        buf_printf(err, "%s: %s", path, sqlite3_errmsg(db->handle));
        return -1;
    }
    sqlite3_wal_hook(db->handle, on_commit_to_wal, db);
    return db->mode == DB_WRITER ? db_schema_migrate(db->handle, path, err) : 0;
}

static int prepare_all(struct db *db, const char *path, struct buf *err)
{
    for (int i = 0; i < SQL__COUNT; i++) {
        if (sqlite3_prepare_v3(db->handle, db_sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                               &db->statements[i], NULL) != SQLITE_OK) {
            buf_printf(err, "%s: %s: %s", path, db_sql[i], sqlite3_errmsg(db->handle));
            return -1;
        }
    }
    return 0;
}

/* Reads the committed counters. DB_NO_ROW in a database whose log has not been started. */
static int read_counters(struct db *db, struct counters *c)
{
    struct totals *t = &c->totals;
    int at = 0, result = db_step(db, SQL_LOG_SIZE);

    if (result != DB_OK)
        return result;
    c->next_index = db_column_int(db, SQL_LOG_SIZE, 0);
    db_finish(db, SQL_LOG_SIZE);
    result = db_step(db, SQL_TOTALS_READ);
    if (result != DB_OK)
        return result;
    c->text_index = db_column_int(db, SQL_TOTALS_READ, at++);
    t->live = (uint64_t)db_column_int(db, SQL_TOTALS_READ, at++);
    t->signatures = (uint64_t)db_column_int(db, SQL_TOTALS_READ, at++);
    t->confirmed = (uint64_t)db_column_int(db, SQL_TOTALS_READ, at++);
    t->withdrawn = (uint64_t)db_column_int(db, SQL_TOTALS_READ, at++);
    for (int why = 0; why < VOID__MAX; why++)
        t->removed[why] = (uint64_t)db_column_int(db, SQL_TOTALS_READ, at++);
    t->shown_count.value = (uint64_t)db_column_int(db, SQL_TOTALS_READ, at++);
    t->shown_count.jitter = (uint32_t)db_column_int(db, SQL_TOTALS_READ, at++);
    t->shown_confirmed.value = (uint64_t)db_column_int(db, SQL_TOTALS_READ, at++);
    t->shown_confirmed.jitter = (uint32_t)db_column_int(db, SQL_TOTALS_READ, at++);
    db_finish(db, SQL_TOTALS_READ);
    return db_close_find(db, &c->close_index);
}

/* Counting allocations takes a lock on each of them, and nobody asks for the count. */
static void configure_library(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* A process that did not close the database has left its WAL. (Opening has not touched it yet.) */
static bool wal_is_left(sqlite3 *handle)
{
    struct stat st;

    return stat(sqlite3_filename_wal(sqlite3_db_filename(handle, "main")), &st) == 0 &&
           st.st_size > 0;
}

struct db *db_open(const char *path, enum db_mode mode, struct buf *err)
{
    int flags = mode == DB_WRITER ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    struct db *db = xcalloc(1, sizeof *db);

    pthread_once(&library_configured, configure_library);
    db->mode = mode;
    if (access(path, F_OK) != 0) {
        buf_printf(err, "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (sqlite3_open_v2(path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        buf_printf(err, "%s: %s", path, sqlite3_errmsg(db->handle));
        goto fail;
    }
    if (mode == DB_READER)
        sqlite3_busy_timeout(db->handle, 5000);
    /* It may still hold columns that were erased. */
    db->erasure_pending = mode == DB_WRITER && wal_is_left(db->handle);
    if (configure(db, path, err) != 0 || prepare_all(db, path, err) != 0)
        goto fail;
    if (read_counters(db, &db->committed) < 0) {
        buf_printf(err, "%s: %s", path, sqlite3_errmsg(db->handle));
        goto fail;
    }
    db->work = db->committed;
    if (mode == DB_WRITER && db_edges_load(db) != DB_OK) {
        buf_printf(err, "%s: the log has gaps, or tiles that are not those of its entries", path);
        goto fail;
    }
    if (mode == DB_WRITER && (db_signers_load(db) != DB_OK || db_signers_load_set(db) != DB_OK)) {
        buf_printf(err, "%s: the submissions cannot be counted", path);
        goto fail;
    }
    return db;
fail:
    db_close(db);
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    for (int i = 0; i < SQL__COUNT; i++)
        sqlite3_finalize(db->statements[i]);
    if (db->handle && sqlite3_close(db->handle) != SQLITE_OK)
        log_error("database: %s", sqlite3_errmsg(db->handle));
    db_signers_free(db);
    free(db);
}

/* ---- transactions */

static void forget_batch(struct db *db)
{
    db->work = db->committed;
    db->totals_dirty = db->erased_in_batch = false;
    memset(db->tally, 0, sizeof db->tally);
    db->tally_used = 0;
}

int db_begin(struct db *db)
{
    int result;

    assert(db->mode == DB_WRITER && !db->in_transaction);
    result = db_exec(db, SQL_BEGIN);
    db->in_transaction = result == DB_OK;
    return result;
}

static int flush_tally(struct db *db)
{
    int result = DB_OK;

    for (size_t i = 0; i < TALLY_SLOTS && db->tally_used > 0 && result == DB_OK; i++) {
        struct tally_cell *cell = &db->tally[i];

        if (!cell->used || cell->n == 0)
            continue;
        db_bind_int(db, SQL_TALLY_ADD, 1, cell->day);
        db_bind_text(db, SQL_TALLY_ADD, 2, cell->country);
        db_bind_int(db, SQL_TALLY_ADD, 3, cell->tier);
        db_bind_int(db, SQL_TALLY_ADD, 4, cell->n);
        result = db_exec(db, SQL_TALLY_ADD);
    }
    if (db->tally_used > 0)
        memset(db->tally, 0, sizeof db->tally);
    db->tally_used = 0;
    return result;
}

static int flush_totals(struct db *db)
{
    const struct totals *t = &db->work.totals;
    int at = 1;

    if (!db->totals_dirty)
        return DB_OK;
    db_bind_int(db, SQL_TOTALS_WRITE, at++, db->work.text_index);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, (int64_t)t->live);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, (int64_t)t->signatures);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, (int64_t)t->confirmed);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, (int64_t)t->withdrawn);
    for (int why = 0; why < VOID__MAX; why++)
        db_bind_int(db, SQL_TOTALS_WRITE, at++, (int64_t)t->removed[why]);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, (int64_t)t->shown_count.value);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, t->shown_count.jitter);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, (int64_t)t->shown_confirmed.value);
    db_bind_int(db, SQL_TOTALS_WRITE, at++, t->shown_confirmed.jitter);
    return db_exec(db, SQL_TOTALS_WRITE);
}

int db_touch(struct db *db)
{
    /* The totals alone are not enough: SQLite writes no row that stays the same. */
    db->totals_dirty = true;
    return db_exec(db, SQL_TOUCH);
}

int db_commit(struct db *db)
{
    bool wrote = db->totals_dirty || db->work.next_index != db->committed.next_index;
    int result;

    assert(db->in_transaction);
    result = flush_tally(db);
    if (result == DB_OK)
        result = db_signers_write(db, db->work.totals.signatures);
    if (result == DB_OK)
        result = flush_totals(db);
    if (result == DB_OK)
        result = db_exec(db, SQL_COMMIT);
    if (result != DB_OK)
        return result;
    if (wrote)
        note_success(db);
    db->in_transaction = false;
    db->committed = db->work;
    db_edges_commit(db);
    db_signers_commit(db);
    db->erasure_pending |= db->erased_in_batch;
    forget_batch(db);
    return DB_OK;
}

void db_rollback(struct db *db)
{
    /* Some failures have rolled back already; then there is nothing left to do. */
    if (db->in_transaction && !sqlite3_get_autocommit(db->handle) &&
        db_exec(db, SQL_ROLLBACK) != DB_OK)
        log_error("database: the transaction cannot be rolled back");
    db->in_transaction = false;
    db_edges_rollback(db);
    db_signers_rollback(db);
    forget_batch(db);
}

int db_checkpoint(struct db *db, bool truncate)
{
    int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, mode, NULL, NULL);

    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return 1;
    if (code != SQLITE_OK)
        return failure(db, "checkpoint") == DB_FULL ? 1 : DB_BROKEN;
    db->wal_pages = 0;
    if (truncate)
        db->erasure_pending = false;
    return DB_OK;
}

int db_wal_pages(const struct db *db)
{
    return db->wal_pages;
}

bool db_erasure_pending(const struct db *db)
{
    return db->erasure_pending;
}

int db_snapshot_begin(struct db *db)
{
    int result;

    assert(db->mode == DB_READER);
    result = db_exec(db, SQL_BEGIN_READ);
    /* BEGIN takes nothing; the first read fixes the state. */
    if (result == DB_OK)
        result = read_counters(db, &db->committed);
    db->work = db->committed;
    if (result != DB_OK && !sqlite3_get_autocommit(db->handle) &&
        db_exec(db, SQL_ROLLBACK) != DB_OK)
        log_error("database: a read cannot be ended");
    return result;
}

void db_snapshot_end(struct db *db)
{
    if (db_exec(db, SQL_ROLLBACK) != DB_OK)
        log_error("database: the snapshot cannot be ended");
}

/* ---- the log */

int64_t db_log_size(const struct db *db)
{
    return db->work.next_index;
}

int64_t db_text_index(const struct db *db)
{
    return db->work.text_index;
}

void db_set_text(struct db *db, int64_t index)
{
    db->work.text_index = index;
    db->totals_dirty = true;
}

int64_t db_close_index(const struct db *db)
{
    return db->work.close_index;
}

void db_set_closed(struct db *db, int64_t index)
{
    db->work.close_index = index;
    db->erased_in_batch = true;
}

int db_log_append(struct db *db, const struct buf *body, int64_t *index)
{
    int result;

    assert(db->in_transaction);
    db_bind_int(db, SQL_LOG_APPEND, 1, db->work.next_index);
    db_bind_blob(db, SQL_LOG_APPEND, 2, body->data, body->len);
    result = db_exec(db, SQL_LOG_APPEND);
    if (result == DB_OK)
        result = db_edges_append(db, body);
    if (result == DB_OK)
        result = db_mark_entry(db, db->work.next_index, body);
    if (result == DB_OK)
        *index = db->work.next_index++;
    return result;
}

int db_start_log(struct db *db, const struct buf *open_entry)
{
    int64_t index;
    int result = db_log_append(db, open_entry, &index);

    return result == DB_OK ? db_exec(db, SQL_TOTALS_START) : result;
}

/* ---- submissions */

/* Adds n to a cell of the batch. */
static int tally_add(struct db *db, const struct tally_cell *what, int64_t n)
{
    unsigned hash = (unsigned)what->day * 31u + (unsigned char)what->country[0] * 7919u +
                    (unsigned char)what->country[1] * 104729u + (unsigned)what->tier;
    int result;

    if (db->tally_used == TALLY_SLOTS / 2) {
        result = flush_tally(db);
        if (result != DB_OK)
            return result;
    }
    for (unsigned i = hash;; i++) {
        struct tally_cell *cell = &db->tally[i % TALLY_SLOTS];

        if (!cell->used) {
            *cell = *what;
            cell->used = true;
            cell->n = n;
            db->tally_used++;
            return DB_OK;
        }
        if (cell->day == what->day && cell->tier == what->tier &&
            strcmp(cell->country, what->country) == 0) {
            cell->n += n;
            return DB_OK;
        }
    }
}

static int batch_add_live(struct db *db, int64_t batch, int64_t n)
{
    db_bind_int(db, SQL_BATCH_LIVE_ADD, 1, batch);
    db_bind_int(db, SQL_BATCH_LIVE_ADD, 2, n);
    return db_exec(db, SQL_BATCH_LIVE_ADD);
}

int db_submission_add(struct db *db, int64_t index, const struct submission *s)
{
    struct tally_cell cell = {.day = s->day, .tier = s->tier};
    int result;

    memcpy(cell.country, s->country, sizeof cell.country);
    db_bind_int(db, SQL_SUBMISSION_ADD, 1, index);
    db_bind_blob(db, SQL_SUBMISSION_ADD, 2, s->tag, TAG_LEN);
    db_bind_int(db, SQL_SUBMISSION_ADD, 3, s->tier);
    db_bind_int(db, SQL_SUBMISSION_ADD, 4, s->visibility);
    db_bind_text(db, SQL_SUBMISSION_ADD, 5, s->country);
    db_bind_int(db, SQL_SUBMISSION_ADD, 6, s->day);
    db_bind_text(db, SQL_SUBMISSION_ADD, 7, s->name);
    db_bind_blob(db, SQL_SUBMISSION_ADD, 8, s->opening, OPENING_LEN);
    db_bind_blob(db, SQL_SUBMISSION_ADD, 9, s->sealed, s->sealed_len);
    db_bind_int(db, SQL_SUBMISSION_ADD, 10, s->batch);
    result = db_exec(db, SQL_SUBMISSION_ADD);
    if (result == DB_OK && s->batch)
        result = batch_add_live(db, s->batch, 1);
    if (result == DB_OK)
        result = db_signer_raise(db, s->tag, s->tier == TIER_CONFIRMED, &db->work.totals);
    if (result == DB_OK)
        result = tally_add(db, &cell, 1);
    db->work.totals.live++;
    db->totals_dirty = true;
    return result;
}

int db_submission_live(struct db *db, int64_t index, bool *live)
{
    size_t len;
    int result;

    db_bind_int(db, SQL_SUBMISSION_GET, 1, index);
    result = db_step(db, SQL_SUBMISSION_GET);
    if (result == DB_OK)
        *live = db_column_blob(db, SQL_SUBMISSION_GET, 0, &len) != NULL;
    db_finish(db, SQL_SUBMISSION_GET);
    return result;
}

/* What erasing needs to know of a live submission. */
struct submission_facts {
    uint8_t tag[TAG_LEN];
    struct tally_cell cell;
    int64_t batch; /* 0: none */
};

/* DB_NO_ROW if it is not live. */
static int live_submission(struct db *db, int64_t index, struct submission_facts *facts)
{
    const void *stored;
    size_t len;
    int result;

    db_bind_int(db, SQL_SUBMISSION_GET, 1, index);
    result = db_step(db, SQL_SUBMISSION_GET);
    if (result == DB_OK) {
        stored = db_column_blob(db, SQL_SUBMISSION_GET, 0, &len);
        if (stored && len == TAG_LEN) {
            memcpy(facts->tag, stored, TAG_LEN);
            facts->cell.tier = (enum tier)db_column_int(db, SQL_SUBMISSION_GET, 1);
            memcpy(facts->cell.country, db_column_text(db, SQL_SUBMISSION_GET, 2), 2);
            facts->cell.day = (day_number)db_column_int(db, SQL_SUBMISSION_GET, 3);
            facts->batch = db_column_int(db, SQL_SUBMISSION_GET, 4);
        } else {
            result = DB_NO_ROW;
        }
    }
    db_finish(db, SQL_SUBMISSION_GET);
    return result;
}

int db_submission_erase(struct db *db, int64_t index, enum void_why why)
{
    struct totals *t = &db->work.totals;
    struct submission_facts facts = {0};
    int result = live_submission(db, index, &facts);

    if (result != DB_OK)
        return result;
    db_bind_int(db, SQL_SUBMISSION_ERASE, 1, index);
    result = db_exec(db, SQL_SUBMISSION_ERASE);
    if (result == DB_OK)
        result = db_signer_lower(db, index, facts.tag, facts.cell.tier == TIER_CONFIRMED, t);
    if (result == DB_OK)
        result = tally_add(db, &facts.cell, -1);
    if (result == DB_OK && facts.batch)
        result = batch_add_live(db, facts.batch, -1);
    t->live--;
    if (why == VOID__MAX)
        t->withdrawn++;
    else
        t->removed[why]++;
    db->totals_dirty = db->erased_in_batch = true;
    return result;
}

int db_submission_alone(struct db *db, int64_t index, bool *alone)
{
    struct submission_facts facts = {0};
    int64_t live;
    int result = live_submission(db, index, &facts);

    if (result != DB_OK)
        return result;
    result = db_signer_live(db, facts.tag, &live);
    *alone = live == 1;
    return result;
}

int db_rows_begin(struct db *db, int64_t from)
{
    db_finish(db, SQL_SUBMISSION_ROWS);
    db_bind_int(db, SQL_SUBMISSION_ROWS, 1, from);
    return DB_OK;
}

int db_rows_next(struct db *db, struct db_row *row)
{
    int result = db_step(db, SQL_SUBMISSION_ROWS);

    if (result != DB_OK)
        return result;
    row->index = db_column_int(db, SQL_SUBMISSION_ROWS, 0);
    row->tier = (enum tier)db_column_int(db, SQL_SUBMISSION_ROWS, 1);
    row->visibility = (enum visibility)db_column_int(db, SQL_SUBMISSION_ROWS, 2);
    memcpy(row->country, db_column_text(db, SQL_SUBMISSION_ROWS, 3), sizeof row->country);
    row->day = (day_number)db_column_int(db, SQL_SUBMISSION_ROWS, 4);
    row->name = db_column_text(db, SQL_SUBMISSION_ROWS, 5);
    row->opening = db_column_blob(db, SQL_SUBMISSION_ROWS, 6, NULL);
    row->sealed = db_column_blob(db, SQL_SUBMISSION_ROWS, 7, &row->sealed_len);
    row->body = db_column_blob(db, SQL_SUBMISSION_ROWS, 8, &row->body_len);
    return DB_OK;
}

void db_rows_end(struct db *db)
{
    db_finish(db, SQL_SUBMISSION_ROWS);
}

/* ---- figures */

int db_totals(struct db *db, struct totals *out)
{
    *out = db->work.totals;
    return DB_OK;
}

void db_set_shown(struct db *db, const struct shown *count, const struct shown *confirmed)
{
    db->work.totals.shown_count = *count;
    db->work.totals.shown_confirmed = *confirmed;
    db->totals_dirty = true;
}

/* The text of a table's key column. */
static void cell_key(struct db *db, enum db_table which, enum sql statement, struct cell *cell)
{
    char day[11];

    if (which == DB_BY_COUNTRY) {
        snprintf(cell->key, sizeof cell->key, "%s", db_column_text(db, statement, 0));
    } else if (which == DB_BY_DAY) {
        day_text(day, (day_number)db_column_int(db, statement, 0));
        snprintf(cell->key, sizeof cell->key, "%s", day);
    } else {
        snprintf(cell->key, sizeof cell->key, "%s", tier_names[db_column_int(db, statement, 0)]);
    }
}

int db_table(struct db *db, enum db_table which, day_number before, struct table *t)
{
    static const enum sql statements[] = {SQL_TALLY_COUNTRY, SQL_TALLY_DAY, SQL_TALLY_TIER};
    enum sql statement = statements[which];
    size_t alloc = 0;
    int result = flush_tally(db);

    *t = (struct table){0};
    db_bind_int(db, statement, 1, before);
    while (result == DB_OK && (result = db_step(db, statement)) == DB_OK) {
        if (t->count == alloc) {
            alloc = alloc ? 2 * alloc : 64;
            t->cells = realloc(t->cells, alloc * sizeof *t->cells);
            if (!t->cells)
                abort();
        }
        cell_key(db, which, statement, &t->cells[t->count]);
        t->cells[t->count++].n = (uint64_t)db_column_int(db, statement, 1);
    }
    db_finish(db, statement);
    return result == DB_NO_ROW ? DB_OK : result;
}
