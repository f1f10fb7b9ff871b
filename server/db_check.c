/*
 * db_check: recounting the database (see db_check.h). On the thread that owns the connection.
 *
 * Tags and tally cells are compared without sorting: both sides add up a keyed hash of each tag or
 * cell, times its count, modulo 2^64. With a key drawn for each check two sides that differ agree
 * once in 2^64 times. SQLite 3.40 cannot interrupt its own integrity check; the caller decides
 * whether there is time for it.
 */
#include "db_check.h"

#include "checkpoint.h"
#include "db_internal.h"

#include <inttypes.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STEPS_BETWEEN_LOOKS 10000 /* instructions of SQLite's machine: some tenths of a ms */

struct check {
    struct db *db;
    struct buf *line;
    uint8_t key[crypto_shorthash_KEYBYTES];
    int64_t until_s; /* monotonic; 0: no limit */
    bool late;
};

static int64_t monotonic_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- statements */

/* NULL, with the reason in the line, if it cannot be run. */
static sqlite3_stmt *prepare(struct check *c, const char *sql)
{
    sqlite3_stmt *s = NULL;

    if (sqlite3_prepare_v2(db_handle(c->db), sql, -1, &s, NULL) == SQLITE_OK)
        return s;
    buf_printf(c->line, "cannot be read: %s", sqlite3_errmsg(db_handle(c->db)));
    return NULL;
}

/* 1 with a row, 0 at the end, -1 with the reason in the line. */
static int step(struct check *c, sqlite3_stmt *s)
{
    int code = sqlite3_step(s);

    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW;
    c->late = code == SQLITE_INTERRUPT;
    buf_printf(c->line, "cannot be read: %s", sqlite3_errmsg(db_handle(c->db)));
    return -1;
}

/* The numbers of the first row of a statement. 0 or -1. */
static int numbers(struct check *c, const char *sql, int64_t *out, int count)
{
    sqlite3_stmt *s = prepare(c, sql);
    int result = s ? step(c, s) : -1;

    for (int i = 0; i < count && result == 1; i++)
        out[i] = sqlite3_column_int64(s, i);
    sqlite3_finalize(s);
    return result == 1 ? 0 : -1;
}

/* ---- claims: 1 it holds, 0 it does not, -1 it cannot be read; each adds to the line */

static int check_intact(struct check *c)
{
    sqlite3_stmt *s = prepare(c, "PRAGMA integrity_check(1)");
    int result = s ? step(c, s) : -1;

    if (result == 1) {
        const char *text = (const char *)sqlite3_column_text(s, 0);

        result = text && strcmp(text, "ok") == 0;
        if (result)
            buf_adds(c->line, "passes SQLite's integrity check");
        else /* its message may have several lines, and names pages and rows, no content */
            buf_printf(c->line, "fails SQLite's integrity check: %.*s",
                       text ? (int)strcspn(text, "\n") : 0, text ? text : "");
    }
    sqlite3_finalize(s);
    return result;
}

static int check_log(struct check *c)
{
    static const char sql[] = "SELECT count(*), ifnull(max(idx) + 1, 0), ifnull((SELECT"
                              " substr(body, 1, 17) = CAST('{\"v\":1,\"t\":\"open\"' AS BLOB)"
                              " FROM log_entry WHERE idx = 0), 0) FROM log_entry";
    int64_t n[3];

    if (numbers(c, sql, n, 3) != 0)
        return -1;
    if (n[0] == n[1] && n[2]) {
        buf_printf(c->line, "has %" PRId64 " log entries, without a gap", n[0]);
        return 1;
    }
    buf_printf(c->line,
               "has a log with gaps or without a beginning: %" PRId64 " entries of %" PRId64, n[0],
               n[1]);
    return 0;
}

static int check_entries(struct check *c)
{
#define IS_SIGN                                                                                    \
    "(length(e.body) = 120 AND substr(e.body, 1, 17) = CAST('{\"v\":1,\"t\":\"sign\"' AS BLOB))"
    static const char rows[] =
        "SELECT count(*), ifnull(sum(e.idx IS NULL OR NOT " IS_SIGN "), 0) FROM submission AS s"
        " LEFT JOIN log_entry AS e ON e.idx = s.idx";
    static const char entries[] =
        "SELECT count(*) FROM log_entry AS e LEFT JOIN submission AS s ON s.idx = e.idx"
        " WHERE " IS_SIGN " AND s.idx IS NULL";
    int64_t n[2], lone;

    if (numbers(c, rows, n, 2) != 0 || numbers(c, entries, &lone, 1) != 0)
        return -1;
    if (n[1] == 0 && lone == 0) {
        buf_printf(c->line, "has a sign entry of 120 bytes for each of its %" PRId64 " submissions",
                   n[0]);
        return 1;
    }
    buf_printf(c->line,
               "has %" PRId64 " submissions without their sign entry and %" PRId64
               " sign entries without their submission",
               n[1], lone);
    return 0;
}

