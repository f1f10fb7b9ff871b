/*
 * zip_stream: the layout of a ZIP of stored members (see zip_stream.h).
 *
 * Always true: what the lengths below add up to is what the pieces are. A member's own length
 * stands before its content too, though its checksum follows: so it can be unpacked by a program
 * that does not look at the directory first.
 */
#include "zip_stream.h"

#include "compress_raw.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOCAL_BYTES   30
#define CENTRAL_BYTES 46
#define END_BYTES     22
#define END64_BYTES   76 /* with its locator */
#define EXTRA_BYTES   4  /* before the numbers of a ZIP64 field */
#define CHUNK_BYTES   (64 * 1024)
#define LARGE         0xffffffffu /* from here on a number is in the ZIP64 field */
#define MANY          0xffffu
#define PLAIN_VERSION 20
#define LARGE_VERSION 45
#define MADE_BY_UNIX  (3 << 8)
#define UNIX_MODE     (0100644u << 16) /* -rw-r--r-- */
#define CRC_FOLLOWS   (1 << 3)
#define FIRST_TIME_S  315532800  /* 1980-01-01 */
#define LAST_TIME_S   4354819199 /* 2107-12-31 */

struct member {
    char *name;
    uint64_t bytes, at; /* at: of its header */
    uint32_t crc;
};

struct zip_stream {
    zip_stream_read *read;
    void *ctx;
    struct member *members;
    size_t count;
    uint16_t date, time;
    /* where the pieces are */
    enum { AT_HEADER, AT_CONTENT, AT_DIRECTORY, AT_END } next;
    size_t current;
    uint64_t left; /* of the member's content */
};

struct zip_stream *zip_stream_new(int64_t mtime_s, zip_stream_read *read, void *ctx)
{
    struct zip_stream *z = xcalloc(1, sizeof *z);
    time_t at = mtime_s < FIRST_TIME_S  ? FIRST_TIME_S
                : mtime_s > LAST_TIME_S ? LAST_TIME_S
                                        : (time_t)mtime_s;
    struct tm tm;

    gmtime_r(&at, &tm);
    z->date = (uint16_t)((tm.tm_year - 80) << 9 | (tm.tm_mon + 1) << 5 | tm.tm_mday);
    z->time = (uint16_t)(tm.tm_hour << 11 | tm.tm_min << 5 | tm.tm_sec / 2);
    z->read = read;
    z->ctx = ctx;
    z->next = AT_DIRECTORY;
    return z;
}

void zip_stream_free(struct zip_stream *z)
{
    for (size_t i = 0; i < z->count; i++)
        free(z->members[i].name);
    free(z->members);
    free(z);
}

/* ---- lengths */

static bool is_large(uint64_t n)
{
    return n >= LARGE;
}

/* Of the content's two lengths, and the offset where there is one: those that are large. */
static size_t extra_bytes(uint64_t bytes, uint64_t at)
{
    size_t numbers = (is_large(bytes) ? 2u : 0u) + (is_large(at) ? 1u : 0u);

    return numbers > 0 ? EXTRA_BYTES + 8 * numbers : 0;
}

static uint64_t member_bytes(const struct member *m)
{
    return LOCAL_BYTES + strlen(m->name) + extra_bytes(m->bytes, 0) + m->bytes +
           (is_large(m->bytes) ? 24 : 16);
}

static uint64_t directory_at(const struct zip_stream *z)
{
    const struct member *last = z->count > 0 ? &z->members[z->count - 1] : NULL;

    return last ? last->at + member_bytes(last) : 0;
}

static uint64_t directory_bytes(const struct zip_stream *z)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < z->count; i++) {
        const struct member *m = &z->members[i];

        bytes += CENTRAL_BYTES + strlen(m->name) + extra_bytes(m->bytes, m->at);
    }
    return bytes;
}

static bool needs_end64(const struct zip_stream *z)
{
    return z->count >= MANY || is_large(directory_at(z)) || is_large(directory_bytes(z));
}

uint64_t zip_stream_bytes(const struct zip_stream *z)
{
    return directory_at(z) + directory_bytes(z) + (needs_end64(z) ? END64_BYTES : 0) + END_BYTES;
}

void zip_stream_add(struct zip_stream *z, const char *name, uint64_t bytes)
{
    struct member m = {.name = xstrdup(name), .bytes = bytes, .at = directory_at(z)};

    assert(z->next == AT_DIRECTORY || z->current == 0);
    z->members = reallocarray(z->members, z->count + 1, sizeof *z->members);
    if (!z->members)
        abort(); /* out of memory */
    z->members[z->count++] = m;
    z->next = AT_HEADER;
}

/* ---- records */

static void add_number(struct buf *out, uint64_t n, int bytes)
{
    for (; bytes > 0; bytes--, n >>= 8)
        buf_addc(out, (char)(n & 0xff));
}

static void add_16(struct buf *out, uint64_t n)
{
    add_number(out, n, 2);
}

