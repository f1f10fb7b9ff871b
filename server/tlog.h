/*
 * tlog: the log cut into tiles and bundles of entries, and their paths.
 *
 * Source: https://c2sp.org/tlog-tiles, v0.1.0. Tile (L, N) has up to 256 hashes: the roots of the
 * perfect subtrees of 256^L leaves from 256 N on; a partial tile is a prefix of the full one, and
 * only full tiles are hashed upward. A bundle has the entries below one tile of level 0, each after
 * its length (16 bits, big-endian). Pure functions, any thread.
 */
#ifndef TLOG_H
#define TLOG_H

#include "merkle.h"

#define TILE_WIDTH    256
#define TILE_BYTES    (TILE_WIDTH * HASH_LEN)
#define TILE_BITS     8    /* a tile is so many levels of the tree high */
#define TILE_LEVELS   7    /* that a log of MERKLE_SIZE_MAX entries can have */
#define TILE_ENTRIES  (-1) /* in place of the level: a bundle of entries */
#define TILE_PATH_MAX 64   /* bytes, with NUL */

struct tile {
    int level;
    int64_t n;
    int width; /* 1 to 256 */
};

/* What follows "/tile/": "0/x001/067", "0/x001/067.p/17", "entries/000". */
void tile_path(const struct tile *t, char out[TILE_PATH_MAX]);
/* 0, or -1 if the text is not the canonical path of a tile that can exist. */
int tile_parse(struct tile *out, const char *path) __attribute__((warn_unused_result));

/* How many hashes, or entries, the tile (level, n) has in a log of that size: 0 to 256. */
int tile_width(int level, int64_t n, int64_t size);
/* The perfect subtree of 2^level leaves at index * 2^level: the tile its hash is computed from
 * (width: as far as needed), and where in it that begins. Its hash is merkle_perfect of the
 * *count hashes from *first on. */
struct tile tile_of_node(int level, int64_t index, int *first, int *count);

/* ---- the right edge: the tiles of a growing log that are not full */

struct tlog_edge {
    int64_t size;
    uint8_t hashes[TILE_LEVELS][TILE_BYTES]; /* of each level, size / 256^level % 256 */
};
/* Takes a tile that has become full. What it returns, if not 0, ends tlog_append. */
typedef int tlog_full(void *ctx, const struct tile *t, const uint8_t hashes[TILE_BYTES]);

void tlog_edge_init(struct tlog_edge *e);
/* Copies what is in use only. */
void tlog_edge_copy(struct tlog_edge *to, const struct tlog_edge *from);
/* Appends a leaf. 0, or what full() returned: then the edge must not be used any more. */
int tlog_append(struct tlog_edge *e, const uint8_t leaf[HASH_LEN], tlog_full *full, void *ctx)
    __attribute__((warn_unused_result));
void tlog_edge_tree(struct tlog_edge *e, struct merkle_tree *out);

/* ---- bundles of entries */

#define ENTRY_MAX_BYTES 65535

/* Appends an entry of 1 to ENTRY_MAX_BYTES bytes. */
void tlog_add_entry(struct buf *bundle, const void *body, size_t len);
/* Takes the entry at *at, and moves on. 1, 0 at the end, or -1 if the rest is no entry. */
struct tlog_entry {
    const char *body; /* in the bundle */
    size_t len;
};
int tlog_next_entry(const struct buf *bundle, size_t *at, struct tlog_entry *out)
    __attribute__((warn_unused_result));

#endif
