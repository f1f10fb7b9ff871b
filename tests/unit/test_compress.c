/*
 * test_compress: what is compressed is smaller, or nothing; gzip unpacks to the same bytes. That a
 * brotli decoder gets them back is shown where there is one, in tests/http/.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "compress.h"
#include "support.h"

#include <sodium.h>
#include <stdlib.h>
#include <zlib.h>

static struct buf plain, packed;

static int open_buffers(void **state)
{
    (void)state;
    buf_init(&plain, BUF_UNLIMITED);
    buf_init(&packed, BUF_UNLIMITED);
    return 0;
}

static int close_buffers(void **state)
{
    (void)state;
    buf_release(&plain);
    buf_release(&packed);
    return 0;
}

/* Unpacks what stands in `packed` from `from` on and compares it with `plain`. */
static void assert_unpacks(size_t from)
{
    uint8_t *out = xcalloc(1, plain.len + 1);
    z_stream z = {.avail_in = (uInt)(packed.len - from),
                  .next_in = (Bytef *)packed.data + from,
                  .avail_out = (uInt)plain.len + 1,
                  .next_out = out};

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK); /* gzip and nothing else */
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.total_out, plain.len);
    assert_int_equal(z.avail_in, 0);
    assert_memory_equal(out, plain.data, plain.len);
    inflateEnd(&z);
    free(out);
}

static void add_page(int lines)
{
    for (int i = 0; i < lines; i++)
        buf_printf(&plain, "<li class=\"addressee\">%d ជូនចំពោះ Excellency &amp; others</li>\n",
                   i * i);
}

static void a_page_becomes_much_smaller(void **state)
{
    (void)state;
    add_page(500);
    compress_gzip(&packed, &plain);
    assert_in_range(packed.len, 1, plain.len / 4);
    buf_clear(&packed);
    compress_brotli(&packed, &plain);
    assert_in_range(packed.len, 1, plain.len / 4);
}

static void gzip_unpacks_to_the_same_bytes(void **state)
{
    (void)state;
    for (int lines = 1; lines < 20000; lines *= 5) {
        buf_clear(&plain);
        buf_clear(&packed);
        add_page(lines);
        buf_adds(&packed, "before");
        compress_gzip(&packed, &plain);
        if (packed.len > 6)
            assert_unpacks(6);
        assert_true(lines == 1 || packed.len > 6);
    }
}

static void nothing_is_appended_if_it_would_not_be_smaller(void **state)
{
    uint8_t noise[3000];

    (void)state;
    buf_adds(&packed, "before");
    for (size_t len = 0; len <= sizeof noise; len += len < 20 ? 1 : 500) {
        fill(noise, len, len);
        buf_clear(&plain);
        buf_add(&plain, noise, len);
        compress_gzip(&packed, &plain);
        compress_brotli(&packed, &plain);
        assert_string_equal(packed.data, "before");
    }
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_buffers, close_buffers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_page_becomes_much_smaller),
        CLAIM(gzip_unpacks_to_the_same_bytes),
        CLAIM(nothing_is_appended_if_it_would_not_be_smaller),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
