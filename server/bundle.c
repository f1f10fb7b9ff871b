/*
 * bundle: the 19 ZIPs, made from the spool (see bundle.h).
 *
 * Runs on the threads that build. Always true: a bundle is made of nothing but the spool, the
 * delivery's row, the keys and the public content. Small files are made in memory, annexes copied
 * as compressed.
 *
 * The words are letter's, the rows annex's, the ZIP format archive's. Who may ask for a delivery,
 * and when one is made, is left to delivery.
 */
#include "bundle_internal.h"

#include "archive.h"
#include "archive_read.h"
#include "checkpoint.h"
#include "compress_raw.h"
#include "files.h"
#include "json.h"
#include "letter.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST          "manifest.json"
#define MANIFEST_FORMAT   "petition-bundle/v1"
#define SMALL_FILE_MAX    (4 * 1024 * 1024)
#define OTHER_FILES       7 /* README, two summaries, checkpoint, manifest, sums, signature */
#define HEX_MAX           (2 * HASH_LEN + 1)
#define FILE_NAME_MAX     48
#define READ_CHUNK_BYTES  65536
#define SMALL_FILES_BYTES (1024 * 1024) /* of a bundle: letters, summaries, manifest */

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

int bundle_file_addressee(const char *name)
{
    size_t len = strlen(name), slug = strlen("NN-"), end = strlen(".zip");

    if (len <= slug + end || strspn(name, "0123456789") != 2 || name[2] != '-' ||
        strcmp(name + len - end, ".zip") != 0)
        return 0;
    return 10 * (name[0] - '0') + (name[1] - '0');
}

bool bundle_is_nameless(const char *path, int64_t delivery, int addressee)
{
    struct archive_reader *zip;
    struct buf text, why;
    cJSON *manifest = NULL;
    bool nameless;

    buf_init(&text, SMALL_FILE_MAX);
    buf_init(&why, BUF_UNLIMITED);
    zip = archive_reader_open(path, &why);
    if (zip && archive_reader_get(zip, MANIFEST, &text, &why) == 0)
        manifest = cJSON_ParseWithLength(text.data, text.len);
    nameless = strcmp(json_text(manifest, "format"), MANIFEST_FORMAT) == 0 &&
               json_number(manifest, "delivery") == delivery &&
               json_number(manifest, "addressee") == addressee &&
               strcmp(json_text(manifest, "names"), bundle_variants[VARIANT_PLAIN].addressee) == 0;
    cJSON_Delete(manifest);
    archive_reader_close(zip);
    buf_release(&text);
    buf_release(&why);
    return nameless;
}

/* ---- space */

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
    return strcmp(json_text(addressee, "names"), bundle_variants[VARIANT_NAMES].addressee) == 0
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
            need += file_bytes(b, bundle_variants[variant_of(addressee_at(b->content, i))].file) +
                    SMALL_FILES_BYTES;
    }
    buf_release(&name);
    return bundle_need_space(b, need, why);
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

/* ---- a bundle */

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
    struct small_file *file = new_file(m, MANIFEST);
    struct buf *out = &file->data;
    const cJSON *removed = json_member(m->figures, "removed"), *reason;

    buf_printf(out, "{\"format\":\"" MANIFEST_FORMAT "\",\n\"delivery\":%" PRId64,
               m->b->delivery->id);
    buf_printf(out, ",\n\"addressee\":%" PRId64, json_number(m->addressee, "number"));
    bundle_add_text(out, "slug", json_text(m->addressee, "slug"));
    bundle_add_text(out, "date", json_text(m->figures, "date"));
    bundle_add_text(out, "origin", m->b->origin);
    for (size_t i = 0; i < sizeof totals / sizeof *totals; i++)
        buf_printf(out, ",\n\"%s\":%" PRId64, totals[i], json_number(m->figures, totals[i]));
    buf_adds(out, ",\n\"removed\":{");
    cJSON_ArrayForEach(reason, removed)
        buf_printf(out, "%s\"%s\":%" PRId64, reason == removed->child ? "" : ",", reason->string,
                   (int64_t)reason->valuedouble);
    buf_addc(out, '}');
    add_root(m, out);
    bundle_add_text(out, "names", bundle_variants[m->variant].addressee);
    bundle_add_text(out, "zlib", compress_raw_version());
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
    struct archive_source *spool =
        archive_source_open(m->b->dir, bundle_variants[m->variant].file, why);
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
    m.parts = json_member(m.list, bundle_variants[m.variant].member);
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