#define STARTS(text) "substr(body, 1, length('" text "')) = CAST('" text "' AS BLOB)"
#define CLOSE_HEAD   "{\"v\":1,\"t\":\"close\""

/* How many `close` entries there are, where the last is, and its bytes. */
static int find_close(struct check *c, int64_t *count, int64_t *index, struct buf *body)
{
    static const char sql[] = "SELECT count(*), ifnull(max(idx), 0) FROM log_entry"
                              " WHERE length(body) <> 120 AND " STARTS(CLOSE_HEAD);
    int64_t n[2];

    if (numbers(c, sql, n, 2) != 0)
        return -1;
    *count = n[0];
    *index = n[1];
    return n[0] == 0 || db_log_entry(c->db, n[1], body) == DB_OK ? 0 : -1;
}

/* The entry as it must begin, from the entries before it. Repeats cannot be recounted. */
static int expect_close(struct check *c, int64_t index, struct buf *start)
{
    char sql[400];
    int64_t n[3];

    snprintf(
        sql, sizeof sql,
        "SELECT ifnull(sum(length(body) = 120), 0),"
        " ifnull(sum(length(body) <> 120 AND " STARTS(
            "{\"v\":1,\"t\":\"wd\"") "), 0),"
                                     " ifnull(sum(length(body) <> 120 AND " STARTS(
                                         "{\"v\":1,\"t\":\"void\"") "), 0)"
                                                                    " FROM log_entry WHERE idx > 0 "
                                                                    "AND idx < %" PRId64,
        index);
    if (numbers(c, sql, n, 3) != 0)
        return -1;
    buf_printf(start, CLOSE_HEAD ",\"sign\":%" PRId64 ",\"wd\":%" PRId64 ",\"void\":%" PRId64 ",",
               n[0], n[1], n[2]);
    return 0;
}

/* Submissions behind the entry, and tags that are no group numbers. */
static const char *find_left(struct check *c, int64_t index)
{
    static const char tags[] =
        "SELECT (SELECT count(*) FROM submission WHERE tag IS NOT NULL"
        " AND substr(tag, 17) <> zeroblob(16)), (SELECT ifnull(max(idx), 0) FROM submission)";
    int64_t n[2];

    _Static_assert(GROUP_LEN == 16 && TAG_LEN == 32, "the statement says 16 bytes of 32");
    if (numbers(c, tags, n, 2) != 0)
        return "";
    return n[0] > 0 ? "hashes of contacts are left" : n[1] > index ? "somebody signed later" : NULL;
}

static int check_closed(struct check *c)
{
    struct buf body, start;
    int64_t count, index;
    const char *wrong = "";

    buf_init(&body, BUF_UNLIMITED);
    buf_init(&start, BUF_UNLIMITED);
    if (find_close(c, &count, &index, &body) == 0 && expect_close(c, index, &start) == 0)
        wrong = count == 0 ? NULL : find_left(c, index);
    if (!wrong && (count > 1 || (count == 1 && strncmp(body.data, start.data, start.len) != 0)))
        wrong = "the entry says other numbers than the log, or there are several";
    buf_release(&body);
    buf_release(&start);
    if (wrong && !*wrong)
        return -1;
    if (wrong)
        buf_printf(c->line, "is closed, but %s", wrong);
    else if (count == 0)
        buf_adds(c->line, "is of an open petition");
    else
        buf_printf(c->line, "was closed by entry %" PRId64 ": no hash of a contact is left", index);
    return !wrong;
}

/* What is recounted, and what the counters say of it. */
struct recount {
    uint64_t live, erased, signer_live, signers, confirmed, tally, wd, voided[VOID__MAX];
    uint64_t heads[2], cells[2]; /* sums of hashes: over rows, over counters */
};

static uint64_t hash_of(const struct check *c, const void *data, size_t len)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, data, len, c->key);
    return hash;
}

