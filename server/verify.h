/*
 * verify: `petition verify`, the check that needs nothing of the server's but what it publishes.
 *
 * Everything given is checked, each by itself and each against the others: receipts against the
 * key, openings against their receipts, checkpoints and bundles against the log. What was checked,
 * and what has to be believed nevertheless, is said in lines of their own. One thread, no state on
 * disk but the file of `save`.
 */
#ifndef VERIFY_H
#define VERIFY_H

#include "buf.h"

#define VERIFY_THINGS_MAX 62

struct verify {
    const char *const *names; /* files, folders, addresses: see things.h */
    size_t count;
    const char *vkey;         /* of the log; NULL: the one that the log itself names */
    const char *minisign_key; /* NULL: the one that the bundle itself names */
    const char *save; /* NULL, or: what is there must be an older checkpoint of this log, and
                         the log's checkpoint replaces it */
};

/* 0 if all of it holds, with lines in `out`; 1 with one line in `err`, without its end; 2 for a
 * request that cannot be carried out, likewise. */
int verify_run(const struct verify *v, struct buf *out, struct buf *err)
    __attribute__((warn_unused_result));
/* The same, with `out` on standard output and `err` on standard error: the exit status. */
int verify_print(const struct verify *v);

#endif
