/*
 * test_buf: the growable buffer keeps its invariants, and each encoder writes what its format says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "support.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

static struct buf b;

static int open_buffer(void **state)
{
    (void)state;
    buf_init(&b, BUF_UNLIMITED);
    return 0;
}

static int close_buffer(void **state)
{
    (void)state;
    buf_release(&b);
    return 0;
}

static void assert_invariants(void)
{
    assert_non_null(b.data);
    assert_int_equal(b.data[b.len], 0);
    assert_true(b.len <= b.cap);
}

/* ---- growing */

static void an_empty_buffer_is_an_empty_string(void **state)
{
    (void)state;
    assert_invariants();
    assert_int_equal(b.len, 0);
    assert_true(buf_ok(&b));
    buf_add(&b, NULL, 0);
    buf_adds(&b, "");
    assert_invariants();
    assert_int_equal(b.alloc, 0);
}

static void a_buffer_grows_and_stays_a_string(void **state)
{
    (void)state;
    for (int i = 0; i < 5000; i++) {
        buf_addc(&b, (char)('a' + i % 26));
        assert_invariants();
    }
    assert_int_equal(b.len, 5000);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(b.data[i], 'a' + i % 26);
}

static void bytes_of_zero_are_bytes_like_others(void **state)
{
    (void)state;
    buf_add(&b, "a\0b", 3);
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "a\0b", 4);
}

static void printf_makes_room_for_any_length(void **state)
{
    (void)state;
    buf_printf(&b, "%0*d", 1000, 7);
    assert_int_equal(b.len, 1000);
    buf_printf(&b, "%s%d", "x", -5);
    assert_string_equal(b.data + 1000, "x-5");
    buf_printf(&b, "%s", "");
    assert_int_equal(b.len, 1003);
}

static void add_bytes(struct buf *out)
{
    buf_add(out, "abcde", 5);
}

static void add_string(struct buf *out)
{
    buf_adds(out, "abcde");
}

static void add_char(struct buf *out)
{
    buf_addc(out, 'a');
}

static void add_printf(struct buf *out)
{
    buf_printf(out, "%s", "abcde");
}

static void add_hex(struct buf *out)
{
    buf_hex(out, (const uint8_t *)"abc", 3);
}

static void add_base64(struct buf *out)
{
    buf_base64(out, (const uint8_t *)"abcd", 4);
}

static void add_base64url(struct buf *out)
{
    buf_base64url(out, (const uint8_t *)"abcd", 4);
}

static const struct {
    void (*add)(struct buf *b);
    size_t len; /* what it appends */
} adders[] = {{add_bytes, 5}, {add_string, 5}, {add_char, 1},     {add_printf, 5},
              {add_hex, 6},   {add_base64, 8}, {add_base64url, 6}};

static void an_append_that_reaches_the_cap_fits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof adders / sizeof *adders; i++) {
        buf_init(&b, 10 + adders[i].len);
        buf_adds(&b, "0123456789");
        adders[i].add(&b);
        assert_true(buf_ok(&b));
        assert_int_equal(b.len, b.cap);
        assert_invariants();
        buf_release(&b);
    }
}

static void an_append_beyond_the_cap_changes_nothing_and_neither_does_any_later_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof adders / sizeof *adders; i++) {
        buf_init(&b, 9 + adders[i].len);
        buf_adds(&b, "0123456789");
        adders[i].add(&b);
        assert_false(buf_ok(&b));
        assert_string_equal(b.data, "0123456789");
        for (size_t k = 0; k < sizeof adders / sizeof *adders; k++)
            adders[k].add(&b);
        buf_html(&b, "<");
        buf_json(&b, "x");
        buf_csv(&b, "x");
        assert_string_equal(b.data, "0123456789");
        assert_invariants();
        buf_release(&b);
    }
}

static void a_length_near_the_end_of_memory_is_refused(void **state)
{
    (void)state;
    buf_init(&b, 100);
    buf_adds(&b, "x");
    buf_add(&b, "", SIZE_MAX);
    assert_false(buf_ok(&b));
    assert_string_equal(b.data, "x");
}

static void clearing_forgets_the_error_and_keeps_the_storage(void **state)
{
    size_t alloc;

    (void)state;
    buf_init(&b, 5);
    buf_adds(&b, "12345");
    buf_adds(&b, "6");
    alloc = b.alloc;
    buf_clear(&b);
    assert_true(buf_ok(&b));
    assert_string_equal(b.data, "");
    assert_int_equal(b.alloc, alloc);
    buf_adds(&b, "abcde");
    assert_true(buf_ok(&b));
}

static void releasing_keeps_the_cap(void **state)
{
    (void)state;
    buf_init(&b, 5);
    buf_adds(&b, "12345");
    buf_release(&b);
    assert_string_equal(b.data, "");
    buf_adds(&b, "123456");
    assert_false(buf_ok(&b));
    buf_wipe(&b);
    buf_adds(&b, "12345");
    assert_true(buf_ok(&b));
}

