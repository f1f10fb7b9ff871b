/*
 * take: strict reading of text whose every byte is fixed by a format.
 *
 * Each call takes what it names off the front and moves on, or returns false; then the cursor is of
 * no more use. Pure, any thread.
 */
#ifndef TAKE_H
#define TAKE_H

#include "buf.h"

#define TAKE_NUMBER_MAX (INT64_C(1) << 53) /* what a JSON number holds exactly */

struct cursor {
    const char *at, *end; /* what is left to read */
};

bool take_literal(struct cursor *c, const char *literal);
/* 44 characters of base64, or 64 lower-case hexadecimal digits: 32 bytes. */
bool take_base64(struct cursor *c, uint8_t out[32]);
bool take_hex(struct cursor *c, uint8_t out[32]);
/* Decimal, without leading zeros, up to TAKE_NUMBER_MAX. */
bool take_number(struct cursor *c, int64_t *out);
/* One of the words, the longest match not being sought; its place in the list. */
bool take_word(struct cursor *c, const char *const *words, size_t count, size_t *which);
/* True if nothing is left. */
bool take_end(const struct cursor *c);

#endif
