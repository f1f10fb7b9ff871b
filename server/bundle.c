/*
 * bundle: the spool of a delivery and the 19 ZIPs made from it (see bundle.h).
 *
 * Runs on the delivery thread. Always true: spool.json exists only if both variants of the annexes
 * do, whole and durable; and a bundle is made of nothing but the spool, the delivery's row, the
 * keys and the public content. Small files are made in memory; the annexes go from the database
 * through the compressor to the disk without ever being whole anywhere.
 *
 * The words are letter's, the rows annex's, the ZIP format archive's. Who may ask for a delivery,
 * and when one is made, is left to delivery.
 */
#include "bundle.h"

#include "annex.h"
#include "archive.h"
#include "checkpoint.h"
#include "compress_raw.h"
#include "files.h"
#include "json.h"
#include "letter.h"
#include "removed.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SPOOL_LIST        "spool.json"
#define SPOOL_LIST_MAX    (16 * 1024 * 1024)
#define SMALL_FILE_MAX    (4 * 1024 * 1024)
#define PROGRESS_ROWS     5000
#define OTHER_FILES       7 /* README, two summaries, checkpoint, manifest, sums, signature */
#define HEX_MAX           (2 * HASH_LEN + 1)
#define FILE_NAME_MAX     48
#define READ_CHUNK_BYTES  65536
#define ROW_LEAST_BYTES   40            /* of an annex, compressed: 32 of them are a hash */
#define SMALL_FILES_BYTES (1024 * 1024) /* of a bundle: letters, summaries, manifest */
#define MEGABYTE          1000000

/* The variants of the annexes: which an addressee gets is its "names" in addressees.json. */
enum variant { VARIANT_NAMES, VARIANT_PLAIN, VARIANT__COUNT };
static const struct {
    const char *file, *member, *addressee;
} variants[VARIANT__COUNT] = {
    {"spool-names.zip", "names", "with-consent"},
    {"spool-plain.zip", "plain", "never"},
};

static const cJSON *addressee_at(const struct content *content, int position)
{
    return cJSON_GetArrayItem(content->addressees, position);
}

void bundle_file_name(struct buf *out, const struct content *content, int position)
{
    const cJSON *addressee = addressee_at(content, position);

    buf_printf(out, "%02d-%s.zip", (int)json_number(addressee, "number"),
               json_text(addressee, "slug"));
}

void bundle_clean(const struct bundle_context *b, bool spool)
{
    archive_clean(b->dir);
    if (!spool)
        return;
    for (int i = -1; i < VARIANT__COUNT; i++) {
        char *path = files_join(b->dir, i < 0 ? SPOOL_LIST : variants[i].file);

        (void)unlink(path);
        free(path);
    }
}

/* ---- space ---- */

static int need_space(const struct bundle_context *b, int64_t bytes, struct buf *why)
{
    struct statvfs disk;
    int64_t free_bytes;

    if (statvfs(b->dir, &disk) != 0) {
        archive_explain(why, b->dir, errno);
        return -1;
    }
    free_bytes = (int64_t)(disk.f_bavail * disk.f_frsize);
    if (free_bytes - b->spare_bytes >= bytes)
        return 0;
    buf_printf(why,
               "not enough space on the device: the bundles take %" PRId64 " MB and %" PRId64
               " MB must stay free, but only %" PRId64 " MB are free",
               bytes / MEGABYTE + 1, b->spare_bytes / MEGABYTE, free_bytes / MEGABYTE);
    return -1;
}

/* Before the spool: how many rows have a name is not known yet. */
static int has_space_for_spool(const struct bundle_context *b, struct db *snapshot, struct buf *why)
{
    struct totals totals;

    if (db_totals(snapshot, &totals) != DB_OK) {
        buf_adds(why, "the database cannot be read");
        return -1;
    }
    return need_space(b,
                      (int64_t)totals.live * ROW_LEAST_BYTES * (ADDRESSEE_COUNT + VARIANT__COUNT),
                      why);
}

static int64_t file_bytes(const struct bundle_context *b, const char *name)
{
    char *path = files_join(b->dir, name);
    struct stat st;
    int64_t bytes = stat(path, &st) == 0 ? st.st_size : 0;

    free(path);
    return bytes;
}

