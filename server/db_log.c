/*
 * db_log: the log's entries, tiles and checkpoints in the database (see db.h).
 *
 * The writer keeps the right edge of the tree in memory, twice: as of the last commit, and with the
 * open transaction's entries. A tile is inserted when it has become full, so an entry costs its
 * leaf's hash and, over 256 of them, one node's each. At start the edge is hashed anew from full
 * tiles and fewer than 256 entries.
 */
#include "db_internal.h"

#include "log.h"

#include <inttypes.h>
#include <string.h>

/* ---- entries */

int db_log_entry(struct db *db, int64_t index, struct buf *body)
{
    int result;

    db_bind_int(db, SQL_LOG_ENTRY, 1, index);
    result = db_step(db, SQL_LOG_ENTRY);
    if (result == DB_OK)
        db_add_column(db, SQL_LOG_ENTRY, 0, body);
    db_finish(db, SQL_LOG_ENTRY);
    return result;
}

int db_text_indices(struct db *db, int64_t *indices, size_t *count)
{
    size_t cap = *count;
    int result;

    *count = 0;
    db_bind_int(db, SQL_LOG_TEXTS, 1, (int64_t)cap + 1);
    while ((result = db_step(db, SQL_LOG_TEXTS)) == DB_OK && *count < cap)
        indices[(*count)++] = db_column_int(db, SQL_LOG_TEXTS, 0);
    db_finish(db, SQL_LOG_TEXTS);
    if (result == DB_OK) {
        log_error("database: more than %zu text entries", cap);
        return DB_BROKEN;
    }
    return result == DB_NO_ROW ? DB_OK : result;
}

int db_log_read(struct db *db, int64_t from, db_log_each *each, void *ctx)
{
    int result = DB_OK, ended = 0;

    db_bind_int(db, SQL_LOG_ENTRIES, 1, from);
    db_bind_int(db, SQL_LOG_ENTRIES, 2, -1);
    while (ended == 0 && (result = db_step(db, SQL_LOG_ENTRIES)) == DB_OK) {
        size_t len;
        const void *body = db_column_blob(db, SQL_LOG_ENTRIES, 0, &len);

        ended = each(ctx, body, len);
    }
    db_finish(db, SQL_LOG_ENTRIES);
    if (ended != 0)
        return ended;
    return result == DB_NO_ROW ? DB_OK : result;
}

int db_log_entries(struct db *db, int64_t from, int count, struct buf *bundle)
{
    int result = DB_OK;

    db_bind_int(db, SQL_LOG_ENTRIES, 1, from);
    db_bind_int(db, SQL_LOG_ENTRIES, 2, count);
    for (int i = 0; i < count && result == DB_OK; i++) {
        result = db_step(db, SQL_LOG_ENTRIES);
        if (result == DB_OK) {
            size_t len;
            const void *body = db_column_blob(db, SQL_LOG_ENTRIES, 0, &len);

            tlog_add_entry(bundle, body, len);
        }
    }
    db_finish(db, SQL_LOG_ENTRIES);
    return result;
}

/* ---- tiles */

int db_log_tile(struct db *db, int level, int64_t n, uint8_t hashes[TILE_BYTES])
{
    int result;

    db_bind_int(db, SQL_TILE_GET, 1, level);
    db_bind_int(db, SQL_TILE_GET, 2, n);
    result = db_step(db, SQL_TILE_GET);
    if (result == DB_OK) {
        size_t len;
        const void *stored = db_column_blob(db, SQL_TILE_GET, 0, &len);

        if (len == TILE_BYTES)
            memcpy(hashes, stored, TILE_BYTES);
        else
            result = DB_BROKEN;
    }
    db_finish(db, SQL_TILE_GET);
    return result;
}

static int add_tile(void *ctx, const struct tile *t, const uint8_t hashes[TILE_BYTES])
{
    struct db *db = ctx;

    db_bind_int(db, SQL_TILE_ADD, 1, t->level);
    db_bind_int(db, SQL_TILE_ADD, 2, t->n);
    db_bind_blob(db, SQL_TILE_ADD, 3, hashes, TILE_BYTES);
    return db_exec(db, SQL_TILE_ADD);
}

static int count_tiles(struct db *db, int level, int64_t *count)
{
    int result;

    db_bind_int(db, SQL_TILE_COUNT, 1, level);
    result = db_step(db, SQL_TILE_COUNT);
    if (result == DB_OK)
        *count = db_column_int(db, SQL_TILE_COUNT, 0);
    db_finish(db, SQL_TILE_COUNT);
    return result;
}

