/*
 * sha256: SHA-256 by Nettle (see sha256.h), which libmicrohttpd brings along with GnuTLS.
 * libsodium's is portable C. Pure; any thread.
 */
#include "sha256.h"

#include <nettle/sha2.h>
#include <sodium.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct sha256), "Nettle's state has its room");
_Static_assert(SHA256_DIGEST_SIZE == SHA256_LEN, "a hash is a hash");

static struct sha256_ctx *context(struct sha256 *s)
{
    return (struct sha256_ctx *)(void *)s->state;
}

void sha256_begin(struct sha256 *s)
{
    sha256_init(context(s));
}

void sha256_add(struct sha256 *s, const void *data, size_t len)
{
    sha256_update(context(s), len, data);
}

void sha256_end(struct sha256 *s, uint8_t hash[SHA256_LEN])
{
    sha256_digest(context(s), SHA256_LEN, hash);
    sodium_memzero(s, sizeof *s);
}

void sha256_of(uint8_t hash[SHA256_LEN], const void *data, size_t len)
{
    struct sha256 s;

    sha256_begin(&s);
    sha256_add(&s, data, len);
    sha256_end(&s, hash);
}
