/*
 * note: signed notes and the log's key (see note.h; https://c2sp.org/signed-note). Any thread may
 * sign and verify: an opened key is read-only memory. What a note says is left to the caller.
 */
#include "note.h"

#include "files.h"
#include "input.h"
#include "sha256.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#define TYPE_ED25519       0x01
#define SEED_BYTES         crypto_sign_SEEDBYTES
#define KEY_FILE_MAX_BYTES 1024
#define SIGNATURE_LINE     "\xe2\x80\x94 " /* em dash, space */
#define LINE_MAX_BYTES     8192            /* of what a signature line encodes: other types' too */

static const char prefix[] = "PRIVATE+KEY+";

struct note_key {
    struct note_verifier verifier;
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
};

_Static_assert(sizeof((struct note_verifier){0}.public_key) == crypto_sign_PUBLICKEYBYTES, "size");

bool note_is_name(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > NOTE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~' || strchr("+\"\\", name[i]))
            return false;
    return true;
}

/* ---- keys */

/* Fills in the key id. */
static void identify(struct note_verifier *v)
{
    uint8_t hash[SHA256_LEN];
    const uint8_t type[] = {'\n', TYPE_ED25519};
    struct sha256 state;

    sha256_begin(&state);
    sha256_add(&state, v->name, strlen(v->name));
    sha256_add(&state, type, sizeof type);
    sha256_add(&state, v->public_key, sizeof v->public_key);
    sha256_end(&state, hash);
    memcpy(v->id, hash, sizeof v->id);
}

/* `name+id+base64(type || 32 bytes)`, the form of both kinds of keys. */
static void print_key(struct buf *out, const struct note_verifier *v, const uint8_t bytes[32])
{
    uint8_t typed[1 + 32] = {TYPE_ED25519};

    memcpy(typed + 1, bytes, 32);
    buf_printf(out, "%s+", v->name);
    buf_hex(out, v->id, sizeof v->id);
    buf_addc(out, '+');
    buf_base64(out, typed, sizeof typed);
    sodium_memzero(typed, sizeof typed);
}

/* Splits that form: the name, the 32 bytes, and the id as text. */
static int split_key(const char *text, struct note_verifier *v, uint8_t bytes[32], char id[9])
{
    const char *id_at = strchr(text, '+'), *key_at = id_at ? strchr(id_at + 1, '+') : NULL;
    size_t name_len = id_at ? (size_t)(id_at - text) : 0;
    uint8_t typed[1 + 32];
    int result = -1;

    if (!key_at || name_len > NOTE_NAME_MAX || key_at - id_at != 9)
        return -1;
    memcpy(v->name, text, name_len);
    v->name[name_len] = '\0';
    memcpy(id, id_at + 1, 8);
    id[8] = '\0';
    if (note_is_name(v->name) && base64_decode(typed, sizeof typed, key_at + 1) == 0 &&
        typed[0] == TYPE_ED25519) {
        memcpy(bytes, typed + 1, 32);
        result = 0;
    }
    sodium_memzero(typed, sizeof typed);
    return result;
}

static bool has_id(const struct note_verifier *v, const char id[9])
{
    char own[9];

    sodium_bin2hex(own, sizeof own, v->id, sizeof v->id);
    return strcmp(own, id) == 0;
}

int note_key_create(const char *path, const char *name)
{
    uint8_t seed[SEED_BYTES], secret[crypto_sign_SECRETKEYBYTES];
    struct note_verifier v = {.name = ""};
    struct buf text;
    int result;

    assert(note_is_name(name));
    memcpy(v.name, name, strlen(name) + 1);
    randombytes_buf(seed, sizeof seed);
    crypto_sign_seed_keypair(v.public_key, secret, seed);
    identify(&v);
    buf_init(&text, KEY_FILE_MAX_BYTES);
    buf_adds(&text, prefix);
    print_key(&text, &v, seed);
    buf_addc(&text, '\n');
    result = files_create(path, text.data, text.len);
    buf_wipe(&text);
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret, sizeof secret);
    return result;
}

/* Reads what follows the prefix into the key. */
static int parse_key(struct note_key *key, const char *text)
{
    uint8_t seed[SEED_BYTES];
    char id[9];
    int result = split_key(text, &key->verifier, seed, id);

    if (result == 0) {
        crypto_sign_seed_keypair(key->verifier.public_key, key->secret, seed);
        identify(&key->verifier);
        result = has_id(&key->verifier, id) ? 0 : -1;
    }
    sodium_memzero(seed, sizeof seed);
    return result;
}

struct note_key *note_key_open(const char *path, const char **why)
{
    struct note_key *key = sodium_malloc(sizeof *key);
    struct buf text;
    int result = -1;

    if (!key)
        abort();
    buf_init(&text, KEY_FILE_MAX_BYTES);
    if (buf_read_file(&text, path) != 0) {
        *why = errno == ENOENT ? "is missing" : "cannot be read";
        goto out;
    }
    *why = "is not a log key";
    text.data[strcspn(text.data, "\r\n")] = '\0';
    if (strncmp(text.data, prefix, sizeof prefix - 1) == 0)
        result = parse_key(key, text.data + sizeof prefix - 1);
out:
    buf_wipe(&text);
    if (result != 0) {
        sodium_free(key);
        return NULL;
    }
    sodium_mprotect_readonly(key);
    return key;
}

