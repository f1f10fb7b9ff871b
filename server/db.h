/*
 * db: the database, as typed calls. Every SQL statement of the program is in db_sql.c, but for
 * those that only recount (db_check.c); the schema and its changes are in db_schema.c.
 *
 * One connection writes (DB_WRITER: the writer thread's, the only one that commits or checkpoints);
 * others read (DB_READER). No type of the engine shows, so that another one can be linked instead.
 *
 * A write happens between db_begin and db_commit. Counters that many rows share (tally, totals) are
 * gathered in memory and written by db_commit, in the same transaction; db_rollback forgets them.
 * Who has signed is gathered across transactions (db_signer.c).
 *
 * Results: 0, DB_NO_ROW, DB_FULL or DB_BROKEN; all failures are negative and logged here, once.
 * After DB_FULL (no space) roll back and go on later. After DB_BROKEN from db_commit nobody knows
 * what is on the disk: the process must end, and its restart reads what there is.
 */
#ifndef DB_H
#define DB_H

#include "entry.h"
#include "figures.h"
#include "identity.h"
#include "tlog.h"

#define DB_OK     0
#define DB_NO_ROW 1
#define DB_FULL   (-1)
#define DB_BROKEN (-2)

#define DB_CHECKED __attribute__((warn_unused_result))

struct db;

enum db_mode { DB_WRITER, DB_READER };

/* Makes a new database file with the schema; entry 0 is then written with db_start_log. -1 with a
 * line in err; EEXIST counts as an error. */
int db_create(const char *path, struct buf *err) DB_CHECKED;
/* Opens an existing one; a writer brings an older schema up to date first. NULL with a line in err:
 * no such file, not ours, newer, or unreadable. */
struct db *db_open(const char *path, enum db_mode mode, struct buf *err);
/* The writer's close checkpoints and truncates the WAL. */
void db_close(struct db *db);

/* ---- transactions (writer) */

int db_begin(struct db *db) DB_CHECKED;
int db_commit(struct db *db) DB_CHECKED;
/* Makes the transaction write a page, though nothing changes: for probes. */
int db_touch(struct db *db) DB_CHECKED;
void db_rollback(struct db *db);
/* Moves what the WAL holds to the database. With `truncate` also empties the WAL file.
 * 0; 1 if a reader or too little space prevents it for now; DB_BROKEN. */
int db_checkpoint(struct db *db, bool truncate) DB_CHECKED;
/* Pages in the WAL as of the last commit. */
int db_wal_pages(const struct db *db);
/* True if the WAL may hold erased columns: some were erased since the last truncating checkpoint,
 * or the process before has died and left a WAL. */
bool db_erasure_pending(const struct db *db);

/* A reader's snapshot: everything read until db_snapshot_end is one state. */
int db_snapshot_begin(struct db *db) DB_CHECKED;
void db_snapshot_end(struct db *db);

/* ---- the log */

/* Entry 0 and the row of totals, in a new database. */
int db_start_log(struct db *db, const struct buf *open_entry) DB_CHECKED;
/* Number of entries = index of the next one. In the writer it includes the open transaction. */
int64_t db_log_size(const struct db *db);
/* Appends an entry; *index is its index. */
int db_log_append(struct db *db, const struct buf *body, int64_t *index) DB_CHECKED;
/* The exact bytes of an entry: DB_NO_ROW if there is none. */
int db_log_entry(struct db *db, int64_t index, struct buf *body) DB_CHECKED;
/* Appends the entries from..from+count-1 to a bundle (tlog.h); DB_NO_ROW if one is not there. */
int db_log_entries(struct db *db, int64_t from, int count, struct buf *bundle) DB_CHECKED;
/* Hands the entries from `from` on over, in order; what each() returns, if not 0, ends it. */
typedef int db_log_each(void *ctx, const void *body, size_t len);
int db_log_read(struct db *db, int64_t from, db_log_each *each, void *ctx) DB_CHECKED;
/* A full tile: DB_NO_ROW if there is none. */
int db_log_tile(struct db *db, int level, int64_t n, uint8_t hashes[TILE_BYTES]) DB_CHECKED;
/* The right edge of the log when it had that size, from full tiles and the entries behind them.
 * DB_NO_ROW if they are not there. */
