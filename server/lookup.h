/*
 * lookup: what the published log says of one entry, and the proof that it is in it.
 *
 * Nothing here knows a person, or depends on any other submission; nothing that is not published is
 * told; nothing of what was asked is kept. Each call takes a few rows by their key, whatever it
 * finds.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include "tiles.h"

struct lookup; /* any thread */

/* A connection of its own to the database. NULL with a line in err. */
struct lookup *lookup_open(const char *database, struct head *head, struct tiles *tiles,
                           struct buf *err);
void lookup_close(struct lookup *l);

/* How many entries are published, and the log's key. */
int64_t lookup_size(struct lookup *l);
const struct note_verifier *lookup_verifier(const struct lookup *l);

#define LOOKUP_DELIVERIES_MAX 64 /* that are named */

/* A sign entry, as of what is published. */
struct lookup_entry {
    uint8_t leaf[HASH_LEN];
    int64_t since;                             /* the size with which it was first published */
    int64_t end;                               /* the entry that withdrew or removed it; -1: none */
    enum void_why why;                         /* VOID__MAX: its signer withdrew it */
    int64_t deliveries[LOOKUP_DELIVERIES_MAX]; /* in which it was, by number */
    size_t delivery_count;
    bool more_deliveries; /* it was in later ones, too, which are not named */
};
/* DB_NO_ROW if no sign entry is published at the index. */
int lookup_entry(struct lookup *l, int64_t index, struct lookup_entry *out) DB_CHECKED;

/* Appends the .tlog-proof of a published entry. DB_NO_ROW if it is not published. */
int lookup_proof(struct lookup *l, int64_t index, struct buf *file) DB_CHECKED;

/* Does the published log begin with that tree? DB_NO_ROW: it does not, or is not as long. */
int lookup_begins_with(struct lookup *l, const struct merkle_tree *tree) DB_CHECKED;

#endif
