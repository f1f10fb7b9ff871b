/*
 * bundle_check: a bundle against its own sums and against the log (see bundle_check.h). One thread.
 *
 * Always true: `files` has the lines of SHA256SUMS, whose signature holds. A member is hashed while
 * it is read, and lists are looked at in the same pass; so what was judged is what was summed.
 */
#include "bundle_check.h"

#include "archive_read.h"
#include "compress_raw.h"
#include "json.h"
#include "removed.h"
#include "removed_check.h"
#include "sha256.h"
#include "take.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SUMS          "SHA256SUMS"
#define SIGNATURE     "SHA256SUMS.minisig"
#define MANIFEST      "manifest.json"
#define ROWS          "signatures/"
#define SMALL_MAX     (16 * 1024 * 1024)
#define UNSUMMED      2 /* SHA256SUMS and its signature */
#define NAME_MAX_LEN  255
#define ADDRESSEE_MAX ENTRY_MANIFESTS

struct listed {
    char name[NAME_MAX_LEN + 1];
    uint8_t sha256[HASH_LEN];
    bool seen;
};

struct bundle_check {
    char *path;
    struct archive_reader *zip;
    struct bundle_facts facts;
    cJSON *manifest;
    struct listed *files;
    size_t count;
};

static const char *const total_names[BUNDLE__TOTALS] = {"log_size",    "signatures", "confirmed",
                                                        "submissions", "repeats",    "withdrawn"};

const struct bundle_facts *bundle_check_facts(const struct bundle_check *b)
{
    return &b->facts;
}

void bundle_check_close(struct bundle_check *b)
{
    if (!b)
        return;
    archive_reader_close(b->zip);
    free(b->path);
    cJSON_Delete(b->manifest);
    buf_release(&b->facts.checkpoint);
    free(b->files);
    free(b);
}

static int fail(struct buf *why, const char *sentence)
{
    buf_adds(why, sentence);
    return -1;
}

static int get(struct bundle_check *b, const char *name, struct buf *out, struct buf *why)
{
    int result;

    buf_init(out, SMALL_MAX);
    result = archive_reader_get(b->zip, name, out, why);
    if (result == 1)
        buf_printf(why, "%s is missing", name);
    return result == 0 ? 0 : -1;
}

/* ---- sums and their signature */

static size_t count_lines(const struct buf *text)
{
    size_t lines = 0;

    for (size_t i = 0; i < text->len; i++)
        lines += text->data[i] == '\n';
    return lines;
}

static bool take_sum(struct cursor *c, struct listed *file)
{
    const char *newline;
    size_t len;

    if (!take_hex(c, file->sha256) || !take_literal(c, "  "))
        return false;
    newline = memchr(c->at, '\n', (size_t)(c->end - c->at));
    len = newline ? (size_t)(newline - c->at) : 0;
    if (len == 0 || len > NAME_MAX_LEN || memchr(c->at, '\0', len))
        return false;
    memcpy(file->name, c->at, len);
    c->at = newline + 1;
    return true;
}

static int read_sums(struct bundle_check *b, const struct buf *sums, struct buf *why)
{
    struct cursor c = {sums->data, sums->data + sums->len};

    b->count = count_lines(sums);
    b->files = xcalloc(b->count + 1, sizeof *b->files);
    for (size_t i = 0; i < b->count; i++)
        if (!take_sum(&c, &b->files[i]))
            return fail(why, SUMS " is not a list of sums");
    return take_end(&c) ? 0 : fail(why, SUMS " is not a list of sums");
}

/* The key that README.txt names. */
static int find_key(struct bundle_check *b, struct buf *why)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum { KEY_CHARS = 56, KEY_BYTES = 42 };
    uint8_t key[KEY_BYTES];
    struct buf readme;
    int result = get(b, "README.txt", &readme, why);
    const char *at = result == 0 ? readme.data : "";

    while (result == 0 && (at = strstr(at, "RW"))) {
        if (strspn(at, alphabet) == KEY_CHARS) {
            memcpy(b->facts.minisign_key, at, KEY_CHARS);
            if (base64_decode(key, sizeof key, b->facts.minisign_key) == 0)
                break;
        }
        at++;
    }
    if (result == 0 && !at)
        result = fail(why, "README.txt names no minisign key: give --minisign");
    buf_release(&readme);
    return result;
}

