/*
 * db_schema: whose file it is, and that it has this program's tables. For db.c only.
 */
#ifndef DB_SCHEMA_H
#define DB_SCHEMA_H

#include "buf.h"

struct sqlite3;

/* 0 if the file is a petition's and its schema can be used: by a writer that of any version up to
 * this program's, by a reader this program's only. Else -1 with a line in err. */
int db_schema_check(struct sqlite3 *handle, bool writer, const char *path, struct buf *err)
    __attribute__((warn_unused_result));
/* Brings an older schema up to date, in one transaction. 0, or -1 with a line in err. */
int db_schema_migrate(struct sqlite3 *handle, const char *path, struct buf *err)
    __attribute__((warn_unused_result));

#endif
