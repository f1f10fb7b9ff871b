/*
 * db_check: whether a database is what it must be, recounted from its rows.
 *
 * For `check` and `restore`, on a connection of their own: each claim reads whole tables, so the
 * statements stand here and are prepared when they are needed. Nothing is sorted or gathered: the
 * memory needed does not grow with the database.
 *
 * A claim is checked in a snapshot of the caller's (db_snapshot_begin), or on a database that
 * nobody writes meanwhile.
 */
#ifndef DB_CHECK_H
#define DB_CHECK_H

#include "db.h"

enum db_claim {
    DB_CLAIM_INTACT,  /* SQLite's own integrity check */
    DB_CLAIM_LOG,     /* indices without gaps from 0, entry 0 is an `open` entry */
    DB_CLAIM_ENTRIES, /* submissions and sign entries (120 bytes) belong together, one to one */
    DB_CLAIM_FIGURES, /* totals, tally and signer, and the removals in the log, equal a recount */
    DB_CLAIM_CLOSED,  /* if the log has a `close` entry: it is right, and no tag is left */
    DB_CLAIM_TILES,   /* tiles and published roots follow from the entries */
    DB_CLAIM_AUDIT,   /* the hash chain of the audit trail */
    DB_CLAIM__COUNT
};

enum db_verdict { DB_HOLDS, DB_FAILS, DB_UNFINISHED };

/* Checks a claim and adds one line (without its end) that says what was found. Stops after
 * `limit_s` seconds (0: no limit) as DB_UNFINISHED. A database that cannot be read fails. */
enum db_verdict db_check(struct db *db, enum db_claim claim, int limit_s, struct buf *line);

#endif