static int check_signature(struct bundle_check *b, const struct buf *sums, struct buf *why)
{
    const struct bundle_facts *f = &b->facts;
    struct buf signature, comment, expected;
    const char *wrong = NULL;
    int result = get(b, SIGNATURE, &signature, why);

    buf_init(&comment, MINISIGN_FILE_MAX);
    buf_init(&expected, MINISIGN_FILE_MAX);
    buf_printf(&expected,
               "petition delivery %" PRId64 " addressee %02" PRId64 " date %s file " SUMS,
               f->delivery, f->addressee, f->date);
    if (result == 0)
        wrong = minisign_verify(f->minisign_key, &signature, sums, &comment);
    if (result == 0 && !wrong && strcmp(comment.data, expected.data) != 0)
        wrong = "is a signature for another bundle";
    if (wrong) {
        buf_printf(why, SIGNATURE ": %s", wrong);
        result = -1;
    }
    buf_release(&signature);
    buf_release(&comment);
    buf_release(&expected);
    return result;
}

/* ---- the manifest */

static bool fill_facts(struct bundle_check *b)
{
    const cJSON *m = b->manifest, *removed = json_member(m, "removed");
    const char *root = json_text(m, "root"), *names = json_text(m, "names");
    struct bundle_facts *f = &b->facts;
    struct cursor c = {root, root + strlen(root)};

    f->delivery = json_number(m, "delivery");
    f->addressee = json_number(m, "addressee");
    for (int i = 0; i < BUNDLE__TOTALS; i++)
        f->totals[i] = json_number(m, total_names[i]);
    for (int why = 0; why < VOID__MAX; why++)
        f->removed[why] = json_number(removed, void_why_names[why]);
    snprintf(f->origin, sizeof f->origin, "%s", json_text(m, "origin"));
    snprintf(f->date, sizeof f->date, "%s", json_text(m, "date"));
    f->names = strcmp(names, "with-consent") == 0;
    f->has_root = *root != '\0';
    if (f->has_root && base64_decode(f->root, HASH_LEN, root) != 0 &&
        !(take_hex(&c, f->root) && take_end(&c)))
        return false;
    return strcmp(json_text(m, "format"), "petition-bundle/v1") == 0 && f->delivery > 0 &&
           f->addressee > 0 && f->addressee <= ADDRESSEE_MAX && f->totals[BUNDLE_LOG_SIZE] > 0 &&
           (f->names || strcmp(names, "never") == 0);
}

static int read_manifest(struct bundle_check *b, struct buf *why)
{
    struct buf text;
    int result = get(b, MANIFEST, &text, why);

    if (result == 0) {
        sha256_of(b->facts.manifest_hash, text.data, text.len);
        b->manifest = cJSON_ParseWithLength(text.data, text.len);
        if (!b->manifest || !fill_facts(b))
            result = fail(why, MANIFEST " is not a bundle's");
    }
    buf_release(&text);
    return result;
}

/* The manifest lists the files of SHA256SUMS in their order, but for itself. */
static int compare_lists(const struct bundle_check *b, struct buf *why)
{
    const cJSON *file = json_member(b->manifest, "files");
    char hex[2 * HASH_LEN + 1];

    file = file ? file->child : NULL;
    for (size_t i = 0; i < b->count; i++) {
        sodium_bin2hex(hex, sizeof hex, b->files[i].sha256, HASH_LEN);
        if (strcmp(b->files[i].name, MANIFEST) == 0)
            continue;
        if (!file || strcmp(json_text(file, "name"), b->files[i].name) != 0 ||
            strcmp(json_text(file, "sha256"), hex) != 0)
            return fail(why, MANIFEST " and " SUMS " do not list the same files");
        file = file->next;
    }
    return file ? fail(why, MANIFEST " lists more files than " SUMS) : 0;
}

/* ---- opening */

static int open_parts(struct bundle_check *b, const char *minisign_key, struct buf *why)
{
    struct buf sums;
    int result;

    if (minisign_key)
        snprintf(b->facts.minisign_key, sizeof b->facts.minisign_key, "%s", minisign_key);
    else if (find_key(b, why) != 0)
        return -1;
    b->facts.key_is_its_own = !minisign_key;
    if (read_manifest(b, why) != 0)
        return -1;
    result = get(b, SUMS, &sums, why);
    if (result == 0)
        result = read_sums(b, &sums, why);
    if (result == 0)
        result = check_signature(b, &sums, why);
    buf_release(&sums);
    if (result == 0)
        result = compare_lists(b, why);
    if (result == 0 && archive_reader_has(b->zip, "checkpoint"))
        result = archive_reader_get(b->zip, "checkpoint", &b->facts.checkpoint, why);
    return result;
}

