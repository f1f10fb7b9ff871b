/*
 * compress_raw: deflate as ZIPs have it (RFC 1951, no header), piece by piece, in the setting that
 * libzip uses: so that the same content can be packed again and compared. One thread at a time.
 */
#ifndef COMPRESS_RAW_H
#define COMPRESS_RAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the library: another version may pack the same content into other bytes. */
const char *compress_raw_version(void);

/* The checksum of ZIPs (CRC-32), of what came before and of more; it begins as 0. */
uint32_t compress_raw_crc(uint32_t before, const void *data, size_t len);

struct compress_raw;
/* Takes what is packed. What it returns, if not 0, ends compress_raw_add. */
typedef int compress_raw_out(void *ctx, const void *data, size_t len);

struct compress_raw *compress_raw_new(int level, compress_raw_out *out, void *ctx);
void compress_raw_free(struct compress_raw *c);
/* The next piece; with `last` the end. 0, or what `out` returned. */
int compress_raw_add(struct compress_raw *c, const void *data, size_t len, bool last)
    __attribute__((warn_unused_result));

#endif
