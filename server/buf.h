/*
 * buf: a growable byte buffer with a cap and a sticky error, and the encoders.
 *
 * Invariants: `data` is never NULL and data[len] is always 0, so a buffer of text can be used as a
 * C string; len never exceeds cap. When an append would pass the cap, or its input cannot be
 * encoded, nothing is appended, `failed` is set, and every later append does nothing. So code
 * appends twenty times and checks once, with buf_ok().
 *
 * Out of memory aborts: what comes from outside is capped before it gets here.
 */
#ifndef BUF_H
#define BUF_H

#include "banned.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUF_UNLIMITED SIZE_MAX

struct buf {
    char *data;   /* never NULL, NUL after the last byte; owned by the buffer */
    size_t len;   /* bytes in use, without the NUL */
    size_t alloc; /* bytes allocated; 0 while nothing is */
    size_t cap;   /* len never grows beyond this */
    bool failed;  /* sticky: an append was refused */
};

/* An empty buffer that may grow to `cap` bytes. Allocates nothing yet. */
void buf_init(struct buf *b, size_t cap);
/* Frees the storage; the buffer is then as after buf_init with the same cap. */
void buf_release(struct buf *b);
/* As buf_release, but overwrites the bytes first: for secrets. */
void buf_wipe(struct buf *b);
/* Forgets the content and the error, keeps the storage. */
void buf_clear(struct buf *b);
/* True if no append was refused since init or clear. */
bool buf_ok(const struct buf *b) __attribute__((warn_unused_result));
/* Hands the storage over to the caller, who frees it with free(); the buffer is empty again. */
char *buf_detach(struct buf *b, size_t *len);

void buf_add(struct buf *b, const void *data, size_t len);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
/* In decimal. */
void buf_int(struct buf *b, int64_t n);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text for HTML, valid between tags and in quoted attributes: & < > " ' are escaped. */
void buf_html(struct buf *b, const char *s);
/* A JSON string with its quotes. Escapes only \" \\ and, as RFC 8259 demands, control characters
 * (which no validated input has). The bytes must be UTF-8. */
void buf_json(struct buf *b, const char *s);
/* One CSV cell (RFC 4180), always quoted; a cell that a spreadsheet would take for a formula
 * gets an apostrophe in front. */
void buf_csv(struct buf *b, const char *s);
/* Lower-case hexadecimal. */
void buf_hex(struct buf *b, const uint8_t *data, size_t len);
/* RFC 4648 section 4, with padding. */
void buf_base64(struct buf *b, const uint8_t *data, size_t len);
/* RFC 4648 section 5, without padding: for URLs. */
void buf_base64url(struct buf *b, const uint8_t *data, size_t len);

/* Strict base64 of exactly out_len bytes; 0, or -1 if the text is anything else. */
int base64_decode(uint8_t *out, size_t out_len, const char *text)
    __attribute__((warn_unused_result));
/* Appends what strict base64 of any length stands for. 0, or -1 and nothing is appended. */
int buf_unbase64(struct buf *b, const char *text, size_t len) __attribute__((warn_unused_result));
/* Strict base64url without padding, at most out_cap bytes; sets *out_len. 0 or -1. */
int base64url_decode(uint8_t *out, size_t out_cap, size_t *out_len, const char *text)
    __attribute__((warn_unused_result));

/* Allocation that aborts instead of failing. Freed with free(). */
void *xcalloc(size_t count, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((returns_nonnull));

/* Reads a whole file of at most b->cap bytes into b. 0, or -1 with errno (EFBIG: too large). */
int buf_read_file(struct buf *b, const char *path) __attribute__((warn_unused_result));

#endif