struct bundle_check *bundle_check_open(const char *path, const char *minisign_key, struct buf *why)
{
    struct bundle_check *b = xcalloc(1, sizeof *b);
    const char *wrong = archive_reader_strict(path);

    b->path = xstrdup(path);
    buf_init(&b->facts.checkpoint, NOTE_MAX_BYTES);
    if (wrong)
        buf_adds(why, wrong);
    else
        b->zip = archive_reader_open(path, why);
    if (b->zip && open_parts(b, minisign_key, why) == 0)
        return b;
    bundle_check_close(b);
    return NULL;
}

/* ---- the members */

/* Those that are not only summed. */
enum member { MEMBER_OTHER, MEMBER_ROWS, MEMBER_REMOVED };

struct reading {
    struct bundle_check *check;
    struct row_check *rows;
    struct removed_check *removed;
    enum member member;
    struct sha256 hash;
    struct buf *why;
};

static enum member member_of(const char *name)
{
    if (strcmp(name, REMOVED_NAME) == 0)
        return MEMBER_REMOVED;
    return strncmp(name, ROWS, strlen(ROWS)) == 0 ? MEMBER_ROWS : MEMBER_OTHER;
}

static int take_bytes(void *ctx, const void *data, size_t len)
{
    struct reading *r = ctx;
    int result = 0;

    sha256_add(&r->hash, data, len);
    if (r->member == MEMBER_ROWS)
        result = row_check_add(r->rows, data, len, r->why);
    else if (r->member == MEMBER_REMOVED)
        result = removed_check_add(r->removed, data, len, r->why);
    return result != 0;
}

static struct listed *find_listed(struct bundle_check *b, const char *name)
{
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->files[i].name, name) == 0)
            return &b->files[i];
    return NULL;
}

static int read_member(struct reading *r, const char *name)
{
    struct listed *file = find_listed(r->check, name);
    uint8_t sha256[HASH_LEN];
    int result;

    if (!file || file->seen) {
        buf_printf(r->why, "%s is not in " SUMS, name);
        return -1;
    }
    file->seen = true;
    r->member = member_of(name);
    sha256_begin(&r->hash);
    row_check_begin(r->rows);
    result = archive_reader_stream(r->check->zip, name, take_bytes, r, r->why);
    if (result == 0 && r->member == MEMBER_ROWS)
        result = row_check_end(r->rows, r->why);
    if (result != 0)
        return -1;
    sha256_end(&r->hash, sha256);
    if (memcmp(sha256, file->sha256, HASH_LEN) == 0)
        return 0;
    buf_printf(r->why, "%s is not the file that was signed", name);
    return -1;
}

static int read_members(struct reading *r)
{
    struct bundle_check *b = r->check;
    size_t count = archive_reader_count(b->zip);

    for (size_t i = 0; i < count; i++) {
        const char *name = archive_reader_name(b->zip, i);

        if (!name)
            return fail(r->why, "a member has no name");
        if (strcmp(name, SUMS) != 0 && strcmp(name, SIGNATURE) != 0 && read_member(r, name) != 0)
            return -1;
    }
    if (count != b->count + UNSUMMED)
        return fail(r->why, "a file of " SUMS " is missing");
    return removed_check_end(r->removed, r->why);
}

/* What the sums cannot show: that the ZIP itself is the one that was made. */
static int check_packing(struct bundle_check *b, struct buf *why)
{
    const char *wrong = NULL;

    if (strcmp(json_text(b->manifest, "zlib"), compress_raw_version()) == 0)
        wrong = archive_reader_repack(b->zip, b->path, ROWS);
    return wrong ? fail(why, wrong) : 0;
}

/* ---- totals */

static int check_summary(struct bundle_check *b, struct buf *why)
{
    struct buf text;
    cJSON *summary = NULL;
    int result = get(b, "summary.json", &text, why);
    bool same = false;

    if (result == 0) {
        const cJSON *removed;

        summary = cJSON_ParseWithLength(text.data, text.len);
        removed = json_member(summary, "removed");
        same = json_number(summary, "delivery") == b->facts.delivery;
        for (int i = 0; i < BUNDLE__TOTALS; i++)
            same = same && json_number(summary, total_names[i]) == b->facts.totals[i];
        for (int i = 0; i < VOID__MAX; i++)
            same = same && json_number(removed, void_why_names[i]) == b->facts.removed[i];
    }
    if (result == 0 && !same)
        result = fail(why, "summary.json has other totals than " MANIFEST);
    cJSON_Delete(summary);
    buf_release(&text);
    return result;
}