/* A contact counts twice: for its live submissions, and again for the confirmed ones. */
static uint64_t hash_of_head(const struct check *c, const uint8_t head[SIGNER_HEAD_LEN],
                             bool confirmed)
{
    uint8_t text[SIGNER_HEAD_LEN + 1];

    memcpy(text, head, SIGNER_HEAD_LEN);
    text[SIGNER_HEAD_LEN] = confirmed;
    return hash_of(c, text, sizeof text);
}

static uint64_t head_hash(const struct check *c, sqlite3_stmt *s, bool confirmed)
{
    static const uint8_t none[SIGNER_HEAD_LEN];
    const void *head = sqlite3_column_blob(s, 0);

    return hash_of_head(c, head && sqlite3_column_bytes(s, 0) == SIGNER_HEAD_LEN ? head : none,
                        confirmed);
}

/* Of the columns day, country, tier, which are 1 to 3. */
static uint64_t cell_hash(const struct check *c, sqlite3_stmt *s)
{
    char text[64];

    snprintf(text, sizeof text, "%d/%.2s/%d", sqlite3_column_int(s, 1),
             (const char *)sqlite3_column_text(s, 2), sqlite3_column_int(s, 3));
    return hash_of(c, text, strlen(text));
}

static void count_submission(struct check *c, sqlite3_stmt *s, struct recount *r)
{
    if (sqlite3_column_type(s, 0) == SQLITE_NULL) {
        r->erased++;
        return;
    }
    r->live++;
    r->heads[0] += head_hash(c, s, false);
    if (sqlite3_column_int(s, 3) == TIER_CONFIRMED)
        r->heads[0] += head_hash(c, s, true);
    r->cells[0] += cell_hash(c, s);
}

static void count_signer(struct check *c, sqlite3_stmt *s, struct recount *r)
{
    uint64_t live = (uint64_t)sqlite3_column_int64(s, 1);
    uint64_t confirmed = (uint64_t)sqlite3_column_int64(s, 2);

    r->signers++;
    r->signer_live += live;
    r->confirmed += confirmed > 0;
    r->heads[1] += live * head_hash(c, s, false) + confirmed * head_hash(c, s, true);
}

struct counting {
    const struct check *check;
    struct recount *recount;
};

/* What the writer counts in memory. */
static void count_change(void *ctx, const struct signer_change *change,
                         const struct signer_change *row)
{
    struct counting *k = ctx;
    struct recount *r = k->recount;

    r->signers += row->live == 0;
    r->signer_live += (uint64_t)change->live;
    r->confirmed += change->confirmed > 0 && row->confirmed == 0;
    r->heads[1] += (uint64_t)change->live * hash_of_head(k->check, change->head, false) +
                   (uint64_t)change->confirmed * hash_of_head(k->check, change->head, true);
}

static int count_changes(struct check *c, struct recount *r)
{
    struct counting k = {c, r};
    bool loads = !db_signers(c->db)->slices; /* a reader; the writer has counted */
    int result = loads ? db_signers_load(c->db) : DB_OK;

    if (result == DB_OK)
        result = db_signers_each(c->db, count_change, &k);
    if (loads)
        db_signers_free(c->db);
    if (result == DB_OK)
        return 0;
    c->late = c->until_s > 0 && monotonic_s() >= c->until_s;
    buf_adds(c->line, "cannot be read: what its signers' rows lack");
    return -1;
}

static void count_cell(struct check *c, sqlite3_stmt *s, struct recount *r)
{
    uint64_t n = (uint64_t)sqlite3_column_int64(s, 0);

    r->tally += n;
    r->cells[1] += n * cell_hash(c, s);
}

static void count_removal(struct check *c, sqlite3_stmt *s, struct recount *r)
{
    const char *body = (const char *)sqlite3_column_text(s, 0);
    char end[32];

    (void)c;
    if (body && strncmp(body, "{\"v\":1,\"t\":\"wd\",", 16) == 0)
        r->wd++;
    if (!body || strncmp(body, "{\"v\":1,\"t\":\"void\",", 18) != 0)
        return;
    for (int why = 0; why < VOID__MAX; why++) {
        snprintf(end, sizeof end, "\"why\":\"%s\"}", void_why_names[why]);
        r->voided[why] +=
            strlen(body) > strlen(end) && strcmp(body + strlen(body) - strlen(end), end) == 0;
    }
}

static const struct {
    const char *sql;
    void (*count)(struct check *c, sqlite3_stmt *s, struct recount *r);
} counted[] = {
    {"SELECT substr(tag, 1, 16), day, country, tier FROM submission", count_submission},
    {"SELECT head, live, confirmed FROM signer_row", count_signer},
    {"SELECT n, day, country, tier FROM tally", count_cell},
    {"SELECT CAST(body AS TEXT) FROM log_entry WHERE length(body) <> 120", count_removal},
};

