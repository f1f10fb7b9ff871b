/*
 * buf: the growable buffer and the encoders (see buf.h).
 *
 * Any thread may use it; a buffer belongs to one thread at a time. Growth doubles. An empty
 * buffer points at a shared constant byte, which is never written: every write goes through
 * reserve(), which allocates first.
 */
#include "buf.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_ALLOC_BYTES 256

static char empty_text[1] = "";

void buf_init(struct buf *b, size_t cap)
{
    *b = (struct buf){.data = empty_text, .cap = cap};
}

void buf_release(struct buf *b)
{
    if (b->alloc > 0)
        free(b->data);
    buf_init(b, b->cap);
}

void buf_wipe(struct buf *b)
{
    if (b->alloc > 0)
        sodium_memzero(b->data, b->alloc);
    buf_release(b);
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->alloc > 0)
        b->data[0] = '\0';
}

bool buf_ok(const struct buf *b)
{
    return !b->failed;
}

char *buf_detach(struct buf *b, size_t *len)
{
    char *data = b->alloc > 0 ? b->data : xstrdup("");

    if (len)
        *len = b->len;
    b->alloc = 0;
    buf_init(b, b->cap);
    return data;
}

/* Makes room for `more` bytes and the NUL; false, and the sticky error, if that passes the cap. */
static bool reserve(struct buf *b, size_t more)
{
    size_t need, alloc;
    char *grown;

    if (b->failed || more > b->cap - b->len) {
        b->failed = true;
        return false;
    }
    need = b->len + more + 1;
    if (need <= b->alloc)
        return true;
    alloc = b->alloc ? b->alloc : FIRST_ALLOC_BYTES;
    while (alloc < need)
        alloc *= 2;
    grown = malloc(alloc);
    if (!grown)
        abort();
    memcpy(grown, b->data, b->len + 1);
    if (b->alloc > 0) {
        sodium_memzero(b->data, b->alloc); /* realloc would leave a copy of what may be secret */
        free(b->data);
    }
    b->data = grown;
    b->alloc = alloc;
    return true;
}