/* ---- the right edge */

/* The hashes of a level above 0: the roots of full tiles of the level below. */
static int read_upper(struct db *db, int level, struct tlog_edge *out)
{
    int64_t first = out->size >> TILE_BITS * (level + 1) << TILE_BITS;
    int64_t end = out->size >> TILE_BITS * level;
    uint8_t hashes[TILE_BYTES], *at = out->hashes[level];
    int result = DB_OK;

    for (int64_t n = first; n < end && result == DB_OK; n++, at += HASH_LEN) {
        result = db_log_tile(db, level - 1, n, hashes);
        if (result == DB_OK)
            merkle_perfect(at, hashes, TILE_WIDTH);
    }
    return result;
}

static int read_leaves(struct db *db, struct tlog_edge *out)
{
    int count = (int)(out->size % TILE_WIDTH), result;
    struct tlog_entry e;
    struct buf bundle;
    size_t at = 0;

    buf_init(&bundle, BUF_UNLIMITED);
    result = db_log_entries(db, out->size - count, count, &bundle);
    for (int i = 0; i < count && result == DB_OK; i++) {
        result = tlog_next_entry(&bundle, &at, &e) == 1 ? DB_OK : DB_BROKEN;
        if (result == DB_OK)
            merkle_leaf(out->hashes[0] + i * HASH_LEN, e.body, e.len);
    }
    buf_release(&bundle);
    return result;
}

int db_log_edge(struct db *db, int64_t size, struct tlog_edge *out)
{
    int result;

    out->size = size;
    result = read_leaves(db, out);
    for (int level = 1; level < TILE_LEVELS && result == DB_OK; level++)
        result = read_upper(db, level, out);
    return result;
}

const struct tlog_edge *db_log_right_edge(struct db *db)
{
    return &db_edges(db)->work;
}

static int append(void *ctx, const void *body, size_t len)
{
    uint8_t leaf[HASH_LEN];
    struct db *db = ctx;

    merkle_leaf(leaf, body, len);
    return tlog_append(&db_edges(db)->work, leaf, add_tile, db);
}

int db_edges_append(struct db *db, const struct buf *body)
{
    return append(db, body->data, body->len);
}

void db_edges_commit(struct db *db)
{
    struct db_edges *e = db_edges(db);

    if (e->work.size != e->committed.size)
        tlog_edge_copy(&e->committed, &e->work);
}

void db_edges_rollback(struct db *db)
{
    struct db_edges *e = db_edges(db);

    if (e->work.size != e->committed.size)
        tlog_edge_copy(&e->work, &e->committed);
}

/* Hashes the entries behind the last full tile that is there: fewer than 256, or all of them in a
 * database whose version had no tiles. */
static int hash_missing(struct db *db, int64_t size)
{
    int result = db_begin(db);

    log_info("the log's %" PRId64 " entries are being hashed", size);
    if (result == DB_OK)
        result = db_log_read(db, db_edges(db)->work.size, append, db);
    if (result == DB_OK)
        return db_commit(db);
    db_rollback(db);
    return result;
}

int db_edges_load(struct db *db)
{
    struct db_edges *e = db_edges(db);
    int64_t tiles = 0, size = db_log_size(db);
    int result = count_tiles(db, 0, &tiles);

    if (result == DB_OK && tiles == size / TILE_WIDTH)
        result = db_log_edge(db, size, &e->work);
    else if (result == DB_OK)
        result = db_log_edge(db, tiles * TILE_WIDTH, &e->work);
    if (result == DB_OK)
        tlog_edge_copy(&e->committed, &e->work);
    if (result == DB_OK && e->work.size < size)
        result = hash_missing(db, size);
    return result == DB_OK && e->work.size == size ? DB_OK : DB_BROKEN;
}

/* ---- checkpoints */

int db_checkpoint_add(struct db *db, int64_t size, const char *note)
{
    db_bind_int(db, SQL_CHECKPOINT_ADD, 1, size);
    db_bind_text(db, SQL_CHECKPOINT_ADD, 2, note);
    return db_exec(db, SQL_CHECKPOINT_ADD);
}

int db_checkpoint_last(struct db *db, int64_t *size, struct buf *note)
{
    int result = db_step(db, SQL_CHECKPOINT_LAST);

    if (result == DB_OK) {
        *size = db_column_int(db, SQL_CHECKPOINT_LAST, 0);
        db_add_column(db, SQL_CHECKPOINT_LAST, 1, note);
    }
    db_finish(db, SQL_CHECKPOINT_LAST);
    return result;
}