static void detaching_hands_the_text_over(void **state)
{
    size_t len;
    char *text;

    (void)state;
    buf_adds(&b, "mine");
    text = buf_detach(&b, &len);
    assert_string_equal(text, "mine");
    assert_int_equal(len, 4);
    assert_string_equal(b.data, "");
    buf_adds(&b, "other");
    assert_string_equal(text, "mine");
    free(text);
    buf_release(&b);
    text = buf_detach(&b, NULL); /* of an empty one, too */
    assert_string_equal(text, "");
    free(text);
}

/* ---- encoders */

typedef void encoder(struct buf *b, const char *s);

static void assert_encoded(encoder *encode, const char *text, const char *expected)
{
    buf_clear(&b);
    encode(&b, text);
    assert_string_equal(b.data, expected);
}

static void html_is_valid_between_tags_and_in_attributes(void **state)
{
    (void)state;
    assert_encoded(buf_html, "", "");
    assert_encoded(buf_html, "Sok Chan", "Sok Chan");
    assert_encoded(buf_html, "<script>alert('1')</script>",
                   "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
    assert_encoded(buf_html, "\" onload=\"", "&quot; onload=&quot;");
    assert_encoded(buf_html, "&amp;", "&amp;amp;");
    assert_encoded(buf_html, "ចាន់ & <>", "ចាន់ &amp; &lt;&gt;");
}

static void json_escapes_what_rfc_8259_demands_and_nothing_else(void **state)
{
    (void)state;
    assert_encoded(buf_json, "", "\"\"");
    assert_encoded(buf_json, "a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    assert_encoded(buf_json, "\x01\n\t\x1f\x7f", "\"\\u0001\\u000a\\u0009\\u001f\x7f\"");
    assert_encoded(buf_json, "ចាន់ é <&>", "\"ចាន់ é <&>\"");
}

static void a_csv_cell_is_quoted_and_is_never_a_formula(void **state)
{
    (void)state;
    assert_encoded(buf_csv, "", "\"\"");
    assert_encoded(buf_csv, "Sok, Chan", "\"Sok, Chan\"");
    assert_encoded(buf_csv, "say \"hi\"", "\"say \"\"hi\"\"\"");
    assert_encoded(buf_csv, "=1+1", "\"'=1+1\"");
    assert_encoded(buf_csv, "+85512345678", "\"'+85512345678\"");
    assert_encoded(buf_csv, "-1", "\"'-1\"");
    assert_encoded(buf_csv, "@SUM(A1)", "\"'@SUM(A1)\"");
    assert_encoded(buf_csv, "\t=1", "\"'\t=1\"");
    assert_encoded(buf_csv, "\r=1", "\"'\r=1\"");
    assert_encoded(buf_csv, "\n=1", "\"'\n=1\"");
    assert_encoded(buf_csv, "＝1+1", "\"'＝1+1\"");
    assert_encoded(buf_csv, "＋1", "\"'＋1\"");
    assert_encoded(buf_csv, "－1", "\"'－1\"");
    assert_encoded(buf_csv, "＠x", "\"'＠x\"");
    assert_encoded(buf_csv, "=\"x\"", "\"'=\"\"x\"\"\"");
    assert_encoded(buf_csv, "1=1", "\"1=1\"");
}

static void hex_is_lower_case(void **state)
{
    (void)state;
    buf_hex(&b, (const uint8_t *)"\x00\x0f\xa0\xff", 4);
    buf_hex(&b, NULL, 0);
    assert_string_equal(b.data, "000fa0ff");
}

/* RFC 4648 section 10, and what tells the two alphabets apart. */
static const struct {
    const char *bytes, *base64, *base64url;
} vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
    {"\xfb\xff\xfe", "+//+", "-__-"},
};

static void base64_is_that_of_rfc_4648(void **state)
{
    uint8_t back[8];
    size_t got;

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        size_t len = strlen(vectors[i].bytes);

        buf_clear(&b);
        buf_base64(&b, (const uint8_t *)vectors[i].bytes, len);
        assert_string_equal(b.data, vectors[i].base64);
        assert_int_equal(base64_decode(back, len, b.data), 0);
        assert_memory_equal(back, vectors[i].bytes, len);
        buf_clear(&b);
        buf_base64url(&b, (const uint8_t *)vectors[i].bytes, len);
        assert_string_equal(b.data, vectors[i].base64url);
        assert_int_equal(base64url_decode(back, sizeof back, &got, b.data), 0);
        assert_int_equal(got, len);
        assert_memory_equal(back, vectors[i].bytes, len);
    }
}

