/*
 * mirror: writing log.zip (see mirror.h). Runs on the delivery thread.
 *
 * The log is append-only, so tiles are read one by one without a snapshot: the WAL is not held.
 * Each is made when the archive comes to it, in the order in which they were added.
 */
#include "mirror.h"

#include "archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define ENTRY_BYTES (122 + HASH_LEN + 2) /* with its hash, and a little for those above */
#define MEGABYTE    1000000

static const char readme_text[] =
    "The log of a petition, as it was published with one of its deliveries\n"
    "\n"
    "checkpoint      the signed size and root of the log (C2SP signed-note, tlog-checkpoint)\n"
    "vkey            the public key that signed it; compare it with \"log_vkey\" under\n"
    "                /api/v1/petition of the petition's own site\n"
    "tile/entries/   all entries, 256 in a file (C2SP tlog-tiles)\n"
    "tile/0/ ...     the hashes over them\n"
    "\n"
    "These are the files that the petition's site serves under the same paths. The formats are\n"
    "described at https://c2sp.org/tlog-tiles; leaves and nodes are hashed as in RFC 6962.\n"
    "No entry holds a name, an address or a number, and none can be opened without what the\n"
    "signer, or an addressee with the signer's consent, has.\n";

/* The tiles in their order: of entries first, then of each level. */
struct tiles_left {
    const struct mirror *m;
    struct tlog_edge *edge;
    struct tile next;
    struct buf bytes; /* of the one that is being read */
    size_t at;
    struct archive_stream stream;
};

/* Moves on to the next tile; false behind the last. */
static bool next_tile(const struct mirror *m, struct tile *t)
{
    t->width = tile_width(t->level, ++t->n, m->size);
    while (t->width == 0 && ++t->level < TILE_LEVELS) {
        t->n = 0;
        t->width = tile_width(t->level, 0, m->size);
    }
    return t->width > 0;
}

static struct tile before_first(void)
{
    return (struct tile){.level = TILE_ENTRIES, .n = -1};
}

/* ---- one member */

static int read_hashes(struct tiles_left *left)
{
    const struct tile *t = &left->next;
    uint8_t hashes[TILE_BYTES];
    int result = DB_OK;

    if (t->width < TILE_WIDTH)
        memcpy(hashes, left->edge->hashes[t->level], TILE_BYTES);
    else
        result = db_log_tile(left->m->reader, t->level, t->n, hashes);
    if (result == DB_OK)
        buf_add(&left->bytes, hashes, (size_t)t->width * HASH_LEN);
    return result;
}

static int begin_tile(void *ctx)
{
    struct tiles_left *left = ctx;
    const struct tile *t = &left->next;
    int result;

    buf_clear(&left->bytes);
    left->at = 0;
    if (!next_tile(left->m, &left->next))
        return -1;
    if (t->level == TILE_ENTRIES)
        result = db_log_entries(left->m->reader, t->n * TILE_WIDTH, t->width, &left->bytes);
    else
        result = read_hashes(left);
    if (result != DB_OK)
        left->stream.failure = "the log cannot be read from the database";
    return result == DB_OK ? 0 : -1;
}

static int64_t read_tile(void *ctx, void *out, size_t len)
{
    struct tiles_left *left = ctx;
    size_t got = left->bytes.len - left->at;

    got = got < len ? got : len;
    memcpy(out, left->bytes.data + left->at, got);
    left->at += got;
    return (int64_t)got;
}

static int end_tile(void *ctx)
{
    (void)ctx;
    return 0;
}

/* ---- the archive */

static int need_space(const struct mirror *m, struct buf *why)
{
    struct statvfs disk;
    int64_t need = m->size * ENTRY_BYTES + m->spare_bytes;

    if (statvfs(m->dir, &disk) == 0 && (int64_t)(disk.f_bavail * disk.f_frsize) >= need)
        return 0;
    buf_printf(why, "not enough space on the device for %s: %lld MB", MIRROR_NAME,
               (long long)(need / MEGABYTE + 1));
    return -1;
}

static void add_tiles(struct archive *zip, struct tiles_left *left)
{
    struct tile t = before_first();

    while (next_tile(left->m, &t)) {
        char path[TILE_PATH_MAX], name[TILE_PATH_MAX + 5];

        tile_path(&t, path);
        snprintf(name, sizeof name, "tile/%s", path);
        archive_add_stream(zip, name, &left->stream);
    }
}

static int write_archive(const struct mirror *m, struct tiles_left *left, struct buf *why)
{
    struct archive_watch watch = {m->progress, m->progress_ctx};
    struct archive *zip = archive_new(m->dir, MIRROR_NAME, m->mtime_s);
    struct buf readme, note, vkey;
    int result;

    buf_init(&readme, BUF_UNLIMITED);
    buf_init(&note, BUF_UNLIMITED);
    buf_init(&vkey, BUF_UNLIMITED);
    buf_adds(&readme, readme_text);
    buf_adds(&note, m->checkpoint);
    note_print_vkey(&vkey, m->verifier);
    buf_addc(&vkey, '\n');
    archive_add(zip, "README.txt", &readme);
    archive_add(zip, "checkpoint", &note);
    archive_add(zip, "vkey", &vkey);
    add_tiles(zip, left);
    result = archive_finish(zip, &watch, why);
    buf_release(&readme);
    buf_release(&note);
    buf_release(&vkey);
    return result;
}

int mirror_build(const struct mirror *m, struct buf *why)
{
    struct tiles_left left = {.m = m, .next = before_first()};
    int result = need_space(m, why);

    if (result != 0)
        return result;
    left.edge = xcalloc(1, sizeof *left.edge);
    left.stream = (struct archive_stream){begin_tile, read_tile, end_tile, &left, NULL};
    buf_init(&left.bytes, BUF_UNLIMITED);
    if (db_log_edge(m->reader, m->size, left.edge) == DB_OK) {
        result = write_archive(m, &left, why);
    } else {
        buf_adds(why, "the log cannot be read from the database");
        result = -1;
    }
    buf_release(&left.bytes);
    free(left.edge);
    return result;
}