static enum variant variant_of(const cJSON *addressee)
{
    return strcmp(json_text(addressee, "names"), variants[VARIANT_NAMES].addressee) == 0
               ? VARIANT_NAMES
               : VARIANT_PLAIN;
}

/* A bundle that is there already will be replaced by one of its size. */
int bundle_has_space(const struct bundle_context *b, struct buf *why)
{
    struct buf name;
    int64_t need = 0;

    buf_init(&name, BUF_UNLIMITED);
    for (int i = 0; i < ADDRESSEE_COUNT; i++) {
        buf_clear(&name);
        bundle_file_name(&name, b->content, i);
        if (file_bytes(b, name.data) == 0)
            need += file_bytes(b, variants[variant_of(addressee_at(b->content, i))].file) +
                    SMALL_FILES_BYTES;
    }
    buf_release(&name);
    return need_space(b, need, why);
}

/* ---- the spool ---- */

static void add_member_text(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\n\"%s\":", name);
    buf_json(out, text);
}

/* One variant while it is written. */
struct spooling {
    const struct bundle_context *b;
    struct annex *annex;
    struct annex_part *parts; /* and one for the list of what was removed */
    size_t done;
    int64_t next_report; /* in rows */
    double from;         /* the step's progress when this variant began */
    struct archive_stream stream;
};

static int begin_part(void *ctx)
{
    struct spooling *s = ctx;

    return annex_begin(s->annex);
}

static int64_t read_part(void *ctx, void *out, size_t len)
{
    struct spooling *s = ctx;
    int64_t got = annex_read(s->annex, out, len), rows = annex_rows_read(s->annex);

    if (got < 0)
        s->stream.failure = "the list of signatures cannot be read from the database";
    if (rows < s->next_report)
        return got;
    s->next_report = rows + PROGRESS_ROWS;
    if (s->b->progress(s->b->progress_ctx,
                       s->from + (double)rows / (double)annex_rows(s->annex) / VARIANT__COUNT))
        return got;
    s->stream.failure = "stopped";
    return -1;
}

static int end_part(void *ctx)
{
    struct spooling *s = ctx;

    if (annex_end(s->annex, &s->parts[s->done]) != 0)
        return -1;
    s->done++;
    return 0;
}

static void list_parts(struct buf *list, const struct spooling *s, enum variant v)
{
    buf_printf(list, ",\n\"%s\":[", variants[v].member);
    for (size_t i = 0; i < s->done; i++) {
        const struct annex_part *part = &s->parts[i];

        buf_printf(list, "%s\n{\"name\":\"%s\",\"rows\":%" PRId64 ",\"bytes\":%" PRId64,
                   i > 0 ? "," : "", part->name, part->rows, part->bytes);
        buf_adds(list, ",\"sha256\":\"");
        buf_hex(list, part->sha256, HASH_LEN);
        buf_adds(list, "\"}");
    }
    buf_adds(list, "]");
}

/* What both variants are made of. */
struct spool_source {
    const struct bundle_context *b;
    struct db *snapshot;
    struct removed removed;
};

static int spool_variant(struct spool_source *source, enum variant v, struct buf *list,
                         struct buf *why)
{
    const struct bundle_context *b = source->b;
    const struct removed *removed = &source->removed;
    struct spooling s = {.b = b, .from = (double)v / VARIANT__COUNT, .next_report = PROGRESS_ROWS};
    int64_t part_rows = b->part_rows > 0 ? b->part_rows : ANNEX_PART_ROWS;
    struct archive *zip;
    char name[ANNEX_NAME_MAX];
    int result;