static int recount(struct check *c, struct recount *r)
{
    int result = 0;

    for (size_t i = 0; i < sizeof counted / sizeof *counted && result == 0; i++) {
        sqlite3_stmt *s = prepare(c, counted[i].sql);

        result = s ? 1 : -1;
        while (result == 1 && (result = step(c, s)) == 1)
            counted[i].count(c, s, r);
        sqlite3_finalize(s);
    }
    return result;
}

static int check_figures(struct check *c)
{
    struct recount r = {0};
    struct totals t;
    uint64_t removed = 0;
    const char *wrong = NULL;

    if (recount(c, &r) != 0 || count_changes(c, &r) != 0 || db_totals(c->db, &t) != DB_OK)
        return -1;
    for (int why = 0; why < VOID__MAX; why++) {
        removed += t.removed[why];
        if (t.removed[why] != r.voided[why])
            wrong = "removed submissions and the log's void entries";
    }
    if (t.withdrawn != r.wd)
        wrong = "withdrawn submissions and the log's wd entries";
    if (t.withdrawn + removed != r.erased)
        wrong = "withdrawn and removed submissions";
    if (t.live != r.tally || r.cells[0] != r.cells[1])
        wrong = "the tally by day, country and tier";
    if (t.signatures != r.signers || t.confirmed != r.confirmed || t.live != r.signer_live ||
        r.heads[0] != r.heads[1])
        wrong = "signatures by contact";
    if (t.live != r.live)
        wrong = "live submissions";
    if (wrong)
        buf_printf(c->line, "has figures that a recount does not give: %s", wrong);
    else
        buf_printf(c->line,
                   "counts what its rows give: %" PRIu64 " signatures, %" PRIu64
                   " live submissions, %" PRIu64 " withdrawn, %" PRIu64 " removed",
                   t.signatures, t.live, t.withdrawn, removed);
    return wrong ? 0 : 1;
}

/* The row's hash from the one before it; false if it is not the one that is stored. */
static bool audit_row_holds(sqlite3_stmt *s, int64_t id, uint8_t hash[HASH_LEN])
{
    const struct audit_act act = {
        .at_s = sqlite3_column_int64(s, 1),
        .who = (const char *)sqlite3_column_text(s, 2),
        .act = (const char *)sqlite3_column_text(s, 3),
        .detail = (const char *)sqlite3_column_text(s, 4),
    };

    if (sqlite3_column_int64(s, 0) != id || !act.who || !act.act || !act.detail ||
        sqlite3_column_bytes(s, 5) != HASH_LEN)
        return false;
    db_audit_hash(hash, id, &act);
    return memcmp(hash, sqlite3_column_blob(s, 5), HASH_LEN) == 0;
}

static int check_audit(struct check *c)
{
    sqlite3_stmt *s = prepare(c, "SELECT id, at_s, who, act, detail, hash FROM audit ORDER BY id");
    uint8_t hash[HASH_LEN] = {0};
    bool holds = true;
    int64_t rows = 0;
    int result = s ? 1 : -1;

    while (result == 1 && holds && (result = step(c, s)) == 1)
        holds = audit_row_holds(s, ++rows, hash);
    sqlite3_finalize(s);
    if (result < 0)
        return -1;
    if (holds)
        buf_printf(c->line, "has an audit trail of %" PRId64 " acts, its chain unbroken", rows);
    else
        buf_printf(c->line, "has an audit trail whose chain is broken at row %" PRId64, rows);
    return holds;
}

/* ---- the log, hashed anew */

struct hashing {
    struct check *c;
    struct tlog_edge *edge;          /* for tiles */
    struct merkle_frontier frontier; /* for roots */
    sqlite3_stmt *checkpoints;       /* at the next one */
    int row;                         /* 1: there is a next one, 0: no more, -1: cannot be read */
    int64_t tiles, roots;            /* so many were right */
    bool wrong;                      /* one was not; the line says which */
};

static int compare_tile(void *ctx, const struct tile *t, const uint8_t hashes[TILE_BYTES])
{
    struct hashing *h = ctx;
    uint8_t stored[TILE_BYTES];
    int result = db_log_tile(h->c->db, t->level, t->n, stored);

    if (result < 0)
        return result;
    h->tiles++;
    h->wrong = result != DB_OK || memcmp(stored, hashes, TILE_BYTES) != 0;
    if (h->wrong)
        buf_printf(h->c->line, "has a tile %d/%" PRId64 " that is not of the log's entries",
                   t->level, t->n);
    return h->wrong;
}

