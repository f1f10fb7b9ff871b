/*
 * backup: the format of a backup file (see backup.h). Pure but for read(2); any thread, one at a
 * time. The stream's key lives only while a file begins; its state is wiped with the struct.
 */
#include "backup.h"

#include <assert.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES    65536
#define SEALED_CHUNK   (CHUNK_BYTES + crypto_secretstream_xchacha20poly1305_ABYTES)
#define KEY_BYTES      crypto_secretstream_xchacha20poly1305_KEYBYTES
#define BOX_BYTES      (KEY_BYTES + crypto_box_SEALBYTES)
#define HEADER_BYTES   crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define FORMAT         1
#define FIRST_LINE_LEN (sizeof first_line - 1)

static const char first_line[] = "petition-backup/v1\n";
static const char any_version[] = "petition-backup/v";

static const char foreign[] = "is not a backup of a petition";
static const char newer[] = "was made by a newer version of this program";
static const char wrong_key[] =
    "cannot be opened with this key: it was sealed to another one, or is damaged";
static const char cut_off[] = "is cut off or damaged: its end is missing";
static const char damaged[] = "is damaged: a part of it is not what was written";
static const char unreadable[] = "cannot be read";
static const char bad_manifest[] = "has no manifest that this program understands";

const char *const backup_member_names[BACKUP__MEMBERS] = {
    [BACKUP_DATABASE] = "petition.db",
    [BACKUP_LOG_KEY] = "log.key",
    [BACKUP_MINISIGN_KEY] = "minisign.key",
    [BACKUP_CONFIG] = "petition.conf",
};

/* ---- the manifest */

void backup_manifest_json(struct buf *out, const struct backup_manifest *m)
{
    const char *comma = "";
    struct tm utc;
    time_t at = m->at_s;
    char date[32];

    gmtime_r(&at, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    buf_printf(out, "{\"format\":%d,\"origin\":", FORMAT);
    buf_json(out, m->origin);
    buf_printf(out, ",\"size\":%" PRId64 ",\"version\":", m->size);
    buf_json(out, m->version);
    buf_printf(out, ",\"date\":\"%s\",\"members\":[", date);
    for (int i = 0; i < BACKUP__MEMBERS; i++) {
        if (!m->members[i].present)
            continue;
        buf_printf(out, "%s{\"name\":\"%s\",\"bytes\":%" PRIu64 ",\"sha256\":\"", comma,
                   backup_member_names[i], m->members[i].bytes);
        buf_hex(out, m->members[i].sha256, HASH_LEN);
        buf_adds(out, "\"}");
        comma = ",";
    }
    buf_adds(out, "]}\n");
}

/* A whole number that a double holds exactly; -1 if it is none. */
static int64_t number_of(const cJSON *object, const char *name)
{
    const cJSON *n = cJSON_GetObjectItemCaseSensitive(object, name);

    if (!cJSON_IsNumber(n) || n->valuedouble < 0 || n->valuedouble > 9e15)
        return -1;
    return (int64_t)n->valuedouble;
}

/* The text of a member if it is one of less than `cap` bytes, else NULL. */
static const char *text_of(const cJSON *object, const char *name, size_t cap)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, name));

    return text && strlen(text) < cap ? text : NULL;
}

static int parse_member(struct backup_manifest *m, const cJSON *json)
{
    const char *name = text_of(json, "name", BACKUP_NAME_MAX);
    const char *hex = text_of(json, "sha256", 2 * HASH_LEN + 1);
    int64_t bytes = number_of(json, "bytes");
    size_t len;

    for (int i = 0; name && hex && bytes >= 0 && i < BACKUP__MEMBERS; i++) {
        if (strcmp(backup_member_names[i], name) != 0)
            continue;
        if (m->members[i].present ||
            sodium_hex2bin(m->members[i].sha256, HASH_LEN, hex, strlen(hex), NULL, &len, NULL) !=
                0 ||
            len != HASH_LEN)
            return -1;
        m->members[i].present = true;
        m->members[i].bytes = (uint64_t)bytes;
        return 0;
    }
    return -1;
}

static int parse_members(struct backup_manifest *m, const cJSON *members)
{
    const cJSON *member;

    cJSON_ArrayForEach(member, members) if (parse_member(m, member) != 0) return -1;
    for (int i = 0; i < BACKUP__MEMBERS; i++)
        if (!m->members[i].present && i != BACKUP_CONFIG)
            return -1;
    return 0;
}

