/*
 * head: the published log: its newest checkpoint, DIR/log.head, and the right edge that belongs to
 * it.
 *
 * What is published is signed once for each size, in this order: the entries are committed, the
 * checkpoint is signed and DIR/log.head holds it (fsynced), the database's log_checkpoint has it,
 * and only then anybody sees it. So whatever happens in between, a restart finds entries that
 * extend what was shown; and a database that does not is refused when the head is opened.
 */
#ifndef HEAD_H
#define HEAD_H

#include "checkpoint.h"
#include "tlog.h"
#include "writer.h"

struct head;

/* Compares the database (a writer's, not yet given to the writer) with DIR/log.head, or, where that
 * is missing, with the newest checkpoint in it. The key is the head's until head_close. NULL with a
 * line in err: the database is older than what was published, or is not what was published. */
struct head *head_open(const char *dir, struct note_key *key, struct db *db, struct buf *err);
void head_close(struct head *h);
/* Makes the same comparison with log.head and changes nothing; on any connection. 0 with the size
 * that is published (0: there is no log.head), or -1 with a line in err. */
int head_check(const char *dir, struct note_key *key, struct db *db, int64_t *size, struct buf *err)
    __attribute__((warn_unused_result));
const struct note_verifier *head_verifier(const struct head *h);

/* Publishes the log as far as `edge`, whose entries have been committed: signs it unless that size
 * or a greater one is published. 0, or -1 (logged): nothing new is to be shown. Any thread that may
 * wait for the writer. */
int head_publish(struct head *h, struct writer *writer, const struct tlog_edge *edge)
    __attribute__((warn_unused_result));

/* Appends the signed checkpoint of the log as far as `edge`: the one that was published, if that
 * size was. For sizes that have been published, or that a greater one has. */
void head_sign(const struct head *h, const struct tlog_edge *edge, struct buf *note);

/* ---- what is published; any thread */

int64_t head_size(struct head *h); /* 0: nothing yet */
/* Appends the signed checkpoint. */
void head_note(struct head *h, struct buf *out);
void head_tree(struct head *h, struct merkle_tree *out);
/* How many hashes or entries of the tile (level, n) are published. If it is a tile of the right
 * edge they are in `hashes`, and *edge is true; `hashes` may be NULL. */
int head_tile(struct head *h, int level, int64_t n, uint8_t *hashes, bool *edge);

#endif