/* Compares the root with the checkpoint of this size, if there is one. */
static int compare_root(struct hashing *h)
{
    const char *note;
    struct merkle_tree tree;
    struct checkpoint c;
    size_t len;

    if (h->row != 1 || sqlite3_column_int64(h->checkpoints, 0) != h->frontier.size)
        return h->row < 0 ? DB_BROKEN : 0;
    note = (const char *)sqlite3_column_text(h->checkpoints, 1);
    len = note && strstr(note, "\n\n") ? (size_t)(strstr(note, "\n\n") + 1 - note) : 0;
    merkle_frontier_tree(&h->frontier, &tree);
    h->wrong = len == 0 || checkpoint_parse(&c, note, len) != 0 || c.tree.size != tree.size ||
               memcmp(c.tree.root, tree.root, HASH_LEN) != 0;
    if (h->wrong)
        buf_printf(h->c->line,
                   "has a checkpoint of size %" PRId64 " that is not of the log's entries",
                   tree.size);
    h->roots++;
    h->row = step(h->c, h->checkpoints);
    return h->wrong;
}

static int hash_entry(void *ctx, const void *body, size_t len)
{
    struct hashing *h = ctx;
    uint8_t leaf[HASH_LEN];
    int result;

    merkle_leaf(leaf, body, len);
    merkle_append(&h->frontier, leaf);
    result = tlog_append(h->edge, leaf, compare_tile, h);
    return result == 0 ? compare_root(h) : result;
}

/* Tiles and checkpoints of more entries than there are. */
static int none_left(struct hashing *h)
{
    int64_t tiles;

    if (h->row < 0 || numbers(h->c, "SELECT count(*) FROM log_tile", &tiles, 1) != 0)
        return -1;
    if (h->row == 1 || tiles != h->tiles) {
        buf_adds(h->c->line, "has tiles or checkpoints of entries that it has not");
        return 0;
    }
    buf_printf(h->c->line,
               "has %" PRId64 " full tiles and %" PRId64
               " checkpoints that follow from its entries",
               h->tiles, h->roots);
    return 1;
}

static int check_tiles(struct check *c)
{
    struct hashing h = {.c = c, .edge = xcalloc(1, sizeof *h.edge)};
    int result = -1, read;

    h.checkpoints = prepare(c, "SELECT size, note FROM log_checkpoint ORDER BY size");
    h.row = h.checkpoints ? step(c, h.checkpoints) : -1;
    if (h.row >= 0) {
        read = db_log_read(c->db, 0, hash_entry, &h);
        if (read == DB_OK)
            result = none_left(&h);
        else if (h.wrong)
            result = 0;
        else
            c->late = c->until_s > 0 && monotonic_s() >= c->until_s;
    }
    if (result < 0 && c->line->len == 0)
        buf_adds(c->line, "has a log that cannot be read");
    sqlite3_finalize(h.checkpoints);
    free(h.edge);
    return result;
}

/* ---- one claim */

static int is_late(void *ctx)
{
    const struct check *c = ctx;

    return monotonic_s() >= c->until_s;
}

enum db_verdict db_check(struct db *db, enum db_claim claim, int limit_s, struct buf *line)
{
    static int (*const claims[DB_CLAIM__COUNT])(struct check *) = {
        [DB_CLAIM_INTACT] = check_intact,   [DB_CLAIM_LOG] = check_log,
        [DB_CLAIM_ENTRIES] = check_entries, [DB_CLAIM_FIGURES] = check_figures,
        [DB_CLAIM_CLOSED] = check_closed,   [DB_CLAIM_TILES] = check_tiles,
        [DB_CLAIM_AUDIT] = check_audit,
    };
    struct check c = {.db = db, .line = line};
    int result;

    crypto_shorthash_keygen(c.key);
    if (limit_s > 0) {
        c.until_s = monotonic_s() + limit_s;
        sqlite3_progress_handler(db_handle(db), STEPS_BETWEEN_LOOKS, is_late, &c);
    }
    result = claims[claim](&c);
    sqlite3_progress_handler(db_handle(db), 0, NULL, NULL);
    if (c.late)
        return DB_UNFINISHED;
    return result == 1 ? DB_HOLDS : DB_FAILS;
}
