/*
 * catch_up: bringing a database that is older than the published log up to it.
 *
 * The log is what everybody has seen, so it stays as it is: the missing entries are appended byte
 * for byte. A withdrawal or removal among them is applied. A `sign` entry among them had a
 * submission that is lost; once all are appended, those that are still live are removed as `lost`,
 * with an entry of their own each, which the next publication shows.
 */
#ifndef CATCH_UP_H
#define CATCH_UP_H

#include "log_check.h"
#include "db.h"

struct catch_up {
    const char *log;                      /* a ZIP, a folder or an address (log_source.h) */
    const struct note_verifier *verifier; /* of the log's key */
    struct buf note;                      /* the signed checkpoint; initialised by the caller */
    int64_t size;                         /* what comes out: of the log */
    int64_t appended, ended, lost;        /* entries; submissions of the database; others */
};

/* On a writer's connection that nobody else uses. The log is checked first, all of it: it must
 * begin with the database's entries, or be their beginning. 0, or -1 with a sentence in why. After
 * -1 the database is good for nothing. */
int catch_up_run(struct catch_up *c, struct db *db, struct buf *why)
    __attribute__((warn_unused_result));

#endif
