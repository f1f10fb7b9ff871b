/*
 * annex: the signature list of a delivery as CSV, produced as it is read.
 *
 * One row for each live submission of a snapshot, in the order of the log, in parts of a fixed
 * number of rows. Columns: index, tier, entry_sha256, name, country, day, opening, fields_b64. The
 * last five are filled only in the variant with names, and there only for those who did not choose
 * `private`. UTF-8 with a byte order mark, CRLF, RFC 4180, every text through buf_csv.
 *
 * A part is read like a file: annex_begin, annex_read until 0, annex_end. Parts come one by one and
 * in order; nothing is held in memory but the row that is being read. The snapshot belongs to the
 * annex until annex_free.
 */
#ifndef ANNEX_H
#define ANNEX_H

#include "db.h"

#define ANNEX_PART_ROWS 100000
#define ANNEX_NAME_MAX  40

struct annex_part {
    char name[ANNEX_NAME_MAX];
    int64_t rows, bytes;
    uint8_t sha256[HASH_LEN];
};

struct annex;

/* Starts a variant from the reader's open snapshot. NULL with a sentence in why. */
struct annex *annex_new(struct db *snapshot, bool names, int64_t part_rows, struct buf *why);
void annex_free(struct annex *a);

/* "signatures/part-001.csv" for part 0. */
void annex_part_name(char name[ANNEX_NAME_MAX], size_t part);

/* Number of parts; at least one, for a list without a row still has its header. */
size_t annex_parts(const struct annex *a);
/* Rows of all parts together, and of those the ones read so far. */
int64_t annex_rows(const struct annex *a);
int64_t annex_rows_read(const struct annex *a);

/* Starts the next part. -1 if there is none, or the one before has not ended. */
int annex_begin(struct annex *a) __attribute__((warn_unused_result));
/* Up to len bytes of the part; 0 at its end; -1 if the database fails or its list does not have the
 * number of rows it counts. */
int64_t annex_read(struct annex *a, void *out, size_t len) __attribute__((warn_unused_result));
/* What was read, once annex_read has given 0. -1 before. */
int annex_end(struct annex *a, struct annex_part *part) __attribute__((warn_unused_result));

#endif
