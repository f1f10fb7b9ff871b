/*
 * archive_read: ZIPs through libzip, and their layout without it (see archive_read.h).
 *
 * libzip compares lengths and checksums, and ignores much else: times, modes, the copies of the
 * directory's fields before each member, bytes between members. archive_reader_strict reads just
 * that. Source: APPNOTE.TXT 6.3.9, 4.3.7, 4.3.12 and 4.3.16.
 */
#include "archive_read.h"

#include "archive.h"
#include "compress_raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#define CHUNK_BYTES 65536

struct archive_reader {
    zip_t *zip;
};

struct archive_reader *archive_reader_open(const char *path, struct buf *why)
{
    struct archive_reader *r = xcalloc(1, sizeof *r);
    zip_error_t error;
    int code = 0;

    r->zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (r->zip)
        return r;
    zip_error_init_with_code(&error, code);
    buf_adds(why, zip_error_strerror(&error));
    zip_error_fini(&error);
    free(r);
    return NULL;
}

void archive_reader_close(struct archive_reader *r)
{
    if (!r)
        return;
    zip_discard(r->zip);
    free(r);
}

size_t archive_reader_count(const struct archive_reader *r)
{
    return (size_t)zip_get_num_entries(r->zip, 0);
}

const char *archive_reader_name(const struct archive_reader *r, size_t i)
{
    return zip_get_name(r->zip, i, ZIP_FL_ENC_RAW);
}

bool archive_reader_has(const struct archive_reader *r, const char *name)
{
    return zip_name_locate(r->zip, name, ZIP_FL_ENC_RAW) >= 0;
}

int archive_reader_stream(struct archive_reader *r, const char *name, archive_take *take, void *ctx,
                          struct buf *why)
{
    zip_int64_t at = zip_name_locate(r->zip, name, ZIP_FL_ENC_RAW);
    zip_file_t *file = at >= 0 ? zip_fopen_index(r->zip, (zip_uint64_t)at, 0) : NULL;
    char *chunk = xcalloc(1, CHUNK_BYTES);
    zip_int64_t got = -1;
    int result = 0;

    while (file && result == 0 && (got = zip_fread(file, chunk, CHUNK_BYTES)) > 0)
        result = take(ctx, chunk, (size_t)got);
    if (result == 0 && got < 0) {
        buf_printf(why, "%s: cannot be read: it is damaged or missing", name);
        result = -1;
    }
    if (file)
        zip_fclose(file);
    free(chunk);
    return result;
}

static int gather(void *ctx, const void *data, size_t len)
{
    struct buf *out = ctx;

    buf_add(out, data, len);
    return buf_ok(out) ? 0 : 1;
}

int archive_reader_get(struct archive_reader *r, const char *name, struct buf *out, struct buf *why)
{
    int result;

    if (!archive_reader_has(r, name))
        return 1;
    result = archive_reader_stream(r, name, gather, out, why);
    if (result > 0)
        buf_printf(why, "%s: is larger than it can be", name);
    return result == 0 ? 0 : -1;
}

/* ---- the layout */

#define END_BYTES    22
#define MEMBER_BYTES 46 /* of the directory */
#define LOCAL_BYTES  30
#define NAME_MAX_LEN 255
#define OUR_SYSTEM   3 /* Unix */

struct layout {
    FILE *file;
    int64_t end;      /* of the members: where the directory begins */
    int64_t at;       /* of the next member's data, while they are walked */
    int64_t entry_at; /* of its entry in the directory */
    uint8_t first[MEMBER_BYTES];
};

static uint32_t number(const uint8_t *p, int bytes)
{
    uint32_t n = 0;

    while (bytes > 0)
        n = n << 8 | p[--bytes];
    return n;
}

static bool read_at(const struct layout *l, int64_t at, void *out, size_t len)
{
    return fseeko(l->file, at, SEEK_SET) == 0 && fread(out, 1, len, l->file) == len;
}

/* Offsets within an entry of the directory, and within the copy before its member. */
enum { MADE_BY = 4, NEEDED = 6, TIME = 12, CRC = 16, PACKED = 20, NAME_LEN = 28, EXTRA = 30 };
enum { COMMENT_LEN = 32, MODE = 38, OFFSET = 42, LOCAL_NEEDED = 4, LOCAL_EXTRA = 28 };

/* Version, method, time, mode and what is empty: the same for all members. The flags may tell that
 * a member was deflated well or fast, and are compared with the copy. */
static bool is_like_first(const struct layout *l, const uint8_t *m)
{
    static const uint8_t none[4] = {0};

    return memcmp(m, "PK\1\2", 4) == 0 && m[MADE_BY + 1] == OUR_SYSTEM &&
           memcmp(m + MADE_BY, l->first + MADE_BY, 4) == 0 &&
           memcmp(m + TIME, l->first + TIME, 4) == 0 && memcmp(m + EXTRA, none, 4) == 0 &&
           memcmp(m + COMMENT_LEN + 2, none, 4) == 0 && memcmp(m + MODE, l->first + MODE, 4) == 0;
}

