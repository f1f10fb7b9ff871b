/*
 * checkpoint: what a log signs: its origin, its size, its root.
 *
 * Source: https://c2sp.org/tlog-checkpoint, v1.0.0: a signed note whose text is `ORIGIN`, `SIZE`
 * and `BASE64(ROOT)`, a line each; further lines are allowed and ignored, and we write none. The
 * origin is the name of the key. Pure functions, any thread.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "merkle.h"
#include "note.h"

struct checkpoint {
    char origin[NOTE_NAME_MAX + 1];
    struct merkle_tree tree;
};

/* Appends the text that is signed. */
void checkpoint_text(struct buf *out, const char *origin, const struct merkle_tree *tree);
/* Appends the signed note; the origin is the key's name. */
void checkpoint_sign(struct buf *out, const struct note_key *key, const struct merkle_tree *tree);

/* Strict: 0, or -1 if the text is no checkpoint's. */
int checkpoint_parse(struct checkpoint *out, const char *text, size_t len)
    __attribute__((warn_unused_result));
/* A signed checkpoint of that key's log. NULL, or what is wrong: a constant sentence without its
 * stop, "the checkpoint is not signed with the log's key". */
const char *checkpoint_open(struct checkpoint *out, const struct note_verifier *v, const char *note,
                            size_t len) __attribute__((warn_unused_result));

/* A decimal number without leading zeros, up to MERKLE_SIZE_MAX.
 * -1 if it is none. */
int64_t checkpoint_number(const char *text, size_t len);

#endif