/* All ones stand for a number that is in the ZIP64 field. */
static void add_32(struct buf *out, uint64_t n)
{
    add_number(out, is_large(n) ? LARGE : n, 4);
}

static void add_extra(struct buf *out, uint64_t bytes, uint64_t at)
{
    size_t len = extra_bytes(bytes, at);

    if (len == 0)
        return;
    add_16(out, 1);
    add_16(out, len - EXTRA_BYTES);
    if (is_large(bytes)) {
        add_number(out, bytes, 8);
        add_number(out, bytes, 8);
    }
    if (is_large(at))
        add_number(out, at, 8);
}

/* What the header and the directory have in common, from the version to the length of the field. */
static void add_facts(struct buf *out, const struct zip_stream *z, const struct member *m,
                      uint64_t at)
{
    size_t extra = extra_bytes(m->bytes, at);

    add_16(out, extra > 0 ? LARGE_VERSION : PLAIN_VERSION);
    add_16(out, CRC_FOLLOWS);
    add_16(out, 0); /* stored */
    add_16(out, z->time);
    add_16(out, z->date);
    add_number(out, m->crc, 4);
    add_32(out, m->bytes);
    add_32(out, m->bytes);
    add_16(out, strlen(m->name));
    add_16(out, extra);
}

static void add_header(struct buf *out, const struct zip_stream *z, const struct member *m)
{
    buf_add(out, "PK\3\4", 4);
    add_facts(out, z, m, 0);
    buf_adds(out, m->name);
    add_extra(out, m->bytes, 0);
}

static void add_descriptor(struct buf *out, const struct member *m)
{
    int len = is_large(m->bytes) ? 8 : 4;

    buf_add(out, "PK\7\10", 4);
    add_number(out, m->crc, 4);
    add_number(out, m->bytes, len);
    add_number(out, m->bytes, len);
}

static void add_entry(struct buf *out, const struct zip_stream *z, const struct member *m)
{
    buf_add(out, "PK\1\2", 4);
    add_16(out, MADE_BY_UNIX | LARGE_VERSION);
    add_facts(out, z, m, m->at);
    add_16(out, 0); /* no comment */
    add_16(out, 0); /* on the first disk */
    add_16(out, 0);
    add_number(out, UNIX_MODE, 4);
    add_32(out, m->at);
    buf_adds(out, m->name);
    add_extra(out, m->bytes, m->at);
}

static void add_end64(struct buf *out, const struct zip_stream *z)
{
    uint64_t at = directory_at(z), bytes = directory_bytes(z);

    buf_add(out, "PK\6\6", 4);
    add_number(out, 44, 8); /* that follow, up to the locator */
    add_16(out, MADE_BY_UNIX | LARGE_VERSION);
    add_16(out, LARGE_VERSION);
    add_number(out, 0, 8); /* the first disk, twice */
    add_number(out, z->count, 8);
    add_number(out, z->count, 8);
    add_number(out, bytes, 8);
    add_number(out, at, 8);
    buf_add(out, "PK\6\7", 4);
    add_number(out, 0, 4);
    add_number(out, at + bytes, 8);
    add_number(out, 1, 4); /* disk in all */
}

static void add_directory(struct buf *out, const struct zip_stream *z)
{
    uint64_t count = z->count < MANY ? z->count : MANY;

    for (size_t i = 0; i < z->count; i++)
        add_entry(out, z, &z->members[i]);
    if (needs_end64(z))
        add_end64(out, z);
    buf_add(out, "PK\5\6", 4);
    add_number(out, 0, 4); /* the first disk, twice */
    add_16(out, count);
    add_16(out, count);
    add_32(out, directory_bytes(z));
    add_32(out, directory_at(z));
    add_16(out, 0); /* no comment */
}

/* ---- pieces */

static int add_content(struct zip_stream *z, struct buf *piece)
{
    struct member *m = &z->members[z->current];
    char chunk[CHUNK_BYTES];
    size_t len = z->left < sizeof chunk ? (size_t)z->left : sizeof chunk;

    if (len > 0 && z->read(z->ctx, z->current, chunk, len) != 0)
        return -1;
    m->crc = compress_raw_crc(m->crc, chunk, len);
    buf_add(piece, chunk, len);
    z->left -= len;
    if (z->left > 0)
        return 1;
    add_descriptor(piece, m);
    z->current++;
    z->next = z->current < z->count ? AT_HEADER : AT_DIRECTORY;
    return 1;
}

int zip_stream_next(struct zip_stream *z, struct buf *piece)
{
    switch (z->next) {
    case AT_HEADER:
        add_header(piece, z, &z->members[z->current]);
        z->left = z->members[z->current].bytes;
        z->next = AT_CONTENT;
        return 1;
    case AT_CONTENT:
        return add_content(z, piece);
    case AT_DIRECTORY:
        add_directory(piece, z);
        z->next = AT_END;
        return 1;
    default:
        return 0;
    }
}
