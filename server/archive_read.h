/*
 * archive_read: the members of a ZIP, read and checked.
 *
 * Names are as they stand in the archive. A member is given whole or not at all: its length and
 * checksum are compared. A reader belongs to one thread at a time. (archive.h writes ZIPs.)
 */
#ifndef ARCHIVE_READ_H
#define ARCHIVE_READ_H

#include "buf.h"

struct archive_reader;

/* NULL with a sentence in why: the file cannot be read, or is no ZIP. */
struct archive_reader *archive_reader_open(const char *path, struct buf *why);
void archive_reader_close(struct archive_reader *r);

/* Whether the file is laid out as archive.h writes it: members in the order of the directory and
 * nothing between, before or behind them, one time and mode for all, no comments, no extra fields.
 * So what another program reads out of it is what this one does. NULL, or what is wrong: a constant
 * sentence without its stop. */
const char *archive_reader_strict(const char *path) __attribute__((warn_unused_result));

/* Whether each member of a file with that layout is packed into the very bytes that archive.h packs
 * it into: as `streamed` for those whose name begins so. It can be told only where zlib is the
 * same. NULL, or what is wrong, as above. */
const char *archive_reader_repack(struct archive_reader *r, const char *path, const char *streamed)
    __attribute__((warn_unused_result));

size_t archive_reader_count(const struct archive_reader *r);
/* NULL behind the last. */
const char *archive_reader_name(const struct archive_reader *r, size_t i);
bool archive_reader_has(const struct archive_reader *r, const char *name);

/* Reads a member of at most out->cap bytes. 0; 1 if there is none of that name; -1 with a sentence
 * in why. */
int archive_reader_get(struct archive_reader *r, const char *name, struct buf *out, struct buf *why)
    __attribute__((warn_unused_result));

/* Hands a member to take(), piece by piece, however long it is. What take() returns, if not 0, ends
 * it and is returned. 0 when it was read to its end; -1 with a sentence in why. */
typedef int archive_take(void *ctx, const void *data, size_t len);
int archive_reader_stream(struct archive_reader *r, const char *name, archive_take *take, void *ctx,
                          struct buf *why) __attribute__((warn_unused_result));

#endif