static int check_totals(const struct bundle_facts *f, const struct reading *r, struct buf *why)
{
    const struct row_counts *rows = row_check_counts(r->rows);
    const int64_t *t = f->totals, *gone = removed_check_counts(r->removed);

    if (rows->rows != t[BUNDLE_SUBMISSIONS])
        return fail(why, "the lists have another number of rows than there are submissions");
    if (t[BUNDLE_SIGNATURES] + t[BUNDLE_REPEATS] != t[BUNDLE_SUBMISSIONS])
        return fail(why, "signatures and repeats do not add up to the submissions");
    if (t[BUNDLE_CONFIRMED] > t[BUNDLE_SIGNATURES] ||
        t[BUNDLE_CONFIRMED] > rows->tiers[TIER_CONFIRMED])
        return fail(why, "more signatures are said to be confirmed than there are");
    for (int i = 0; i < REMOVAL__KINDS; i++)
        if (gone[i] > (i == REMOVED_WD ? t[BUNDLE_WITHDRAWN] : f->removed[i]))
            return fail(why, REMOVED_NAME " names more than were withdrawn or removed");
    return 0;
}

/* ---- the log */

static int check_delivery(const struct bundle_facts *f, const struct audit *audit, struct buf *why)
{
    const struct audit_dlv *dlv = audit_dlv_of(audit, f->delivery);

    if (strcmp(f->origin, audit_origin(audit)) != 0)
        return fail(why, "is of another log");
    if (f->checkpoint.len == 0 || !f->has_root)
        return fail(why, "has no checkpoint or no root to compare with the log");
    if (!dlv)
        return fail(why, "its delivery is not in the log");
    if (dlv->size != f->totals[BUNDLE_LOG_SIZE])
        return fail(why, "its delivery froze at another size of the log");
    if (memcmp(dlv->manifests[f->addressee - 1], f->manifest_hash, HASH_LEN) != 0)
        return fail(why, "its manifest is not the one that the log has for this delivery");
    return 0;
}

static int check_counts(const struct bundle_facts *f, const struct audit *audit, struct buf *why)
{
    struct audit_counts counts;

    audit_count(audit, f->totals[BUNDLE_LOG_SIZE], &counts);
    if (counts.live != f->totals[BUNDLE_SUBMISSIONS])
        return fail(why, "its submissions are not as many as are live in the log");
    if (counts.removed[REMOVED_WD] != f->totals[BUNDLE_WITHDRAWN])
        return fail(why, "its number of withdrawals is not the log's");
    for (int i = 0; i < VOID__MAX; i++)
        if (counts.removed[i] != f->removed[i])
            return fail(why, "its number of removals is not the log's");
    return 0;
}

/* The size of the log at the delivery before; 0 for the first one, and without the log. */
static int64_t size_before(const struct bundle_facts *f, const struct audit *audit)
{
    const struct audit_dlv *dlv = audit ? audit_dlv_of(audit, f->delivery) : NULL;
    const struct audit_dlv *before = dlv ? audit_dlv_before(audit, dlv) : NULL;

    return before ? before->size : 0;
}

int bundle_check_run(struct bundle_check *b, const struct audit *audit, struct row_counts *counts,
                     struct buf *why)
{
    const int64_t size = b->facts.totals[BUNDLE_LOG_SIZE];
    const struct row_check_source rows = {audit, size, b->facts.names};
    const struct removed_check_source removed = {audit, size_before(&b->facts, audit), size};
    struct reading r = {.check = b, .why = why};
    int result = audit ? check_delivery(&b->facts, audit, why) : 0;

    r.rows = row_check_new(&rows);
    r.removed = removed_check_new(&removed);
    if (result == 0)
        result = read_members(&r);
    if (result == 0)
        result = check_summary(b, why);
    if (result == 0)
        result = check_totals(&b->facts, &r, why);
    if (result == 0 && audit)
        result = check_counts(&b->facts, audit, why);
    if (result == 0)
        result = check_packing(b, why);
    *counts = *row_check_counts(r.rows);
    row_check_free(r.rows);
    removed_check_free(r.removed);
    return result;
}