    s.annex = annex_new(source->snapshot, v == VARIANT_NAMES, part_rows, why);
    if (!s.annex)
        return -1;
    s.parts = xcalloc(annex_parts(s.annex) + 1, sizeof *s.parts);
    s.stream = (struct archive_stream){begin_part, read_part, end_part, &s, NULL};
    zip = archive_new(b->dir, variants[v].file, b->delivery->frozen_s);
    for (size_t i = 0; i < annex_parts(s.annex); i++) {
        annex_part_name(name, i);
        archive_add_stream(zip, name, &s.stream);
    }
    archive_add(zip, REMOVED_NAME, &removed->text);
    result = archive_finish(zip, NULL, why);
    if (result == 0 && s.done != annex_parts(s.annex)) {
        buf_printf(why, "%s: a part was not written to its end", variants[v].file);
        result = -1;
    }
    s.parts[s.done++] = removed->part;
    list_parts(list, &s, v);
    annex_free(s.annex);
    free(s.parts);
    return result;
}

int bundle_spool(const struct bundle_context *b, struct db *snapshot, struct buf *why)
{
    char *path = files_join(b->dir, SPOOL_LIST);
    struct spool_source source = {.b = b, .snapshot = snapshot};
    struct buf list;
    int result;

    bundle_clean(b, true);
    result = has_space_for_spool(b, snapshot, why);
    if (removed_list(&source.removed, snapshot, b->delivery) != DB_OK && result == 0) {
        buf_adds(why, "the list of what was removed cannot be read from the database");
        result = -1;
    }
    buf_init(&list, SPOOL_LIST_MAX);
    buf_printf(&list, "{\"delivery\":%" PRId64 ",\"frozen_s\":%" PRId64, b->delivery->id,
               b->delivery->frozen_s);
    add_member_text(&list, "checkpoint", b->checkpoint);
    for (int v = 0; result == 0 && v < VARIANT__COUNT; v++)
        result = spool_variant(&source, (enum variant)v, &list, why);
    buf_adds(&list, "\n}\n");
    if (result == 0 && files_replace(path, list.data, list.len) != 0) {
        archive_explain(why, SPOOL_LIST, errno);
        result = -1;
    }
    if (result != 0)
        bundle_clean(b, true);
    else
        (void)b->progress(b->progress_ctx, 1);
    removed_release(&source.removed);
    buf_release(&list);
    free(path);
    return result;
}

/* The spool's list, parsed; NULL with a sentence in why. */
static cJSON *open_list(const struct bundle_context *b, struct buf *why)
{
    char *path = files_join(b->dir, SPOOL_LIST);
    struct buf text;
    cJSON *list = NULL;

    buf_init(&text, SPOOL_LIST_MAX);
    if (buf_read_file(&text, path) != 0)
        archive_explain(why, SPOOL_LIST, errno);
    else
        list = cJSON_ParseWithLength(text.data, text.len);
    if (list && (json_number(list, "delivery") != b->delivery->id ||
                 json_number(list, "frozen_s") != b->delivery->frozen_s ||
                 !*json_text(list, "checkpoint"))) {
        cJSON_Delete(list);
        list = NULL;
    }
    if (!list && why->len == 0)
        buf_adds(why, SPOOL_LIST ": is not of this delivery");
    buf_release(&text);
    free(path);
    return list;
}

/* ---- a bundle ---- */

struct small_file {
    char name[FILE_NAME_MAX];
    struct buf data;
};

/* One addressee's bundle in the making. Files are in their order in the ZIP: small ones up to
 * `before`, then the annexes, then the rest of the small ones. */
struct making {
    const struct bundle_context *b;
    const cJSON *addressee, *parts; /* parts: the variant's list in the spool */
    cJSON *figures, *list;
    enum variant variant;
    struct small_file *files;
    size_t count, before;
    struct buf entries;         /* the files so far, for the manifest */
    struct buf sums;            /* and for SHA256SUMS */
    uint8_t manifest[HASH_LEN]; /* its hash */
};

static void sum_file(struct making *m, const char *name, const char *sha256, int64_t bytes)
{
    buf_printf(&m->entries, "%s\n{\"name\":\"%s\",\"sha256\":\"%s\",\"bytes\":%" PRId64 "}",
               m->entries.len > 0 ? "," : "", name, sha256, bytes);
    buf_printf(&m->sums, "%s  %s\n", sha256, name);
}

/* The next small file, empty. */
static struct small_file *new_file(struct making *m, const char *name)
{
    struct small_file *file = &m->files[m->count++];

