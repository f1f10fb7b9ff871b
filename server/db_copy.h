/*
 * db_copy: a consistent copy of the whole database, made beside running writes.
 *
 * The copy is taken by the writer's own connection, a few pages at a time between two transactions:
 * so it holds no snapshot (the WAL goes on being moved and emptied, erased columns leave it in
 * time), and what the writer changes meanwhile goes into the copy as well. It is the state of the
 * last step. Another connection would have to begin anew after every commit, or keep a snapshot
 * open for as long as the copy takes.
 *
 * All calls but db_copy_fd on the writer's thread, outside of its transactions. The file that holds
 * the copy has no name, so nothing of it stays when the process ends, however it ends.
 */
#ifndef DB_COPY_H
#define DB_COPY_H

#include "db.h"

struct db_copy;

/* Begins a copy in a file without a name in the folder. NULL with a line in err: not enough room,
 * among others. */
struct db_copy *db_copy_begin(struct db *db, const char *dir, struct buf *err);
/* Copies some pages (about a megabyte). 1: there is more to do; DB_OK: the copy is whole. */
int db_copy_step(struct db_copy *c) DB_CHECKED;
/* Ends the copying, whole or not; the file stays until db_copy_close. */
void db_copy_end(struct db_copy *c);

/* The file of a whole copy, for reading; any thread. */
int db_copy_fd(const struct db_copy *c);
/* Closes the file, and with it the copy is gone. After db_copy_end; any thread. */
void db_copy_close(struct db_copy *c);

#endif
