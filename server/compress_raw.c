/*
 * compress_raw: zlib's deflate without a header (see compress_raw.h). One thread at a time.
 */
#include "compress_raw.h"

#include "buf.h"

#include <stdlib.h>
#define ZLIB_CONST /* the input is not changed */
#include <zlib.h>

#define OUT_BYTES 16384

struct compress_raw {
    z_stream stream;
    compress_raw_out *out;
    void *ctx;
    Bytef buffer[OUT_BYTES];
};

const char *compress_raw_version(void)
{
    return zlibVersion();
}

uint32_t compress_raw_crc(uint32_t before, const void *data, size_t len)
{
    return (uint32_t)crc32_z(before, data, len);
}

struct compress_raw *compress_raw_new(int level, compress_raw_out *out, void *ctx)
{
    struct compress_raw *c = xcalloc(1, sizeof *c);

    c->out = out;
    c->ctx = ctx;
    if (deflateInit2(&c->stream, level, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort(); /* out of memory */
    return c;
}

void compress_raw_free(struct compress_raw *c)
{
    if (c)
        deflateEnd(&c->stream);
    free(c);
}

int compress_raw_add(struct compress_raw *c, const void *data, size_t len, bool last)
{
    int result = 0;

    c->stream.next_in = data;
    c->stream.avail_in = (uInt)len;
    do {
        c->stream.next_out = c->buffer;
        c->stream.avail_out = OUT_BYTES;
        (void)deflate(&c->stream, last ? Z_FINISH : Z_NO_FLUSH);
        result = c->out(c->ctx, c->buffer, OUT_BYTES - c->stream.avail_out);
    } while (result == 0 && c->stream.avail_out == 0);
    return result;
}