int db_log_edge(struct db *db, int64_t size, struct tlog_edge *out) DB_CHECKED;
/* The writer's own, open transaction included. Holds until the next append, commit or rollback. */
const struct tlog_edge *db_log_right_edge(struct db *db);

/* Checkpoints that were published. `size` must be above that of all others. */
int db_checkpoint_add(struct db *db, int64_t size, const char *note) DB_CHECKED;
/* The newest: DB_NO_ROW if there is none. */
int db_checkpoint_last(struct db *db, int64_t *size, struct buf *note) DB_CHECKED;

/* The size of the first one that holds the entry at that index; DB_NO_ROW: none does. */
int db_checkpoint_covering(struct db *db, int64_t index, int64_t *size) DB_CHECKED;

/* The delivery with the lowest number above *n whose dlv entry stands before `end`: *n becomes its
 * number, *size the log's size when it was frozen. DB_NO_ROW: no further one. */
int db_log_delivery(struct db *db, int64_t end, int64_t *n, int64_t *size) DB_CHECKED;

/* Index of the last `open` or `text` entry; db_log_append of a `text` entry must be followed by
 * db_set_text. */
int64_t db_text_index(const struct db *db);
void db_set_text(struct db *db, int64_t index);
/* Indices of all `text` entries, ascending; *count is the room and becomes their number. DB_BROKEN
 * if there is not room for all. Reads the whole log once. */
int db_text_indices(struct db *db, int64_t *indices, size_t *count) DB_CHECKED;

/* ---- closing (db_close.c) */

/* Index of the `close` entry, 0 while the petition is open. In the writer it includes the open
 * transaction. */
int64_t db_close_index(const struct db *db);
/* Closes the petition in the open transaction: appends the `close` entry, whose index and figures
 * are given back, and replaces every tag by a random group number, equal ones by equal ones. Takes
 * 24 bytes of memory for each signature, and as much of the WAL as the submissions take. The
 * petition must be open. */
int db_close_petition(struct db *db, struct closing_figures *figures, int64_t *index) DB_CHECKED;
/* A group number stands where a tag stood: so many random bytes, then zeros. */
#define GROUP_LEN 16

/* ---- submissions */

struct submission {
    const uint8_t *tag; /* TAG_LEN */
    enum tier tier;
    enum visibility visibility;
    char country[3];
    day_number day;
    const char *name;       /* NULL if private */
    const uint8_t *opening; /* OPENING_LEN, NULL if private */
    const uint8_t *sealed;  /* NULL for rows without one */
    size_t sealed_len;
    int64_t batch; /* of paper; 0: a form */
};
/* Stores the submission of the sign entry at `index` and counts it. */
int db_submission_add(struct db *db, int64_t index, const struct submission *s) DB_CHECKED;
/* Is there a submission at the index, and is it live? DB_NO_ROW if it is no submission. */
int db_submission_live(struct db *db, int64_t index, bool *live) DB_CHECKED;
/* Erases the personal columns and takes the submission out of every count. `why` is a void reason,
 * or VOID__MAX for a withdrawal by the signer. DB_NO_ROW if it is not live. */
int db_submission_erase(struct db *db, int64_t index, enum void_why why) DB_CHECKED;

/* One submission as the desk shows it; DB_NO_ROW if there is none at the index. `name` is
 * initialised by the caller, and left empty if the server has none; `body` is the sign entry. */
struct submission_view {
    bool live;
    enum tier tier;
    enum visibility visibility;
    char country[3];
    day_number day;
    int64_t batch; /* 0: a form */
    struct buf name, body;
};
int db_submission_show(struct db *db, int64_t index, struct submission_view *out) DB_CHECKED;
/* The entry that ended it, and the reason (VOID__MAX: its signer withdrew); DB_NO_ROW: none. */
int db_submission_end(struct db *db, int64_t index, int64_t *entry, enum void_why *why) DB_CHECKED;
/* Is it the only live one of its contact? DB_NO_ROW if it is not live. */
int db_submission_alone(struct db *db, int64_t index, bool *alone) DB_CHECKED;
/* Live submissions of which an addressee may see the name. */
int db_named(struct db *db, uint64_t *count) DB_CHECKED;

