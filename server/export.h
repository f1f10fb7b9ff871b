/*
 * export: the sealed records of all live submissions, as JSON lines {"index","tier","sealed"}.
 *
 * Read page by page, each page a snapshot of its own of well under a second, up to the size of the
 * log when the export began; so a slow receiver never holds the WAL.
 */
#ifndef EXPORT_H
#define EXPORT_H

#include "http.h"
#include "db.h"

struct export;

/* NULL with a line in err. One thread at a time. */
struct export *export_open(const char *database, struct buf *err);
void export_close(struct export *e);
/* Appends the next lines: 1, or 0 at the end, or -1. */
int export_next(struct export *e, struct buf *out) __attribute__((warn_unused_result));

/* Answers with all sealed records, as they are read. -1 with a line in err, and no answer. */
int export_reply(struct http_request *rq, const char *database, struct buf *err)
    __attribute__((warn_unused_result));
/* Live submissions by country, tier and day, exact: results as db.h's. */
int export_counts_csv(struct db *db, struct buf *out) DB_CHECKED;
int export_counts_json(struct db *db, struct buf *out) DB_CHECKED;

/* Offline: writes a CSV of what the signers typed, from lines of an export and the organisers'
 * secret key. 0; -1 with a line in err: a line that is no export, or a wrong key. */
int export_open_records(struct buf *csv, const char *lines, const uint8_t secret[32],
                        struct buf *err) __attribute__((warn_unused_result));

#endif
