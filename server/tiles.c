/*
 * tiles: answering with tiles and bundles (see tiles.h). Any thread: `lock` guards the connection.
 *
 * A tile is full and in the database, or it belongs to the right edge of the published tree, which
 * head keeps. The database may be ahead of what is published, so its own edge is of no use here.
 */
#include "tiles.h"

#include <pthread.h>

static const char binary_type[] = "application/octet-stream";

struct tiles {
    struct head *head;
    pthread_mutex_t lock;
    struct db *db;
};

struct tiles *tiles_open(const char *database, struct head *head, struct buf *err)
{
    struct db *db = db_open(database, DB_READER, err);
    struct tiles *t;

    if (!db)
        return NULL;
    t = xcalloc(1, sizeof *t);
    t->head = head;
    t->db = db;
    pthread_mutex_init(&t->lock, NULL);
    return t;
}

void tiles_close(struct tiles *t)
{
    if (!t)
        return;
    db_close(t->db);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* DB_NO_ROW: so much of it is not published. */
static int read_tile(struct tiles *t, const struct tile *tile, uint8_t hashes[TILE_BYTES])
{
    bool edge;
    int result = DB_OK;

    if (head_tile(t->head, tile->level, tile->n, hashes, &edge) < tile->width)
        return DB_NO_ROW;
    if (!edge) {
        pthread_mutex_lock(&t->lock);
        result = db_log_tile(t->db, tile->level, tile->n, hashes);
        pthread_mutex_unlock(&t->lock);
    }
    return result;
}

static int read_entries(struct tiles *t, const struct tile *tile, struct buf *bundle)
{
    bool edge;
    int result;

    if (head_tile(t->head, tile->level, tile->n, NULL, &edge) < tile->width)
        return DB_NO_ROW;
    pthread_mutex_lock(&t->lock);
    result = db_log_entries(t->db, tile->n * TILE_WIDTH, tile->width, bundle);
    pthread_mutex_unlock(&t->lock);
    return result;
}

enum tlog_result tiles_fetch(void *ctx, const struct tile *tile, uint8_t hashes[TILE_BYTES])
{
    return read_tile(ctx, tile, hashes) == DB_OK ? TLOG_OK : TLOG_MISSING;
}

void tiles_get(struct http_request *rq, void *ctx)
{
    uint8_t hashes[TILE_BYTES];
    struct tile tile;
    struct buf body;
    int result = DB_NO_ROW;

    buf_init(&body, BUF_UNLIMITED);
    if (tile_parse(&tile, http_param(rq, 0)) == 0)
        result = tile.level == TILE_ENTRIES ? read_entries(ctx, &tile, &body)
                                            : read_tile(ctx, &tile, hashes);
    if (result == DB_OK) {
        if (tile.level != TILE_ENTRIES)
            buf_add(&body, hashes, (size_t)tile.width * HASH_LEN);
        http_reply_immutable(rq, binary_type, &body);
    } else {
        http_set_header(rq, "Access-Control-Allow-Origin", "*");
        http_fail(rq, result == DB_NO_ROW ? 404 : 503);
    }
    buf_release(&body);
}