/* Live submissions in index order, in a snapshot. The pointers hold until the next call. */
struct db_row {
    int64_t index;
    enum tier tier;
    enum visibility visibility;
    char country[3];
    day_number day;
    const char *name;       /* NULL */
    const uint8_t *opening; /* NULL */
    const uint8_t *sealed;  /* NULL */
    size_t sealed_len;
    const char *body; /* the sign entry */
    size_t body_len;
};
/* Starts reading at the first live submission with an index >= from. One reading at a time. */
int db_rows_begin(struct db *db, int64_t from) DB_CHECKED;
/* DB_OK with a row, DB_NO_ROW at the end. */
int db_rows_next(struct db *db, struct db_row *row) DB_CHECKED;
void db_rows_end(struct db *db);

/* ---- paper */

struct batch_row {
    int64_t id;
    day_number day;
    struct buf who, label;   /* initialised by the caller */
    int64_t rows;            /* of the file */
    int64_t live;            /* rows that are in now */
    int64_t without_contact; /* of the rows that came in, ever */
    int64_t done_s;          /* 0: rows are coming in, or that was interrupted */
    int64_t removed_s;       /* 0, or since when its rows are being removed */
    enum void_why why;       /* with removed_s; else VOID__MAX */
};
void batch_row_init(struct batch_row *b);
void batch_row_release(struct batch_row *b);

/* A batch without rows yet: day, who, label and rows of b. */
int db_batch_add(struct db *db, const struct batch_row *b, int64_t *id) DB_CHECKED;
/* n more of its rows came without a contact. */
int db_batch_add_contactless(struct db *db, int64_t id, int64_t n) DB_CHECKED;
int db_batch_done(struct db *db, int64_t id, int64_t now_s) DB_CHECKED;
int db_batch_get(struct db *db, int64_t id, struct batch_row *out) DB_CHECKED;
/* The newest batch before `before`; DB_NO_ROW: none. */
int db_batch_last(struct db *db, int64_t before, int64_t *id) DB_CHECKED;
/* Says that the batch is to go, and why; DB_NO_ROW if that was said before. */
int db_batch_remove(struct db *db, int64_t id, int64_t now_s, enum void_why why) DB_CHECKED;
/* Some of its live submissions: at most *count, which becomes their number. */
int db_batch_live(struct db *db, int64_t id, int64_t *indices, size_t *count) DB_CHECKED;

/* ---- figures */

struct totals {
    uint64_t live, signatures, confirmed, withdrawn, removed[VOID__MAX];
    struct shown shown_count, shown_confirmed;
};
/* In the writer it includes the open transaction. */
int db_totals(struct db *db, struct totals *out) DB_CHECKED;
void db_set_shown(struct db *db, const struct shown *count, const struct shown *confirmed);

enum db_table { DB_BY_COUNTRY, DB_BY_DAY, DB_BY_TIER };
/* Live submissions of the days before `before`, exact, in the order of the
 * key. t->cells is malloced; the caller frees it. */
int db_table(struct db *db, enum db_table which, day_number before, struct table *t) DB_CHECKED;
/* Every cell of the tally, as CSV lines country,tier,day,n. */
int db_tally_csv(struct db *db, struct buf *out) DB_CHECKED;

/* ---- organisers */

#define ORGANISER_NAME_MAX 64 /* bytes */
#define PASSWORD_HASH_MAX  128
#define TOTP_SECRET_LEN    20

enum role { ROLE_READER, ROLE_ORGANISER, ROLE_OWNER, ROLE__COUNT };
extern const char *const role_names[ROLE__COUNT];

struct organiser_row {
    char name[ORGANISER_NAME_MAX + 1];
    char password[PASSWORD_HASH_MAX + 1];
    enum role role;
    bool has_totp;
    uint8_t totp_secret[TOTP_SECRET_LEN];
    int64_t totp_step; /* of the last code that was accepted */
    int recovery_left;
};