int backup_manifest_parse(struct backup_manifest *m, const char *json, const char **why)
{
    cJSON *top = cJSON_Parse(json);
    const char *origin = text_of(top, "origin", sizeof m->origin);
    const char *version = text_of(top, "version", sizeof m->version);
    const char *date = text_of(top, "date", 32), *end;
    int64_t format = number_of(top, "format");
    struct tm utc = {0};
    int result = -1;

    *m = (struct backup_manifest){.size = number_of(top, "size")};
    *why = format > FORMAT ? newer : bad_manifest;
    if (format != FORMAT || !origin || !version || !date || m->size < 1)
        goto out;
    memcpy(m->origin, origin, strlen(origin) + 1);
    memcpy(m->version, version, strlen(version) + 1);
    end = strptime(date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    m->at_s = timegm(&utc);
    if (end && !*end)
        result = parse_members(m, cJSON_GetObjectItemCaseSensitive(top, "members"));
out:
    cJSON_Delete(top);
    return result;
}

/* ---- writing */

struct backup_writer {
    backup_output *write;
    void *ctx;
    crypto_secretstream_xchacha20poly1305_state stream;
    uint64_t left; /* bytes of the member still to come */
    size_t len;    /* bytes of content that wait for their chunk */
    bool failed;
    uint8_t content[CHUNK_BYTES];
    uint8_t sealed[SEALED_CHUNK];
};

struct backup_writer *backup_writer_new(backup_output *write, void *ctx)
{
    struct backup_writer *w = xcalloc(1, sizeof *w);

    w->write = write;
    w->ctx = ctx;
    return w;
}

void backup_writer_free(struct backup_writer *w)
{
    sodium_memzero(w, sizeof *w);
    free(w);
}

static int put(struct backup_writer *w, const void *data, size_t len)
{
    if (!w->failed && w->write(w->ctx, data, len) != 0)
        w->failed = true;
    return w->failed ? -1 : 0;
}

int backup_begin(struct backup_writer *w, const uint8_t seal_key[SEAL_KEY_LEN])
{
    uint8_t key[KEY_BYTES], box[BOX_BYTES], header[HEADER_BYTES];

    crypto_secretstream_xchacha20poly1305_keygen(key);
    if (crypto_box_seal(box, key, sizeof key, seal_key) != 0 ||
        crypto_secretstream_xchacha20poly1305_init_push(&w->stream, header, key) != 0)
        w->failed = true;
    sodium_memzero(key, sizeof key);
    if (put(w, first_line, FIRST_LINE_LEN) != 0 || put(w, box, sizeof box) != 0)
        return -1;
    return put(w, header, sizeof header);
}

static int put_chunk(struct backup_writer *w, uint8_t tag)
{
    unsigned long long len;

    crypto_secretstream_xchacha20poly1305_push(&w->stream, w->sealed, &len, w->content, w->len,
                                               (const uint8_t *)first_line, FIRST_LINE_LEN, tag);
    w->len = 0;
    return put(w, w->sealed, (size_t)len);
}

/* A full chunk waits until there is more, as only then it is known not to be the last. */
static int add(struct backup_writer *w, const void *data, size_t len)
{
    const uint8_t *from = data;

    while (len > 0 && !w->failed) {
        size_t room = CHUNK_BYTES - w->len, part = len < room ? len : room;

        if (room == 0) {
            if (put_chunk(w, crypto_secretstream_xchacha20poly1305_TAG_MESSAGE) != 0)
                break;
            continue;
        }
        memcpy(w->content + w->len, from, part);
        w->len += part;
        from += part;
        len -= part;
    }
    return w->failed ? -1 : 0;
}

int backup_member(struct backup_writer *w, const char *name, uint64_t len)
{
    size_t name_len = strlen(name);
    uint8_t head[1] = {(uint8_t)name_len}, length[8];

    assert(w->left == 0 && name_len > 0 && name_len <= BACKUP_NAME_MAX);
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)(len >> (8 * i));
    w->left = len;
    if (add(w, head, sizeof head) != 0 || add(w, name, name_len) != 0)
        return -1;
    return add(w, length, sizeof length);
}

int backup_write(struct backup_writer *w, const void *data, size_t len)
{
    assert(len <= w->left);
    w->left -= len;
    return add(w, data, len);
}

int backup_finish(struct backup_writer *w)
{
    const uint8_t end[1] = {0};

    assert(w->failed || w->left == 0);
    if (add(w, end, sizeof end) != 0)
        return -1;
    return put_chunk(w, crypto_secretstream_xchacha20poly1305_TAG_FINAL);
}

/* ---- reading */

struct backup_reader {
    int fd;
    crypto_secretstream_xchacha20poly1305_state stream;
    uint64_t left;  /* bytes of the member not read yet */
    size_t at, len; /* what of the chunk is not read yet: at <= i < len */
    bool final;     /* the chunk is the last */
    uint8_t content[CHUNK_BYTES];
    uint8_t sealed[SEALED_CHUNK];
};

static int fail(const char **why, const char *reason)
{
    *why = reason;
    return -1;
}

