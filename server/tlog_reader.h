/*
 * tlog_reader: hashes and proofs from tiles that nobody has to trust.
 *
 * Whatever the tiles say, a hash is given only if it is in the tree that the reader was opened for.
 * The tiles of the right edge are checked against the root together, when the reader is opened:
 * each of their hashes takes part in it. Every other tile is full, so its root stands in the tile
 * above, which is checked first. (golang.org/x/mod/sumdb/tlog.TileHashReader before v0.40.0 leaves
 * some tiles unchecked: CVE-2026-56865. Nothing is taken from it.)
 *
 * A reader belongs to one thread at a time, and keeps two tiles of each level.
 */
#ifndef TLOG_READER_H
#define TLOG_READER_H

#include "tlog.h"

enum tlog_result {
    TLOG_OK,
    TLOG_MISSING, /* a tile could not be had */
    TLOG_FORGED   /* a tile, or a leaf, that is not of this tree */
};

/* Where tiles come from: fills in the first t->width hashes. TLOG_OK or TLOG_MISSING. */
typedef enum tlog_result tlog_fetch(void *ctx, const struct tile *t, uint8_t hashes[TILE_BYTES]);

struct tlog_reader;

/* NULL with the reason in *result. */
struct tlog_reader *tlog_reader_open(const struct merkle_tree *tree, tlog_fetch *fetch, void *ctx,
                                     enum tlog_result *result);
void tlog_reader_close(struct tlog_reader *r);

/* The hash of the leaf at that index of the tree, 0 <= index < size. */
enum tlog_result tlog_leaf(struct tlog_reader *r, int64_t index, uint8_t leaf[HASH_LEN])
    __attribute__((warn_unused_result));
/* The proof that the leaf is in the tree. */
enum tlog_result tlog_inclusion(struct tlog_reader *r, int64_t index, struct merkle_path *out)
    __attribute__((warn_unused_result));
/* The proof that the tree begins with its first `older` leaves (1 to size); `root`, unless NULL,
 * becomes theirs. */
enum tlog_result tlog_consistency(struct tlog_reader *r, int64_t older, struct merkle_path *out,
                                  uint8_t *root) __attribute__((warn_unused_result));

#endif
