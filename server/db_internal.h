/*
 * db_internal: what db.c offers to the other files of the database, and to nobody else.
 *
 * A statement is run by binding its parameters (from 1), then db_exec, db_exists, or db_step with
 * the columns (from 0) read before db_finish.
 */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include "db.h"

/* Every statement; the texts are in db_sql.c. */
enum sql {
    SQL_BEGIN,
    SQL_BEGIN_READ,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_TOUCH,
    SQL_LOG_SIZE,
    SQL_LOG_APPEND,
    SQL_LOG_ENTRY,
    SQL_LOG_ENTRIES,
    SQL_TILE_ADD,
    SQL_TILE_GET,
    SQL_TILE_COUNT,
    SQL_CHECKPOINT_ADD,
    SQL_CHECKPOINT_LAST,
    SQL_LOG_TEXTS,
    SQL_CLOSE_FIND,
    SQL_CLOSE_TAGS,
    SQL_CLOSE_REGROUP,
    SQL_CLOSE_SIGNERS,
    SQL_CLOSE_CLEAR,
    SQL_CLOSE_SIGNER,
    SQL_TOTALS_START,
    SQL_TOTALS_READ,
    SQL_TOTALS_WRITE,
    SQL_TALLY_ADD,
    SQL_TALLY_COUNTRY,
    SQL_TALLY_DAY,
    SQL_TALLY_TIER,
    SQL_TALLY_ALL,
    SQL_SUBMISSION_ADD,
    SQL_SUBMISSION_GET,
    SQL_SUBMISSION_ERASE,
    SQL_SUBMISSION_SHOW,
    SQL_LOG_END_ADD,
    SQL_LOG_END_GET,
    SQL_LOG_DELIVERY_ADD,
    SQL_LOG_DELIVERIES,
    SQL_CHECKPOINT_COVERING,
    SQL_SUBMISSION_NAMED,
    SQL_SUBMISSION_ROWS,
    SQL_SIGNER_ADD,
    SQL_SIGNER_GET,
    SQL_SIGNER_HEADS,
    SQL_SIGNER_LOWER,
    SQL_SIGNER_DELETE,
    SQL_SLICES,
    SQL_SLICE_SET,
    SQL_SUBMISSION_TAGS,
    SQL_BATCH_ADD,
    SQL_BATCH_LIVE_ADD,
    SQL_BATCH_CONTACTLESS,
    SQL_BATCH_DONE,
    SQL_BATCH_GET,
    SQL_BATCH_LAST,
    SQL_BATCH_REMOVE,
    SQL_BATCH_LIVE,
    SQL_ORGANISER_ADD,
    SQL_ORGANISER_PASSWD,
    SQL_ORGANISER_FIND,
    SQL_ORGANISER_GET,
    SQL_ORGANISER_NEXT,
    SQL_ORGANISER_ROLE,
    SQL_ORGANISER_OWNERS,
    SQL_ORGANISER_REMOVE,
    SQL_TOTP_SET,
    SQL_TOTP_STEP,
    SQL_RECOVERY_ADD,
    SQL_RECOVERY_USE,
    SQL_RECOVERY_CLEAR,
    SQL_SESSION_ADD,
    SQL_SESSION_GET,
    SQL_SESSION_NEXT,
    SQL_SESSION_SEEN,
    SQL_SESSION_LANG,
    SQL_SESSION_END,
    SQL_SESSION_END_ALL,
    SQL_SESSION_EXPIRE,
    SQL_TOKEN_ADD,
    SQL_TOKEN_FIND,
    SQL_TOKEN_CLEAR,
    SQL_AUDIT_LAST,
    SQL_AUDIT_ADD,
    SQL_AUDIT_ROWS,
    SQL_AUDIT_NEWEST,
    SQL_DELIVERY_ADD,
    SQL_DELIVERY_GET,
    SQL_DELIVERY_NEXT,
    SQL_DELIVERY_STATE,
    SQL_DELIVERY_FROZEN,
    SQL_DELIVERY_LAST,
    SQL_DELIVERY_COMPLETE,
    SQL_HANDOVER_SET,
    SQL_HANDOVERS,
    SQL_BUNDLE_SET,
    SQL_BUNDLES,
    SQL_DELIVERY_ENTRY,
    SQL_DELIVERY_BEFORE,
    SQL_LOG_REMOVALS,
    SQL_CHECKPOINT_AFTER,
    SQL__COUNT
};

extern const char *const db_sql[SQL__COUNT];

/* Steps once. DB_OK: a row, to be read and finished; DB_NO_ROW: done and reset. */
int db_step(struct db *db, enum sql which) DB_CHECKED;
/* Resets a statement and forgets its parameters. */
void db_finish(struct db *db, enum sql which);
/* Runs a statement to its end. DB_OK if it gave no row, or its row is of no interest. */
int db_exec(struct db *db, enum sql which) DB_CHECKED;
/* Runs a statement of which only matters whether it gives a row: DB_OK or DB_NO_ROW. */
int db_exists(struct db *db, enum sql which) DB_CHECKED;

