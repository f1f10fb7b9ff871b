/*
 * take: literals, hashes and numbers off the front of a text (see take.h). There is no state.
 */
#include "take.h"

#include <sodium.h>
#include <string.h>

#define HASH_BYTES   32
#define BASE64_CHARS 44

static size_t left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

bool take_literal(struct cursor *c, const char *literal)
{
    size_t len = strlen(literal);

    if (left(c) < len || memcmp(c->at, literal, len) != 0)
        return false;
    c->at += len;
    return true;
}

bool take_base64(struct cursor *c, uint8_t out[32])
{
    char text[BASE64_CHARS + 1] = "";

    if (left(c) < BASE64_CHARS)
        return false;
    memcpy(text, c->at, BASE64_CHARS);
    c->at += BASE64_CHARS;
    return base64_decode(out, HASH_BYTES, text) == 0;
}

bool take_hex(struct cursor *c, uint8_t out[32])
{
    char text[2 * HASH_BYTES + 1] = "";

    if (left(c) < 2 * HASH_BYTES)
        return false;
    memcpy(text, c->at, 2 * HASH_BYTES);
    c->at += 2 * HASH_BYTES;
    return strspn(text, "0123456789abcdef") == 2 * HASH_BYTES &&
           sodium_hex2bin(out, HASH_BYTES, text, 2 * HASH_BYTES, NULL, NULL, NULL) == 0;
}

bool take_number(struct cursor *c, int64_t *out)
{
    const char *first = c->at;
    int64_t n = 0;

    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        n = 10 * n + (*c->at++ - '0');
        if (n > TAKE_NUMBER_MAX)
            return false;
    }
    *out = n;
    return c->at > first && (*first != '0' || c->at == first + 1);
}

bool take_word(struct cursor *c, const char *const *words, size_t count, size_t *which)
{
    for (*which = 0; *which < count; ++*which)
        if (take_literal(c, words[*which]))
            return true;
    return false;
}

bool take_end(const struct cursor *c)
{
    return c->at == c->end;
}
