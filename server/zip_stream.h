/*
 * zip_stream: a ZIP of files as they are, made while it is sent.
 *
 * Members are stored, not compressed. Their names and lengths are known before and with them the
 * length of the whole; their content is asked for once, in order, and nothing but the piece in hand
 * is kept. Checksums follow each content. Numbers beyond 32 bits are written as ZIP64 has them. The
 * same members and time give the same bytes. One thread at a time.
 *
 * (libzip, which archive.h uses, writes into a file, and reads all of it again to send it.)
 *
 * Source: APPNOTE.TXT 6.3.9, 4.3 to 4.5.
 */
#ifndef ZIP_STREAM_H
#define ZIP_STREAM_H

#include "buf.h"

struct zip_stream;

/* Reads exactly the next `len` bytes of the member, counted from 0 in the order they were added. 0,
 * or -1. */
typedef int zip_stream_read(void *ctx, size_t member, void *out, size_t len);

/* The time, in UTC, becomes every member's. A time before 1980 becomes 1980. */
struct zip_stream *zip_stream_new(int64_t mtime_s, zip_stream_read *read, void *ctx);
void zip_stream_free(struct zip_stream *z);

/* Before the first piece. The name is ASCII, and is copied. */
void zip_stream_add(struct zip_stream *z, const char *name, uint64_t bytes);
/* Of the whole ZIP. */
uint64_t zip_stream_bytes(const struct zip_stream *z);

/* Appends the next piece. 1; 0 when there is no more; -1 if a member cannot be read. */
int zip_stream_next(struct zip_stream *z, struct buf *piece) __attribute__((warn_unused_result));

#endif