/* Text and blobs are bound without a copy: they live until db_finish. NULL binds NULL. */
void db_bind_int(struct db *db, enum sql which, int at, int64_t n);
void db_bind_text(struct db *db, enum sql which, int at, const char *text);
void db_bind_blob(struct db *db, enum sql which, int at, const void *data, size_t len);

/* The pointers hold until db_step or db_finish. `len` may be NULL. */
int64_t db_column_int(struct db *db, enum sql which, int column);
const char *db_column_text(struct db *db, enum sql which, int column);
const void *db_column_blob(struct db *db, enum sql which, int column, size_t *len);
void db_add_column(struct db *db, enum sql which, int column, struct buf *out);

/* Writes down what a wd, void or dlv entry at that index says of others (db_marks.c). */
int db_mark_entry(struct db *db, int64_t index, const struct buf *body) DB_CHECKED;
/* Reads the index of the `close` entry out of the database; 0: there is none. */
int db_close_find(struct db *db, int64_t *index) DB_CHECKED;
/* The open transaction closes the petition with this entry, and erases. */
void db_set_closed(struct db *db, int64_t index);

/* The right edge of the log, as of the last commit and in the open transaction; the writer's. */
struct db_edges {
    struct tlog_edge committed, work;
};
struct db_edges *db_edges(struct db *db);
/* Reads or rebuilds them, when the writer opens; hashes what an older version has not hashed. */
int db_edges_load(struct db *db) DB_CHECKED;
/* Hashes the next entry; full tiles go to the database, in the open transaction. */
int db_edges_append(struct db *db, const struct buf *body) DB_CHECKED;
void db_edges_commit(struct db *db);
void db_edges_rollback(struct db *db);

/* What the submissions have changed since their signers' rows were written (db_signer.c). */
#define SIGNER_SLICES   1024
#define SIGNER_HEAD_LEN 16 /* of a tag: enough to tell contacts apart */
struct signer_change {
    uint8_t head[SIGNER_HEAD_LEN];
    int32_t live, confirmed;
};
struct signer_slice {
    struct signer_change *changes; /* in the order of their heads */
    size_t count, room;
    int64_t upto; /* submissions below are in the rows */
};
enum signer_step { SIGNER_CHANGED, SIGNER_CAME, SIGNER_WENT, SIGNER_WRITTEN };
/* What takes back one step of the open transaction. */
struct signer_undo {
    enum signer_step step;
    struct signer_change
        change;                /* what to add; the head of who came or went; of a slice, its bits */
    struct signer_slice slice; /* as it was before it was written */
};
struct db_signers {
    struct signer_slice *slices; /* SIGNER_SLICES; NULL: not loaded */
    struct signer_set *set;      /* who has signed; NULL: a reader, or nobody signs any more */
    size_t kept;                 /* changes of all slices */
    unsigned next;               /* the slice to write next */
    struct signer_undo *undo;
    size_t undo_count, undo_room;
};
struct db_signers *db_signers(struct db *db);
/* Sums the changes up from the database: when the writer opens, or in a reader's snapshot. */
int db_signers_load(struct db *db) DB_CHECKED;
/* Reads who has signed; for the writer, after db_signers_load. */
int db_signers_load_set(struct db *db) DB_CHECKED;
void db_signers_free(struct db *db);
/* Writes slices in the open transaction, until there is memory for what is left; or all. */
int db_signers_write(struct db *db, uint64_t signatures) DB_CHECKED;
int db_signers_write_all(struct db *db) DB_CHECKED;
void db_signers_commit(struct db *db);
void db_signers_rollback(struct db *db);
/* Counts a new live submission, in the open transaction; the totals follow. */
int db_signer_raise(struct db *db, const uint8_t tag[TAG_LEN], bool confirmed,
                    struct totals *t) DB_CHECKED;
/* Counts the submission at `index` no more. */
int db_signer_lower(struct db *db, int64_t index, const uint8_t tag[TAG_LEN], bool confirmed,
                    struct totals *t) DB_CHECKED;
/* How many live submissions a tag has. */
int db_signer_live(struct db *db, const uint8_t tag[TAG_LEN], int64_t *live) DB_CHECKED;
/* Each change, with what the row of its tag counts (zeros: none). */
typedef void db_signer_each(void *ctx, const struct signer_change *change,
                            const struct signer_change *row);
int db_signers_each(struct db *db, db_signer_each *each, void *ctx) DB_CHECKED;

/* SQLite's connection, for db_copy and db_check. */
struct sqlite3 *db_handle(struct db *db);

/* A row's hash in the audit trail; `hash` holds that of the row before, zeros before the first. */
void db_audit_hash(uint8_t hash[HASH_LEN], int64_t id, const struct audit_act *act);

#endif