    snprintf(file->name, sizeof file->name, "%s", name);
    buf_init(&file->data, SMALL_FILE_MAX);
    return file;
}

static void sum_small_file(struct making *m, const struct small_file *file)
{
    uint8_t sha256[HASH_LEN];
    char hex[HEX_MAX];

    sha256_of(sha256, file->data.data, file->data.len);
    sodium_bin2hex(hex, sizeof hex, sha256, HASH_LEN);
    sum_file(m, file->name, hex, (int64_t)file->data.len);
}

/* README, letters, summaries. */
static void make_words(struct making *m, const struct letter_source *s)
{
    size_t count = letter_list(s, NULL, 0);
    struct letter_to *letters = xcalloc(count, sizeof *letters);
    char name[FILE_NAME_MAX];

    letter_list(s, letters, count);
    m->files = xcalloc(count + OTHER_FILES, sizeof *m->files);
    letter_readme(&new_file(m, "README.txt")->data, s);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "letter-%02d-%s.html", letters[i].person + 1,
                 lang_codes[letters[i].lang]);
        letter_write(&new_file(m, name)->data, s, &letters[i]);
    }
    free(letters);
    letter_summary(&new_file(m, "summary.html")->data, s);
    buf_add(&new_file(m, "summary.json")->data, m->b->delivery->figures.data,
            m->b->delivery->figures.len);
    buf_adds(&new_file(m, "checkpoint")->data, json_text(m->list, "checkpoint"));
    for (size_t i = 0; i < m->count; i++)
        sum_small_file(m, &m->files[i]);
    m->before = m->count;
}

static void sum_annexes(struct making *m)
{
    const cJSON *part;

    cJSON_ArrayForEach(part, m->parts)
        sum_file(m, json_text(part, "name"), json_text(part, "sha256"), json_number(part, "bytes"));
}

/* The third line of the checkpoint. */
static void add_root(const struct making *m, struct buf *out)
{
    struct checkpoint c;
    const char *note = json_text(m->list, "checkpoint");
    const char *end = strstr(note, "\n\n");

    if (!end || checkpoint_parse(&c, note, (size_t)(end + 1 - note)) != 0)
        return;
    buf_adds(out, ",\n\"root\":\"");
    buf_base64(out, c.tree.root, HASH_LEN);
    buf_addc(out, '"');
}

static void make_manifest(struct making *m)
{
    static const char *const totals[] = {"log_size",    "signatures", "confirmed",
                                         "submissions", "repeats",    "withdrawn"};
    struct small_file *file = new_file(m, "manifest.json");
    struct buf *out = &file->data;
    const cJSON *removed = json_member(m->figures, "removed"), *reason;

    buf_printf(out, "{\"format\":\"petition-bundle/v1\",\n\"delivery\":%" PRId64,
               m->b->delivery->id);
    buf_printf(out, ",\n\"addressee\":%" PRId64, json_number(m->addressee, "number"));
    add_member_text(out, "slug", json_text(m->addressee, "slug"));
    add_member_text(out, "date", json_text(m->figures, "date"));
    add_member_text(out, "origin", m->b->origin);
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        buf_printf(out, ",\n\"%s\":%" PRId64, totals[i], json_number(m->figures, totals[i]));
    buf_adds(out, ",\n\"removed\":{");
    cJSON_ArrayForEach(reason, removed)
        buf_printf(out, "%s\"%s\":%" PRId64, reason == removed->child ? "" : ",", reason->string,
                   (int64_t)reason->valuedouble);
    buf_addc(out, '}');
    add_root(m, out);
    add_member_text(out, "names", variants[m->variant].addressee);
    add_member_text(out, "zlib", compress_raw_version());
    buf_printf(out, ",\n\"files\":[%s\n]}\n", m->entries.data);
    sha256_of(m->manifest, out->data, out->len);
    sum_small_file(m, file);
}

