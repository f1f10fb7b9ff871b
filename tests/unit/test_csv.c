/*
 * Tests of csv: what RFC 4180 allows is read as it is meant, what it does not is refused at its
 * line, and nothing is read behind the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "csv.h"

#include <stdlib.h>
#include <string.h>

/* An exact-size copy, so that a sanitizer sees every read behind the end. */
struct reading {
    struct csv csv;
    char *copy;
};

static void open_text(struct reading *r, const char *text, size_t len)
{
    r->copy = malloc(len ? len : 1);
    assert_non_null(r->copy);
    memcpy(r->copy, text, len);
    csv_init(&r->csv, r->copy, len);
}

static void close_text(struct reading *r)
{
    csv_release(&r->csv);
    free(r->copy);
}

/* All rows as LINE[cell|cell], then the number of what ended it. */
static void dump(struct buf *out, const char *text, size_t len, char separator)
{
    enum csv_result result;
    struct reading r;

    buf_clear(out);
    open_text(&r, text, len);
    r.csv.separator = separator;
    while ((result = csv_next(&r.csv)) == CSV_ROW) {
        buf_printf(out, "%zu[", r.csv.line);
        for (size_t i = 0; i < r.csv.count; i++)
            buf_printf(out, "%s%s", i ? "|" : "", r.csv.cells[i]);
        buf_addc(out, ']');
    }
    assert_int_equal(csv_next(&r.csv), result);
    if (result != CSV_END)
        buf_printf(out, "%zu!%d", r.csv.line, (int)result);
    close_text(&r);
}

static void check(const char *text, char separator, const char *expected)
{
    struct buf out;

    buf_init(&out, BUF_UNLIMITED);
    dump(&out, text, strlen(text), separator);
    assert_string_equal(out.data, expected);
    buf_release(&out);
}

static void rows_and_cells_are_told_apart(void **state)
{
    (void)state;
    check("", ',', "");
    check("a", ',', "1[a]");
    check("a,b\nc,d\n", ',', "1[a|b]2[c|d]");
    check("a,b\r\nc,d\r\n", ',', "1[a|b]2[c|d]");
    check("a,b\rc,d\r", ',', "1[a|b]2[c|d]");
    check("a,\n,b\n,", ',', "1[a|]2[|b]3[|]");
    check("a\n\nb", ',', "1[a]2[]3[b]");
    check("a;b,c\n", ';', "1[a|b,c]");
    check("a\tb\n", '\t', "1[a|b]");
    check(" a , b \n", ',', "1[ a | b ]");
}

static void a_byte_order_mark_is_skipped_at_the_start_only(void **state)
{
    (void)state;
    check("\xEF\xBB\xBF", ',', "");
    check("\xEF\xBB\xBF\"a\",b\n", ',', "1[a|b]");
    check("a,\xEF\xBB\xBF\n", ',', "1[a|\xEF\xBB\xBF]");
}

static void quoted_cells_hold_anything(void **state)
{
    (void)state;
    check("\"a,b\",c\n", ',', "1[a,b|c]");
    check("\"a\"\"b\",\"\"\n", ',', "1[a\"b|]");
    check("\"\"\"\"\n", ',', "1[\"]");
    check("\"a\nb\",c\nd\n", ',', "1[a\nb|c]3[d]");
    check("\"a\r\nb\",c\r\nd\r\n", ',', "1[a\r\nb|c]3[d]");
    check("\"a\rb\"\rd", ',', "1[a\rb]3[d]");
    check("=1+1,\"=cmd|' /C calc'!A0\"\n", ',', "1[=1+1|=cmd|' /C calc'!A0]");
    check("\xE1\x9E\x8F\xE1\x9E\xB6,\"\xE1\x9E\x8F\"", ',',
          "1[\xE1\x9E\x8F\xE1\x9E\xB6|\xE1\x9E\x8F]");
}

static void wrong_quotes_are_refused_at_their_row(void **state)
{
    static const char *const texts[] = {"a\n\"b\n", "a\nb\"c\n",  "a\n\"b\"c\n",
                                        "a\n\"",    "a\n\"b\"\"", "a\n\"b\" ,c"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check(texts[i], ',', "1[a]2!2");
}

static void what_is_not_utf8_is_refused(void **state)
{
    struct buf out;

    (void)state;
    check("a\nb\xE9\n", ',', "1[a]2!3");    /* Latin-1 */
    check("\xFF\xFE", ',', "1!3");          /* UTF-16's mark */
    check("\xED\xA0\x80\n", ',', "1!3");    /* a surrogate */
    check("a,\xE1\x9E,\x8F\n", ',', "1!3"); /* a sequence across two cells */
    buf_init(&out, BUF_UNLIMITED);
    dump(&out, "a\0b\n", 4, ',');
    assert_string_equal(out.data, "1!3");
    buf_release(&out);
}

static void rows_have_limits(void **state)
{
    struct buf text, out;

    (void)state;
    check("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16\n1,,,,,,,,,,,,,,,,17", ',',
          "1[1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16]2!5");
    buf_init(&text, BUF_UNLIMITED);
    buf_init(&out, BUF_UNLIMITED);
    for (int i = 0; i < CSV_ROW_MAX_BYTES - 1; i++)
        buf_addc(&text, 'x');
    dump(&out, text.data, text.len, ',');
    assert_int_equal(out.len, text.len + 3);
    buf_addc(&text, 'x');
    dump(&out, text.data, text.len, ',');
    assert_string_equal(out.data, "1!4");
    buf_release(&text);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_cells_are_told_apart),
        cmocka_unit_test(a_byte_order_mark_is_skipped_at_the_start_only),
        cmocka_unit_test(quoted_cells_hold_anything),
        cmocka_unit_test(wrong_quotes_are_refused_at_their_row),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(rows_have_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