/* The new one is an owner. */
int db_organiser_add(struct db *db, const char *name, const char *password_hash,
                     day_number day) DB_CHECKED;
/* A new password ends all sessions of that organiser. */
int db_organiser_passwd(struct db *db, const char *name, const char *password_hash) DB_CHECKED;
/* DB_OK if there is one of that name, else DB_NO_ROW. */
int db_organiser_find(struct db *db, const char *name) DB_CHECKED;
int db_organiser_get(struct db *db, const char *name, struct organiser_row *out) DB_CHECKED;
/* The first name behind `after`, in the order of bytes; DB_NO_ROW: none. */
int db_organiser_next(struct db *db, const char *after,
                      char name[ORGANISER_NAME_MAX + 1]) DB_CHECKED;
int db_organiser_set_role(struct db *db, const char *name, enum role role) DB_CHECKED;
int db_organiser_owners(struct db *db, int64_t *count) DB_CHECKED;
/* With all sessions, tokens and codes; what the trail and deliveries say of him stays. DB_NO_ROW:
 * nobody of that name. */
int db_organiser_remove(struct db *db, const char *name) DB_CHECKED;

/* Sets the secret, or with NULL removes it; forgets the recovery codes. `step` counts as used. */
int db_totp_set(struct db *db, const char *name, const uint8_t *secret, int64_t step) DB_CHECKED;
/* Uses a code's step up: DB_NO_ROW if it or a later one has been used. */
int db_totp_use(struct db *db, const char *name, int64_t step) DB_CHECKED;
int db_recovery_add(struct db *db, const char *name, const uint8_t hash[HASH_LEN]) DB_CHECKED;
/* Uses a recovery code up: DB_NO_ROW if it is none. */
int db_recovery_use(struct db *db, const char *name, const uint8_t hash[HASH_LEN]) DB_CHECKED;

/* Sessions: what they mean is session.h's. */
struct session_row {
    char organiser[ORGANISER_NAME_MAX + 1];
    int lang; /* of enum lang, or -1 */
    int64_t created_s, seen_s;
};
int db_session_add(struct db *db, const uint8_t hash[HASH_LEN], const char *organiser,
                   int64_t now_s) DB_CHECKED;
int db_session_get(struct db *db, const uint8_t hash[HASH_LEN], struct session_row *out) DB_CHECKED;
/* The first one behind `hash`, in the order of bytes, into `hash` and *seen_s; DB_NO_ROW: none. */
int db_session_next(struct db *db, uint8_t hash[HASH_LEN], int64_t *seen_s) DB_CHECKED;
int db_session_seen(struct db *db, const uint8_t hash[HASH_LEN], int64_t now_s) DB_CHECKED;
int db_session_lang(struct db *db, const uint8_t hash[HASH_LEN], int lang) DB_CHECKED;
int db_session_end(struct db *db, const uint8_t hash[HASH_LEN]) DB_CHECKED;
int db_session_end_all(struct db *db, const char *organiser) DB_CHECKED;
/* Ends those created or last seen at these times or before. */
int db_session_expire(struct db *db, int64_t created_s, int64_t seen_s) DB_CHECKED;

int db_token_add(struct db *db, const uint8_t hash[HASH_LEN], const char *name,
                 day_number day) DB_CHECKED;
/* Whose token that is; DB_NO_ROW: nobody's. */
int db_token_find(struct db *db, const uint8_t hash[HASH_LEN], struct buf *name) DB_CHECKED;
/* Appends to the audit trail (schema.sql has the hash chain). */
struct audit_act {
    int64_t at_s;
    const char *who, *act, *detail;
};
/* Whoever runs commands on the server, in the trail. No organiser can have this name. */
#define OPERATOR_NAME "operator"
int db_audit(struct db *db, const struct audit_act *act) DB_CHECKED;
/* Reads the whole trail in order. each() gets a row and whether the chain is sound up to it; what
 * it returns, if not 0, ends the reading. */
typedef int db_audit_each(void *ctx, int64_t id, const struct audit_act *act, bool sound);
int db_audit_read(struct db *db, db_audit_each *each, void *ctx) DB_CHECKED;
/* When the newest act of that name was; DB_NO_ROW: never. */
int db_audit_newest(struct db *db, const char *act, int64_t *at_s) DB_CHECKED;