static void make_sums(struct making *m)
{
    struct small_file *sums = new_file(m, "SHA256SUMS");
    char comment[160];

    buf_add(&sums->data, m->sums.data, m->sums.len);
    snprintf(comment, sizeof comment,
             "petition delivery %" PRId64 " addressee %02d date %s file SHA256SUMS",
             m->b->delivery->id, (int)json_number(m->addressee, "number"),
             json_text(m->figures, "date"));
    minisign_sign(m->b->minisign, &new_file(m, "SHA256SUMS.minisig")->data, sums->data.data,
                  sums->data.len, comment);
}

static void make_files(struct making *m, int position)
{
    char key[MINISIGN_PUBLIC_TEXT];
    struct letter_source s = {.content = m->b->content,
                              .figures = m->figures,
                              .organiser_name = m->b->organiser_name,
                              .organiser_contact = m->b->organiser_contact,
                              .origin = m->b->origin,
                              .base_url = m->b->base_url,
                              .minisign_key = key,
                              .position = position};

    minisign_public(m->b->minisign, key);
    make_words(m, &s);
    sum_annexes(m);
    make_manifest(m);
    make_sums(m);
}

static int write_bundle(struct making *m, const char *name, struct buf *why)
{
    struct archive_watch watch = {m->b->progress, m->b->progress_ctx};
    struct archive_source *spool = archive_source_open(m->b->dir, variants[m->variant].file, why);
    struct archive *zip;
    const cJSON *part;
    int result;

    if (!spool)
        return -1;
    zip = archive_new(m->b->dir, name, m->b->delivery->frozen_s);
    for (size_t i = 0; i < m->before; i++)
        archive_add(zip, m->files[i].name, &m->files[i].data);
    cJSON_ArrayForEach(part, m->parts) archive_copy(zip, json_text(part, "name"), spool);
    for (size_t i = m->before; i < m->count; i++)
        archive_add(zip, m->files[i].name, &m->files[i].data);
    result = archive_finish(zip, &watch, why);
    archive_source_close(spool);
    return result;
}

/* SHA-256 and size of the finished file. */
static int measure(const struct bundle_context *b, const char *name, struct bundle_row *row,
                   struct buf *why)
{
    char *path = files_join(b->dir, name);
    struct sha256 hash;
    uint8_t chunk[READ_CHUNK_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;

    free(path);
    row->bytes = 0;
    sha256_begin(&hash);
    while (fd >= 0 && (got = read(fd, chunk, sizeof chunk)) > 0) {
        sha256_add(&hash, chunk, (size_t)got);
        row->bytes += got;
    }
    if (got < 0)
        archive_explain(why, name, errno);
    sha256_end(&hash, row->sha256);
    if (fd >= 0)
        close(fd);
    return got < 0 ? -1 : 0;
}

static void release(struct making *m)
{
    for (size_t i = 0; i < m->count; i++)
        buf_release(&m->files[i].data);
    free(m->files);
    buf_release(&m->entries);
    buf_release(&m->sums);
    cJSON_Delete(m->figures);
    cJSON_Delete(m->list);
}

int bundle_build(const struct bundle_context *b, int position, struct bundle_row *row,
                 struct buf *why)
{
    const cJSON *addressee = addressee_at(b->content, position);
    struct making m = {.b = b, .addressee = addressee, .variant = variant_of(addressee)};
    struct buf name;
    int result = -1;

    buf_init(&name, 256);
    buf_init(&m.entries, SMALL_FILE_MAX);
    buf_init(&m.sums, SMALL_FILE_MAX);
    m.list = open_list(b, why);
    if (!m.list)
        goto out;
    m.parts = json_member(m.list, variants[m.variant].member);
    m.figures = cJSON_ParseWithLength(b->delivery->figures.data, b->delivery->figures.len);
    if (!m.figures || cJSON_GetArraySize(m.parts) == 0) {
        buf_adds(why, "the delivery's figures or its list of annexes cannot be read");
        goto out;
    }
    make_files(&m, position);
    bundle_file_name(&name, b->content, position);
    row->addressee = (int)json_number(m.addressee, "number");
    memcpy(row->manifest, m.manifest, HASH_LEN);
    if (write_bundle(&m, name.data, why) == 0)
        result = measure(b, name.data, row, why);
out:
    release(&m);
    buf_release(&name);
    return result;
}