void note_key_close(struct note_key *key)
{
    sodium_free(key);
}

int note_key_name(const char *path, char name[NOTE_NAME_MAX + 1], const char **why)
{
    struct note_key *key = note_key_open(path, why);

    if (!key)
        return -1;
    memcpy(name, key->verifier.name, sizeof key->verifier.name);
    note_key_close(key);
    return 0;
}

const struct note_verifier *note_key_verifier(const struct note_key *key)
{
    return &key->verifier;
}

void note_print_vkey(struct buf *out, const struct note_verifier *v)
{
    print_key(out, v, v->public_key);
}

int note_parse_vkey(struct note_verifier *out, const char *text)
{
    char id[9];

    if (split_key(text, out, out->public_key, id) != 0)
        return -1;
    identify(out);
    return has_id(out, id) ? 0 : -1;
}

/* ---- signing */

struct signature {
    uint8_t id[NOTE_KEY_ID_LEN];
    uint8_t bytes[crypto_sign_BYTES];
};

_Static_assert(sizeof(struct signature) == 68, "layout of a signature");

void note_sign(const struct note_key *key, struct buf *out, const char *text, size_t len)
{
    struct signature s;

    assert(len > 0 && text[len - 1] == '\n');
    memcpy(s.id, key->verifier.id, sizeof s.id);
    crypto_sign_detached(s.bytes, NULL, (const uint8_t *)text, len, key->secret);
    buf_add(out, text, len);
    buf_printf(out, "\n" SIGNATURE_LINE "%s ", key->verifier.name);
    buf_base64(out, (const uint8_t *)&s, sizeof s);
    buf_addc(out, '\n');
}

/* ---- verifying */

struct span {
    const char *at;
    size_t len;
};

static bool is_text(const char *note, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((uint8_t)note[i] < ' ' && note[i] != '\n')
            return false;
    return input_is_utf8(note, len);
}

/* The text's length: the note is split at its last empty line. 0: there is none. */
static size_t find_text(const char *note, size_t len)
{
    for (size_t i = len; i >= 2; i--)
        if (note[i - 1] == '\n' && note[i - 2] == '\n')
            return i - 1;
    return 0;
}

/* Whether it is that key's signature line: `— NAME BASE64`, without its newline. NOTE_UNSIGNED: it
 * is another key's. `bytes` is used for what it encodes. */
static enum note_result verify_line(const struct note_verifier *v, struct span text,
                                    struct span line, struct buf *bytes)
{
    static const size_t dash = sizeof SIGNATURE_LINE - 1;
    const char *name = line.at + dash, *space;
    size_t name_len;

    if (line.len < dash || memcmp(line.at, SIGNATURE_LINE, dash) != 0)
        return NOTE_MALFORMED;
    space = memchr(name, ' ', line.len - dash);
    name_len = space ? (size_t)(space - name) : 0;
    if (name_len == 0 || memchr(name, '+', name_len))
        return NOTE_MALFORMED;
    buf_clear(bytes);
    if (buf_unbase64(bytes, space + 1, line.len - dash - name_len - 1) != 0 ||
        bytes->len <= sizeof v->id)
        return NOTE_MALFORMED;
    if (name_len != strlen(v->name) || memcmp(name, v->name, name_len) != 0 ||
        memcmp(bytes->data, v->id, sizeof v->id) != 0)
        return NOTE_UNSIGNED;
    if (bytes->len != sizeof(struct signature) ||
        crypto_sign_verify_detached((const uint8_t *)bytes->data + sizeof v->id,
                                    (const uint8_t *)text.at, text.len, v->public_key) != 0)
        return NOTE_FORGED;
    return NOTE_OK;
}

/* The lines from `at` to the end of the note. */
static enum note_result verify_lines(const struct note_verifier *v, struct span text,
                                     const char *at, const char *end)
{
    enum note_result result = NOTE_UNSIGNED;
    struct buf bytes;

    buf_init(&bytes, LINE_MAX_BYTES);
    for (int lines = 0; at < end && result != NOTE_MALFORMED && result != NOTE_FORGED; lines++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        enum note_result one =
            lines < NOTE_LINES_MAX
                ? verify_line(v, text, (struct span){at, (size_t)(newline - at)}, &bytes)
                : NOTE_MALFORMED;

        if (one != NOTE_UNSIGNED)
            result = one;
        at = newline + 1;
    }
    buf_release(&bytes);
    return result;
}

enum note_result note_verify(const struct note_verifier *v, const char *note, size_t len,
                             size_t *text_len)
{
    if (len > NOTE_MAX_BYTES || len == 0 || note[len - 1] != '\n' || !is_text(note, len))
        return NOTE_MALFORMED;
    *text_len = find_text(note, len);
    if (*text_len == 0 || *text_len + 1 == len)
        return NOTE_MALFORMED;
    return verify_lines(v, (struct span){note, *text_len}, note + *text_len + 1, note + len);
}
