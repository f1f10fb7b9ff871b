/*
 * compress: a page in the codings that browsers accept, made once per publication.
 *
 * Qualities are chosen to cost milliseconds a page, not the last byte.
 */
#ifndef COMPRESS_H
#define COMPRESS_H

#include "buf.h"

/* RFC 1952 and RFC 7932. Appends nothing if the result would not be smaller. */
void compress_gzip(struct buf *out, const struct buf *plain);
void compress_brotli(struct buf *out, const struct buf *plain);

#endif