/* The copy before the member has the directory's fields and name, and the member ends where the
 * next begins. */
static bool has_member(struct layout *l, const uint8_t *m, const char *name)
{
    size_t name_len = number(m + NAME_LEN, 2);
    uint8_t local[LOCAL_BYTES];
    char again[NAME_MAX_LEN];

    if (number(m + OFFSET, 4) != l->at || !read_at(l, l->at, local, sizeof local) ||
        memcmp(local, "PK\3\4", 4) != 0 ||
        memcmp(local + LOCAL_NEEDED, m + NEEDED, LOCAL_EXTRA - LOCAL_NEEDED) != 0 ||
        number(local + LOCAL_EXTRA, 2) != 0 || !read_at(l, l->at + LOCAL_BYTES, again, name_len) ||
        memcmp(again, name, name_len) != 0)
        return false;
    l->at += LOCAL_BYTES + (int64_t)name_len + (int64_t)number(m + PACKED, 4);
    return l->at <= l->end;
}

static bool walk_one(struct layout *l, int i)
{
    uint8_t m[MEMBER_BYTES];
    char name[NAME_MAX_LEN];
    size_t name_len;

    if (!read_at(l, l->entry_at, m, sizeof m))
        return false;
    if (i == 0)
        memcpy(l->first, m, sizeof m);
    name_len = number(m + NAME_LEN, 2);
    if (name_len == 0 || name_len > sizeof name || !is_like_first(l, m) ||
        !read_at(l, l->entry_at + MEMBER_BYTES, name, name_len) || !has_member(l, m, name))
        return false;
    l->entry_at += MEMBER_BYTES + (int64_t)name_len;
    return true;
}

static bool is_strict(struct layout *l)
{
    uint8_t end[END_BYTES];
    int64_t size;
    int count;

    if (fseeko(l->file, 0, SEEK_END) != 0 || (size = ftello(l->file)) < END_BYTES ||
        !read_at(l, size - END_BYTES, end, sizeof end) || memcmp(end, "PK\5\6\0\0\0\0", 8) != 0)
        return false;
    count = (int)number(end + 8, 2);
    l->end = number(end + 16, 4);
    l->entry_at = l->end;
    if (number(end + 10, 2) != (uint32_t)count || number(end + 20, 2) != 0)
        return false;
    for (int i = 0; i < count; i++)
        if (!walk_one(l, i))
            return false;
    return l->at == l->end && l->entry_at == size - END_BYTES &&
           l->entry_at - l->end == (int64_t)number(end + 12, 4);
}

const char *archive_reader_strict(const char *path)
{
    struct layout l = {.file = fopen(path, "rbe")};
    bool ok;

    if (!l.file)
        return "cannot be read";
    ok = is_strict(&l);
    fclose(l.file);
    return ok ? NULL : "is not laid out as a ZIP of this service";
}

/* ---- the packing */

struct packing {
    FILE *file; /* at the packed bytes to come */
    struct compress_raw *again;
    uint64_t bytes;
};

static int compare_packed(void *ctx, const void *data, size_t len)
{
    struct packing *p = ctx;
    char there[CHUNK_BYTES];

    p->bytes += len;
    return len <= sizeof there && fread(there, 1, len, p->file) == len &&
                   memcmp(there, data, len) == 0
               ? 0
               : 1;
}

static int pack_again(void *ctx, const void *data, size_t len)
{
    struct packing *p = ctx;

    return compress_raw_add(p->again, data, len, false);
}

/* The file stands behind the member before. */
static bool is_packed_so(struct archive_reader *r, size_t i, int level, FILE *file)
{
    struct packing p = {.file = file};
    const char *name = archive_reader_name(r, i);
    struct zip_stat st;
    struct buf why;
    bool ok = name && zip_stat_index(r->zip, i, 0, &st) == 0 &&
              fseeko(file, LOCAL_BYTES + (off_t)strlen(name), SEEK_CUR) == 0;

    if (!ok)
        return false;
    buf_init(&why, BUF_UNLIMITED);
    p.again = compress_raw_new(level, compare_packed, &p);
    ok = archive_reader_stream(r, name, pack_again, &p, &why) == 0 &&
         compress_raw_add(p.again, "", 0, true) == 0 && p.bytes == st.comp_size;
    compress_raw_free(p.again);
    buf_release(&why);
    return ok;
}

const char *archive_reader_repack(struct archive_reader *r, const char *path, const char *streamed)
{
    FILE *file = fopen(path, "rbe");
    bool ok = file != NULL;

    for (size_t i = 0; ok && i < archive_reader_count(r); i++) {
        const char *name = archive_reader_name(r, i);
        bool is_streamed = name && strncmp(name, streamed, strlen(streamed)) == 0;

        ok = is_packed_so(r, i, is_streamed ? ARCHIVE_STREAM_LEVEL : ARCHIVE_LEVEL, file);
    }
    if (file)
        fclose(file);
    return ok ? NULL : "is not packed as this service packs it: bytes were changed";
}