/* Reads until `len` bytes are there or the file ends. */
static ssize_t read_up_to(int fd, void *data, size_t len)
{
    size_t have = 0;

    while (have < len) {
        ssize_t got = read(fd, (char *)data + have, len - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    return (ssize_t)have;
}

/* The first line, the key and the stream's header. */
static int read_head(struct backup_reader *r, const uint8_t secret[SEAL_KEY_LEN], const char **why)
{
    uint8_t head[FIRST_LINE_LEN + BOX_BYTES + HEADER_BYTES];
    uint8_t public_key[SEAL_KEY_LEN], key[KEY_BYTES];
    ssize_t got = read_up_to(r->fd, head, sizeof head);
    int result = -1;

    if (got < 0)
        return fail(why, unreadable);
    if ((size_t)got < FIRST_LINE_LEN || memcmp(head, any_version, sizeof any_version - 1) != 0)
        return fail(why, foreign);
    if (memcmp(head, first_line, FIRST_LINE_LEN) != 0)
        return fail(why, newer);
    if ((size_t)got < sizeof head)
        return fail(why, cut_off);
    if (seal_public_key(public_key, secret) != 0 ||
        crypto_box_seal_open(key, head + FIRST_LINE_LEN, BOX_BYTES, public_key, secret) != 0)
        *why = wrong_key;
    else if (crypto_secretstream_xchacha20poly1305_init_pull(&r->stream,
                                                             head + FIRST_LINE_LEN + BOX_BYTES,
                                                             key) != 0)
        *why = damaged;
    else
        result = 0;
    sodium_memzero(key, sizeof key);
    return result;
}

struct backup_reader *backup_reader_new(int fd, const uint8_t secret[SEAL_KEY_LEN],
                                        const char **why)
{
    struct backup_reader *r = xcalloc(1, sizeof *r);

    r->fd = fd;
    if (read_head(r, secret, why) == 0)
        return r;
    backup_reader_free(r);
    return NULL;
}

void backup_reader_free(struct backup_reader *r)
{
    sodium_memzero(r, sizeof *r);
    free(r);
}

/* Opens the next chunk. */
static int next_chunk(struct backup_reader *r, const char **why)
{
    unsigned long long len;
    uint8_t tag, more;
    ssize_t got;

    if (r->final)
        return fail(why, damaged);
    got = read_up_to(r->fd, r->sealed, sizeof r->sealed);
    if (got < 0)
        return fail(why, unreadable);
    if ((size_t)got < crypto_secretstream_xchacha20poly1305_ABYTES)
        return fail(why, cut_off);
    if (crypto_secretstream_xchacha20poly1305_pull(&r->stream, r->content, &len, &tag, r->sealed,
                                                   (unsigned long long)got,
                                                   (const uint8_t *)first_line,
                                                   FIRST_LINE_LEN) != 0)
        return fail(why, (size_t)got < sizeof r->sealed ? cut_off : damaged);
    r->final = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    r->at = 0;
    r->len = (size_t)len;
    if (!r->final)
        return len == CHUNK_BYTES ? 0 : fail(why, damaged);
    return read_up_to(r->fd, &more, 1) == 0 ? 0 : fail(why, damaged);
}

/* Takes up to `cap` bytes of content, at least one. */
static ssize_t take(struct backup_reader *r, void *data, size_t cap, const char **why)
{
    size_t part;

    if (r->at == r->len && next_chunk(r, why) != 0)
        return -1;
    part = r->len - r->at < cap ? r->len - r->at : cap;
    if (part == 0)
        return fail(why, damaged);
    memcpy(data, r->content + r->at, part);
    r->at += part;
    return (ssize_t)part;
}

static int take_all(struct backup_reader *r, void *data, size_t len, const char **why)
{
    for (size_t have = 0; have < len;) {
        ssize_t got = take(r, (char *)data + have, len - have, why);

        if (got < 0)
            return -1;
        have += (size_t)got;
    }
    return 0;
}

int backup_next(struct backup_reader *r, char name[BACKUP_NAME_MAX + 1], uint64_t *len,
                const char **why)
{
    uint8_t name_len, length[8];

    assert(r->left == 0);
    if (take_all(r, &name_len, 1, why) != 0)
        return -1;
    if (name_len == 0)
        return r->final && r->at == r->len ? 0 : fail(why, damaged);
    if (take_all(r, name, name_len, why) != 0 || take_all(r, length, sizeof length, why) != 0)
        return -1;
    name[name_len] = '\0';
    *len = 0;
    for (int i = 7; i >= 0; i--)
        *len = *len << 8 | length[i];
    r->left = *len;
    return 1;
}

ssize_t backup_read(struct backup_reader *r, void *data, size_t cap, const char **why)
{
    ssize_t got;

    if (r->left == 0)
        return 0;
    got = take(r, data, r->left < cap ? (size_t)r->left : cap, why);
    if (got > 0)
        r->left -= (uint64_t)got;
    return got;
}
