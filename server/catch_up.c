/*
 * catch_up: the entries that a backup does not have (see catch_up.h). On one thread, in a process
 * that serves nobody.
 *
 * Every sign entry has a row in the database. Those of lost submissions get one that holds nothing
 * of anybody: a random tag, which goes when the row is ended, as it always is before the end.
 */
#include "catch_up.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#define BATCH_ENTRIES 10000 /* appended in one transaction */

struct catching {
    struct catch_up *c;
    struct db *db;
    struct buf *why;
    struct log_source *source;
    struct audit *audit;
    int64_t from;            /* the database's size before */
    struct merkle_tree tree; /* of the log */
    size_t in_batch;
};

static int fail(struct catching *k, const char *sentence)
{
    buf_adds(k->why, sentence);
    return -1;
}

/* A result of the database as one of this module. */
static int written(struct catching *k, int result)
{
    return result == DB_OK ? 0 : fail(k, "the database cannot be written");
}

static int next_batch(struct catching *k)
{
    int result = DB_OK;

    if (++k->in_batch < BATCH_ENTRIES)
        return 0;
    k->in_batch = 0;
    result = db_commit(k->db);
    if (result == DB_OK)
        result = db_begin(k->db);
    return written(k, result);
}

/* ---- the entries */

/* A row for a submission that is lost. */
static int add_lost(struct catching *k, int64_t index)
{
    uint8_t tag[TAG_LEN];
    const struct submission row = {.tag = tag,
                                   .tier = TIER_UNCONFIRMED,
                                   .visibility = VISIBILITY_PRIVATE,
                                   .country = "ZZ",
                                   .day = day_of(time(NULL))};

    randombytes_buf(tag, sizeof tag);
    return db_submission_add(k->db, index, &row);
}

static int end(struct catching *k, int64_t index, enum void_why why)
{
    k->c->ended += index < k->from;
    return db_submission_erase(k->db, index, why);
}

static int apply(struct catching *k, const struct entry *e, int64_t index)
{
    switch (e->type) {
    case ENTRY_SIGN:
        return add_lost(k, index);
    case ENTRY_WD:
        return end(k, e->target, VOID__MAX);
    case ENTRY_VOID:
        return end(k, e->target, e->why);
    case ENTRY_TEXT:
        db_set_text(k->db, index);
        return DB_OK;
    default:
        return DB_OK;
    }
}

static int append(struct catching *k, const struct tlog_entry *from)
{
    struct buf body;
    struct entry e;
    int64_t index;
    int result;

    if (entry_read(&e, from->body, from->len) != 0)
        return fail(k, "an entry of the log cannot be read");
    buf_init(&body, BUF_UNLIMITED);
    buf_add(&body, from->body, from->len);
    result = db_log_append(k->db, &body, &index);
    buf_release(&body);
    if (result == DB_OK)
        result = apply(k, &e, index);
    k->c->appended++;
    return written(k, result) == 0 ? next_batch(k) : -1;
}

/* Those entries of a bundle that the database does not have. */
static int append_bundle(struct catching *k, int64_t n, struct buf *bundle)
{
    const struct tile t = {TILE_ENTRIES, n, tile_width(0, n, k->c->size)};
    struct tlog_entry e;
    size_t at = 0;

    if (log_source_tile(k->source, &t, bundle, k->why) != 0)
        return -1;
    for (int i = 0; i < t.width; i++) {
        if (tlog_next_entry(bundle, &at, &e) != 1)
            return fail(k, "the log has changed while it was read");
        if (n * TILE_WIDTH + i >= k->from && append(k, &e) != 0)
            return -1;
    }
    return 0;
}

static int append_all(struct catching *k)
{
    struct buf bundle;
    int result = 0;

    buf_init(&bundle, TILE_WIDTH * (2 + ENTRY_MAX_BYTES));
    for (int64_t n = k->from / TILE_WIDTH; result == 0 && n * TILE_WIDTH < k->c->size; n++) {
        buf_clear(&bundle);
        result = append_bundle(k, n, &bundle);
    }
    buf_release(&bundle);
    return result;
}

/* ---- what is lost */

static int remove_lost(struct catching *k, int64_t index)
{
    struct buf entry;
    int64_t at;
    int result;

    buf_init(&entry, BUF_UNLIMITED);
    entry_void(&entry, index, VOID_LOST);
    result = db_log_append(k->db, &entry, &at);
    buf_release(&entry);
    if (result == DB_OK)
        result = db_submission_erase(k->db, index, VOID_LOST);
    k->c->lost++;
    return written(k, result) == 0 ? next_batch(k) : -1;
}

static int remove_all_lost(struct catching *k)
{
    int result = 0;

    for (int64_t index = k->from; result == 0 && index < k->c->size; index++) {
        const struct audit_sign *s = audit_sign_at(k->audit, index);
        int64_t at;
        int how;

        if (s && !audit_removed(s, k->c->size, &how, &at))
            result = remove_lost(k, index);
    }
    return result;
}

/* ---- all of it */

static int same_root(struct catching *k, const struct tlog_edge *edge)
{
    struct tlog_edge *copy = xcalloc(1, sizeof *copy);
    struct merkle_tree tree;

    tlog_edge_copy(copy, edge);
    tlog_edge_tree(copy, &tree);
    free(copy);
    return memcmp(tree.root, k->tree.root, HASH_LEN) == 0
               ? 0
               : fail(k, "the log is not that of the backup: its entries are others");
}

/* The log is as old as the backup, or older: nothing is missing. */
static int compare_older(struct catching *k)
{
    struct tlog_edge *edge = xcalloc(1, sizeof *edge);
    int result = written(k, db_log_edge(k->db, k->tree.size, edge));

    if (result == 0)
        result = same_root(k, edge);
    free(edge);
    return result;
}

static int read_log(struct catching *k)
{
    struct log_check check = {.source = k->source, .verifier = k->c->verifier};
    int64_t repeats;

    buf_init(&check.note, NOTE_MAX_BYTES);
    k->audit = log_check_run(&check, k->why);
    buf_add(&k->c->note, check.note.data, check.note.len);
    buf_release(&check.note);
    if (!k->audit)
        return -1;
    k->tree = check.checkpoint.tree;
    k->c->size = k->tree.size;
    if (k->c->size <= k->from)
        return compare_older(k);
    if (audit_closed(k->audit, &repeats) > k->from)
        return fail(k, "the log was closed after the backup was made: restore a later backup");
    return 0;
}

/* The roots are compared when all is appended: that the log begins with the database's entries, and
 * that it was read the same twice. */
static int add_missing(struct catching *k)
{
    int result = written(k, db_begin(k->db));

    if (result == 0)
        result = append_all(k);
    if (result == 0)
        result = same_root(k, db_log_right_edge(k->db));
    if (result == 0)
        result = remove_all_lost(k);
    if (result == 0)
        result = written(k, db_commit(k->db));
    if (result != 0)
        db_rollback(k->db);
    return result;
}

int catch_up_run(struct catch_up *c, struct db *db, struct buf *why)
{
    struct catching k = {.c = c, .db = db, .why = why, .from = db_log_size(db)};
    int result = -1;

    k.source = log_source_open(c->log, why);
    if (k.source && read_log(&k) == 0)
        result = c->size > k.from ? add_missing(&k) : 0;
    audit_free(k.audit);
    log_source_close(k.source);
    return result;
}