/* Counts `len` bytes just written behind the end as part of the buffer. */
static void extend(struct buf *b, size_t len)
{
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_add(struct buf *b, const void *data, size_t len)
{
    if (len == 0 || !reserve(b, len))
        return;
    memcpy(b->data + b->len, data, len);
    extend(b, len);
}

void buf_adds(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_int(struct buf *b, int64_t n)
{
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    char digits[20], *at = digits + sizeof digits;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (n < 0)
        buf_addc(b, '-');
    buf_add(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_printf(struct buf *b, const char *format, ...)
{
    size_t room = b->alloc > 0 ? b->alloc - b->len : 0;
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(room > 0 ? b->data + b->len : NULL, room, format, args);
    va_end(args);
    if (len < 0 || !reserve(b, (size_t)len)) {
        b->failed = true;
        if (room > 0)
            b->data[b->len] = '\0';
        return;
    }
    if ((size_t)len >= room) {
        va_start(args, format);
        vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
        va_end(args);
    }
    extend(b, (size_t)len);
}

static const char *html_entity(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void buf_html(struct buf *b, const char *s)
{
    while (*s) {
        size_t plain = strcspn(s, "&<>\"'");

        buf_add(b, s, plain);
        s += plain;
        if (*s)
            buf_adds(b, html_entity(*s++));
    }
}

/* Length of what needs no escape. */
static size_t plain_json(const char *s)
{
    const char *from = s;

    while ((unsigned char)*s >= 0x20 && *s != '"' && *s != '\\')
        s++;
    return (size_t)(s - from);
}

void buf_json(struct buf *b, const char *s)
{
    buf_addc(b, '"');
    while (*s) {
        size_t plain = plain_json(s);

        buf_add(b, s, plain);
        s += plain;
        if ((unsigned char)*s >= 0x20)
            buf_add(b, (const char[]){'\\', *s++}, 2);
        else if (*s)
            buf_printf(b, "\\u%04x", (unsigned)*s++);
    }
    buf_addc(b, '"');
}

/* True if a spreadsheet may read the cell as a formula: ASCII and full-width = + - @, and the
 * white space that some programs skip before looking. */
static bool looks_like_formula(const char *s)
{
    static const char *const starts[] = {"=",  "+",  "-",  "@",  "\t", "\r",
                                         "\n", "＝", "＋", "－", "＠"};

    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (strncmp(s, starts[i], strlen(starts[i])) == 0)
            return true;
    return false;
}

void buf_csv(struct buf *b, const char *s)
{
    buf_addc(b, '"');
    if (looks_like_formula(s))
        buf_addc(b, '\'');
    for (; *s; s++) {
        if (*s == '"')
            buf_addc(b, '"');
        buf_addc(b, *s);
    }
    buf_addc(b, '"');
}

void buf_hex(struct buf *b, const uint8_t *data, size_t len)
{
    if (!reserve(b, 2 * len))
        return;
    sodium_bin2hex(b->data + b->len, 2 * len + 1, data, len);
    extend(b, 2 * len);
}

/* Leaves the last `padding` characters out. */
static void add_base64(struct buf *b, struct base64_encode_ctx *encoder, const uint8_t *data,
                       size_t len, size_t padding)
{
    char last[BASE64_ENCODE_FINAL_LENGTH];
    size_t written;

    if (!reserve(b, BASE64_ENCODE_RAW_LENGTH(len) - padding))
        return;
    written = base64_encode_update(encoder, b->data + b->len, len, data);
    extend(b, written);
    written = base64_encode_final(encoder, last);
    if (written > padding)
        buf_add(b, last, written - padding);
}

void buf_base64(struct buf *b, const uint8_t *data, size_t len)
{
    struct base64_encode_ctx encoder;

    base64_encode_init(&encoder);
    add_base64(b, &encoder, data, len, 0);
}

void buf_base64url(struct buf *b, const uint8_t *data, size_t len)
{
    struct base64_encode_ctx encoder;

    base64url_encode_init(&encoder);
    add_base64(b, &encoder, data, len, (3 - len % 3) % 3);
}

/* libsodium 1.0.18 takes every byte above 0x7f for the last digit of the alphabet. */
static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80)
            return false;
    return true;
}

int buf_unbase64(struct buf *b, const char *text, size_t len)
{
    size_t got, room = len / 4 * 3;

    if (!is_ascii(text, len) || !reserve(b, room))
        return -1;
    if (sodium_base642bin((unsigned char *)b->data + b->len, room, text, len, NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0) {
        b->data[b->len] = '\0';
        return -1;
    }
    extend(b, got);
    return 0;
}

int base64_decode(uint8_t *out, size_t out_len, const char *text)
{
    size_t got;

    if (!is_ascii(text, strlen(text)) ||
        sodium_base642bin(out, out_len, text, strlen(text), NULL, &got, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return -1;
    return got == out_len ? 0 : -1;
}

int base64url_decode(uint8_t *out, size_t out_cap, size_t *out_len, const char *text)
{
    if (!is_ascii(text, strlen(text)))
        return -1;
    return sodium_base642bin(out, out_cap, text, strlen(text), NULL, out_len, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        abort();
    return p;
}

char *xstrdup(const char *s)
{
    char *copy = strdup(s);

    if (!copy)
        abort();
    return copy;
}

int buf_read_file(struct buf *b, const char *path)
{
    char chunk[65536];
    ssize_t got;
    int saved, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -1;
    while ((got = read(fd, chunk, sizeof chunk)) > 0)
        buf_add(b, chunk, (size_t)got);
    saved = got < 0 ? errno : buf_ok(b) ? 0 : EFBIG;
    close(fd);
    sodium_memzero(chunk, sizeof chunk);
    errno = saved;
    return saved ? -1 : 0;
}
