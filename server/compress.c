/*
 * compress: gzip by zlib, brotli by libbrotlienc (see compress.h). Pure; any thread.
 */
#include "compress.h"

#include <brotli/encode.h>
#include <string.h>
#include <zlib.h>

#define GZIP_LEVEL     6
#define GZIP_WINDOW    (15 + 16) /* 16: a gzip header instead of zlib's */
#define BROTLI_QUALITY 6
#define BROTLI_WINDOW  18 /* 256 KiB: more than a page */

/* Keeps the compressed bytes if they are worth it. */
static void keep_if_smaller(struct buf *out, const uint8_t *packed, size_t len,
                            const struct buf *plain)
{
    if (len < plain->len)
        buf_add(out, packed, len);
}

void compress_gzip(struct buf *out, const struct buf *plain)
{
    z_stream z = {0};
    uint8_t *packed;

    if (deflateInit2(&z, GZIP_LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return;
    z.avail_out = (uInt)deflateBound(&z, plain->len);
    packed = xcalloc(1, z.avail_out);
    z.next_out = packed;
    z.next_in = (Bytef *)plain->data;
    z.avail_in = (uInt)plain->len;
    if (deflate(&z, Z_FINISH) == Z_STREAM_END)
        keep_if_smaller(out, packed, z.total_out, plain);
    deflateEnd(&z);
    free(packed);
}

void compress_brotli(struct buf *out, const struct buf *plain)
{
    size_t len = BrotliEncoderMaxCompressedSize(plain->len);
    uint8_t *packed;

    if (len == 0)
        return;
    packed = xcalloc(1, len);
    if (BrotliEncoderCompress(BROTLI_QUALITY, BROTLI_WINDOW, BROTLI_MODE_TEXT, plain->len,
                              (const uint8_t *)plain->data, &len, packed))
        keep_if_smaller(out, packed, len, plain);
    free(packed);
}
