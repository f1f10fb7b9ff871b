/*
 * tiles: the published log, as others' tools read it: tiles and bundles of entries.
 *
 * Source: https://c2sp.org/tlog-tiles. /checkpoint is a page of the published set (pages.h). Any
 * site may read them (CORS). Nothing beyond the published size is served, and no path but the
 * canonical one. What was sent once is kept by http, so the database is asked for it once.
 */
#ifndef TILES_H
#define TILES_H

#include "head.h"
#include "http.h"
#include "tlog_reader.h"

struct tiles;

/* A connection of its own to the database. NULL with a line in err. */
struct tiles *tiles_open(const char *database, struct head *head, struct buf *err);
void tiles_close(struct tiles *t);

/* A tile of the published log, and its first `width` hashes. A tlog_fetch: proofs of the published
 * log are made with a tlog_reader over this and head_tree. Any thread. */
enum tlog_result tiles_fetch(void *ctx, const struct tile *t, uint8_t hashes[TILE_BYTES]);

http_handler tiles_get; /* GET /tile/{rest} */

#endif
