/*
 * random: blocks of random bytes (see random.h). Any thread; a block belongs to one.
 */
#include "random.h"

#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#define BLOCK_BYTES 1024
#define SHORT_BYTES 128 /* more is drawn by itself */

static _Thread_local struct {
    uint8_t bytes[BLOCK_BYTES];
    size_t left; /* at the end */
} block;

static const char *name(void)
{
    return "petition";
}

static void draw(void *const out, const size_t len)
{
    uint8_t *at;

    if (len > SHORT_BYTES) {
        randombytes_internal_implementation.buf(out, len);
        return;
    }
    if (block.left < len) {
        randombytes_internal_implementation.buf(block.bytes, BLOCK_BYTES);
        block.left = BLOCK_BYTES;
    }
    at = block.bytes + BLOCK_BYTES - block.left;
    memcpy(out, at, len);
    sodium_memzero(at, len);
    block.left -= len;
}

static uint32_t draw_number(void)
{
    uint32_t n;

    draw(&n, sizeof n);
    return n;
}

static void forget_block(void)
{
    sodium_memzero(&block, sizeof block);
}

static void stir(void)
{
    forget_block();
    randombytes_internal_implementation.stir();
}

static int end(void)
{
    forget_block();
    return randombytes_internal_implementation.close();
}

static struct randombytes_implementation implementation = {
    .implementation_name = name, .random = draw_number, .stir = stir, .buf = draw, .close = end};

void random_install(void)
{
    (void)pthread_atfork(NULL, NULL, forget_block);
    randombytes_set_implementation(&implementation);
}