static void base64_that_is_not_exact_is_refused(void **state)
{
    static const char *const wrong[] = {
        "Zm9v",          /* three bytes */
        "Zm9vYmFy",      /* six */
        "Zm9vYg",        /* no padding */
        "Zm9vYg=",       /* half of it */
        "Zm9vYh==",      /* bits that stand for nothing */
        "Zm9vYg== ",     /* more behind it */
        " Zm9vYg==",     /* before it */
        "Zm9v\nYg==",    /* within it */
        "Zm9vYg==Zm9v",  /* padding in the middle */
        "Zm9v_g==",      /* the other alphabet */
        "Zm9vY\xc3\xa9", /* no alphabet */
        "",
    };
    uint8_t out[4];

    (void)state;
    assert_int_equal(base64_decode(out, sizeof out, "Zm9vYg=="), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(base64_decode(out, sizeof out, wrong[i]), -1);
}

static void base64url_that_is_not_exact_is_refused(void **state)
{
    static const char *const wrong[] = {"Zm9vYg==", "Zm9vYh",  "Zm9vY",
                                        "Zm9v+g",   "Zm9v Yg", "-__-A"};
    uint8_t out[4];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(base64url_decode(out, sizeof out, &len, wrong[i]), -1);
    assert_int_equal(base64url_decode(out, sizeof out, &len, "Zm9vYmE"), -1); /* no room */
}

static void a_byte_that_is_not_ascii_is_no_digit(void **state)
{
    char text[] = "Zm9/Yg==", url[] = "Zm9_Yg";
    uint8_t out[4];
    size_t len;

    (void)state;
    assert_int_equal(base64_decode(out, sizeof out, text), 0);
    assert_int_equal(base64url_decode(out, sizeof out, &len, url), 0);
    for (int c = 0x80; c <= 0xff; c++) {
        text[3] = url[3] = (char)c;
        assert_int_equal(base64_decode(out, sizeof out, text), -1);
        assert_int_equal(base64url_decode(out, sizeof out, &len, url), -1);
    }
}

static void any_bytes_survive_both_encodings(void **state)
{
    uint64_t random = 1991;
    uint8_t bytes[200], back[200];
    size_t got;

    (void)state;
    for (int i = 0; i < 500; i++) {
        size_t len = below(&random, sizeof bytes + 1);

        fill(bytes, len, next_random(&random));
        buf_clear(&b);
        buf_base64(&b, bytes, len);
        assert_int_equal(base64_decode(back, len, b.data), 0);
        assert_memory_equal(back, bytes, len);
        buf_clear(&b);
        buf_base64url(&b, bytes, len);
        assert_int_equal(base64url_decode(back, sizeof back, &got, b.data), 0);
        assert_int_equal(got, len);
        assert_memory_equal(back, bytes, len);
    }
}

/* ---- files */

static void a_file_is_read_whole_or_not_at_all(void **state)
{
    char folder[FOLDER_BYTES], path[64];
    static uint8_t bytes[200000];

    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/file", folder);
    fill(bytes, sizeof bytes, 1);
    assert_int_equal(buf_read_file(&b, path), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(files_replace(path, bytes, sizeof bytes), 0);
    assert_int_equal(buf_read_file(&b, path), 0);
    assert_int_equal(b.len, sizeof bytes);
    assert_memory_equal(b.data, bytes, sizeof bytes);
    buf_release(&b);
    buf_init(&b, sizeof bytes); /* just enough */
    assert_int_equal(buf_read_file(&b, path), 0);
    buf_release(&b);
    buf_init(&b, sizeof bytes - 1);
    assert_int_equal(buf_read_file(&b, path), -1);
    assert_int_equal(errno, EFBIG);
    buf_clear(&b);
    assert_int_equal(buf_read_file(&b, folder), -1);
    assert_int_equal(errno, EISDIR);
    remove_folder(folder);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_buffer, close_buffer)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(an_empty_buffer_is_an_empty_string),
        CLAIM(a_buffer_grows_and_stays_a_string),
        CLAIM(bytes_of_zero_are_bytes_like_others),
        CLAIM(printf_makes_room_for_any_length),
        CLAIM(an_append_that_reaches_the_cap_fits),
        CLAIM(an_append_beyond_the_cap_changes_nothing_and_neither_does_any_later_one),
        CLAIM(a_length_near_the_end_of_memory_is_refused),
        CLAIM(clearing_forgets_the_error_and_keeps_the_storage),
        CLAIM(releasing_keeps_the_cap),
        CLAIM(detaching_hands_the_text_over),
        CLAIM(html_is_valid_between_tags_and_in_attributes),
        CLAIM(json_escapes_what_rfc_8259_demands_and_nothing_else),
        CLAIM(a_csv_cell_is_quoted_and_is_never_a_formula),
        CLAIM(hex_is_lower_case),
        CLAIM(base64_is_that_of_rfc_4648),
        CLAIM(base64_that_is_not_exact_is_refused),
        CLAIM(base64url_that_is_not_exact_is_refused),
        CLAIM(a_byte_that_is_not_ascii_is_no_digit),
        CLAIM(any_bytes_survive_both_encodings),
        CLAIM(a_file_is_read_whole_or_not_at_all),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
