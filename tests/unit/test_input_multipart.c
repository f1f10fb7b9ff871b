/*
 * test_input_multipart: what browsers send is read, whatever is in a file; anything else is not a
 * form.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "input.h"

#include <string.h>

#define D             "Content-Disposition: form-data; name="
#define PART(name, s) "--B\r\n" D name "\r\n\r\n" s "\r\n"
#define END           "--B--"

static struct input in;

static enum input_reason parse(const char *body)
{
    return input_parse_multipart(&in, "B", body, strlen(body));
}

static void fields_and_files_are_read(void **state)
{
    static const char body[] =
        PART("\"form\"", "abc") "--B\r\ncontent-disposition:form-data;name=\"file\"; "
                                "filename=\"a \\\" b.csv\"\r\nContent-Type: text/csv\r\n\r\n"
                                "name\r\n\0\xff--B\r\n"
                                "\r\n" PART("\"empty\"", "") END "\r\n";

    (void)state;
    assert_int_equal(input_parse_multipart(&in, "B", body, sizeof body - 1), INPUT_OK);
    assert_int_equal(in.count, 3);
    assert_int_equal(in.members[0].type, INPUT_STRING);
    assert_string_equal(in.members[0].name, "form");
    assert_string_equal(in.members[0].string, "abc");
    assert_int_equal(in.members[1].type, INPUT_FILE);
    assert_string_equal(in.members[1].name, "file");
    assert_int_equal(in.members[1].len, 13);
    assert_memory_equal(in.members[1].string, "name\r\n\0\xff--B\r\n", 13);
    assert_int_equal(in.members[2].type, INPUT_STRING);
    assert_string_equal(in.members[2].string, "");
    input_release(&in);
}

static void a_file_that_was_not_chosen_is_left_out(void **state)
{
    (void)state;
    assert_int_equal(parse(PART("\"f\"; filename=\"\"", "") PART("\"x\"", "1") END), INPUT_OK);
    assert_int_equal(in.count, 1);
    assert_string_equal(in.members[0].name, "x");
    input_release(&in);
    assert_int_equal(parse(PART("\"f\"; filename=\"a\"", "") END), INPUT_OK);
    assert_int_equal(in.count, 1);
    assert_int_equal(in.members[0].len, 0);
    input_release(&in);
}

static void what_no_browser_sends_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "--B",
        "--B\r\n",
        "--B--x",
        "x--B--",
        "\r\n" PART("\"a\"", "1") END,
        PART("\"a\"", "1"),
        PART("\"a\"", "1") "--B-",
        PART("\"a\"", "1") END "\r\nx",
        PART("\"\"", "1") END,
        PART("a", "1") END,
        PART("\"a", "1") END,
        PART("\"a\" ", "1") END,
        PART("\"a\"; file=\"x\"", "1") END,
        PART("\"a\"; filename=\"x", "1") END,
        PART("\"a\"\r\n" D "\"b\"", "1") END,
        PART("\"a\"\r\nContent-Transfer-Encoding: base64", "1") END,
        PART("\"a\"\r\nContent-Type: multipart/mixed; boundary=x", "1") END,
        PART("\"a\"\r\nno header", "1") END,
        "--B\r\n\r\n1\r\n" END,
        "--B\r\nContent-Type: text/csv\r\n\r\n1\r\n" END,
        "--B\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n" END,
        "--B\r\n" D "\"a\"\r\n1\r\n" END,
        "--B " D "\"a\"\r\n\r\n1\r\n" END,
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse(wrong[i]) != INPUT_MALFORMED)
            fail_msg("accepted: %s", wrong[i]);
        assert_int_equal(in.count, 0);
    }
    assert_int_equal(input_parse_multipart(&in, "", "----", 4), INPUT_MALFORMED);
}

static void text_is_utf_8_without_nul(void **state)
{
    static const char nul[] = PART("\"a\"", "1\0002") END;

    (void)state;
    assert_int_equal(parse(PART("\"a\"", "\xff") END), INPUT_NOT_UTF8);
    assert_int_equal(parse(PART("\"\xff\"", "1") END), INPUT_NOT_UTF8);
    assert_int_equal(input_parse_multipart(&in, "B", nul, sizeof nul - 1), INPUT_NOT_UTF8);
}

static void there_are_not_too_many(void **state)
{
    struct buf body;

    (void)state;
    buf_init(&body, BUF_UNLIMITED);
    for (int i = 0; i < INPUT_MEMBERS_MAX; i++)
        buf_adds(&body, PART("\"a\"", "1"));
    buf_adds(&body, END);
    assert_int_equal(parse(body.data), INPUT_OK);
    assert_int_equal(in.count, INPUT_MEMBERS_MAX);
    input_release(&in);
    buf_clear(&body);
    for (int i = 0; i <= INPUT_MEMBERS_MAX; i++)
        buf_adds(&body, PART("\"a\"", "1"));
    buf_adds(&body, END);
    assert_int_equal(parse(body.data), INPUT_TOO_MANY);
    assert_int_equal(in.count, 0);
    buf_release(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_files_are_read),
        cmocka_unit_test(a_file_that_was_not_chosen_is_left_out),
        cmocka_unit_test(what_no_browser_sends_is_refused),
        cmocka_unit_test(text_is_utf_8_without_nul),
        cmocka_unit_test(there_are_not_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