/* ---- deliveries */

enum delivery_state { DELIVERY_QUEUED, DELIVERY_RUNNING, DELIVERY_DONE, DELIVERY_FAILED };
extern const char *const delivery_state_names[4];

struct delivery_row {
    int64_t id;
    enum delivery_state state;
    int64_t requested_s, frozen_s, size; /* frozen_s and size: 0 until frozen */
    struct buf figures;                  /* JSON, empty until frozen; initialised by the caller */
    struct buf why;                      /* as above */
    int64_t completed_s;                 /* 0: it is not completed */
    char organiser[ORGANISER_NAME_MAX + 1];
};
void delivery_row_init(struct delivery_row *d);
void delivery_row_release(struct delivery_row *d);

int db_delivery_add(struct db *db, const char *who, int64_t now_s, int64_t *id) DB_CHECKED;
int db_delivery_get(struct db *db, int64_t id, struct delivery_row *out) DB_CHECKED;
/* The oldest that is queued or running; DB_NO_ROW: none. */
int db_delivery_next(struct db *db, int64_t *id) DB_CHECKED;
int db_delivery_set_state(struct db *db, int64_t id, enum delivery_state state,
                          const char *why) DB_CHECKED;
/* Its annexes are spooled: from now on it has its size and figures (from d). */
int db_delivery_set_frozen(struct db *db, const struct delivery_row *d) DB_CHECKED;

/* The newest delivery before `before`; DB_NO_ROW: none. */
int db_delivery_last(struct db *db, int64_t before, int64_t *id) DB_CHECKED;
/* Marks a delivery that is done as completed; DB_NO_ROW if it is not done, or completed already. */
int db_delivery_complete(struct db *db, int64_t id, int64_t now_s) DB_CHECKED;

#define HANDOVER_NOTE_MAX 500 /* code points */

struct handover_row {
    int addressee;
    day_number day;
    struct buf note, who; /* initialised by db_handovers; the caller releases them */
};
int db_handover_set(struct db *db, int64_t delivery, const struct handover_row *h) DB_CHECKED;
/* At most `cap` rows in the order of the addressees; *count of them. */
int db_handovers(struct db *db, int64_t delivery, struct handover_row *rows,
                 size_t *count) DB_CHECKED;

struct bundle_row {
    int addressee;
    uint8_t sha256[HASH_LEN];
    int64_t bytes;
    uint8_t manifest[HASH_LEN]; /* SHA-256 of its manifest.json; not stored here */
};
int db_bundle_set(struct db *db, int64_t delivery, const struct bundle_row *b) DB_CHECKED;
/* At most `cap` rows in the order of the addressees; *count of them. Without manifest hashes. */
int db_bundles(struct db *db, int64_t delivery, struct bundle_row *rows, size_t *count) DB_CHECKED;

/* ---- deliveries in the log (db_delivery.c) */

/* Appends the `dlv` entry of the delivery d->n, which must have none yet. */
int db_delivery_enter(struct db *db, const struct dlv_entry *d) DB_CHECKED;
/* Index of its entry; DB_NO_ROW: it has none. */
int db_delivery_entry(struct db *db, int64_t delivery, int64_t *index) DB_CHECKED;
/* The size of the newest delivery before it that is in the log; 0: there is none. */
int db_delivery_before(struct db *db, int64_t delivery, int64_t *size) DB_CHECKED;
/* Hands over, in the order of the log, which submissions the entries from..to-1 ended, and why
 * (VOID__MAX: withdrawn). */
typedef void db_removal_each(void *ctx, int64_t index, enum void_why why);
struct db_range {
    int64_t from, to;
};
int db_removals(struct db *db, const struct db_range *range, db_removal_each *each,
                void *ctx) DB_CHECKED;
/* The first published checkpoint of more than `index` entries: DB_NO_ROW if there is none. */
int db_checkpoint_after(struct db *db, int64_t index, int64_t *size, struct buf *note) DB_CHECKED;

#endif
