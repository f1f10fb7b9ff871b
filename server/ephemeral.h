/*
 * ephemeral: keys that live in this process' memory for less than an hour, and what is sealed with
 * them.
 *
 * For what must travel through a browser and must not be readable later by whoever finds it there,
 * not even with the server and all its files in hand: a key is made for each quarter of an hour,
 * is never written anywhere, and is overwritten after EPHEMERAL_EPOCHS of them, at the latest when
 * the next signature or page of one needs any of them. A restart forgets them all.
 */
#ifndef EPHEMERAL_H
#define EPHEMERAL_H

#include "buf.h"

#define EPHEMERAL_EPOCH_S 900
#define EPHEMERAL_EPOCHS  3 /* what is sealed can be opened for 30 to 45 minutes */

struct ephemeral; /* any thread */

struct ephemeral *ephemeral_new(void);
void ephemeral_free(struct ephemeral *e);

/* Appends the sealed bytes as base64url. */
void ephemeral_seal(struct ephemeral *e, struct buf *out, const struct buf *plain, int64_t now_s);
/* Appends what was sealed. 0; -1 if it is altered or foreign, or its key is gone. */
int ephemeral_open(struct ephemeral *e, struct buf *plain, const char *text, int64_t now_s)
    __attribute__((warn_unused_result));

#endif
