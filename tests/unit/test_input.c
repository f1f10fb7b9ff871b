/*
 * Tests of input: what the two parsers take, what they refuse and why, and what is left of a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "input.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof *(table))

typedef enum input_reason parse_fn(struct input *in, const char *body, size_t len);

/* Parses an exact-size copy, so that a sanitizer sees every read behind the end. */
static enum input_reason parse(parse_fn *parser, struct input *in, const char *body, size_t len)
{
    char *copy = malloc(len ? len : 1);
    enum input_reason reason;

    assert_non_null(copy);
    memcpy(copy, body, len);
    reason = parser(in, copy, len);
    free(copy);
    if (reason != INPUT_OK)
        assert_int_equal(in->count, 0);
    return reason;
}

static enum input_reason parse_text(parse_fn *parser, struct input *in, const char *body)
{
    return parse(parser, in, body, strlen(body));
}

struct reason_case {
    const char *body;
    enum input_reason reason;
    int line;
};

static void check_reasons(parse_fn *parser, const struct reason_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct input in;
        enum input_reason reason = parse_text(parser, &in, cases[i].body);

        input_release(&in);
        if (reason != cases[i].reason)
            fail_msg("line %d: reason %d instead of %d", cases[i].line, (int)reason,
                     (int)cases[i].reason);
    }
}

/* The value of the only member of that name. */
static const char *value_of(const struct input *in, const char *name)
{
    bool again;
    const struct input_member *m = input_find(in, name, &again);

    assert_non_null(m);
    assert_false(again);
    assert_int_equal(m->type, INPUT_STRING);
    return m->string;
}

/* ---- UTF-8 ---- */

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    static const struct {
        const char *bytes;
        bool valid;
        int line;
    } cases[] = {
        {"", true, __LINE__},
        {"plain", true, __LINE__},
        {"\xC2\x80", true, __LINE__},
        {"\xDF\xBF", true, __LINE__},
        {"\xE0\xA0\x80", true, __LINE__},
        {"\xED\x9F\xBF", true, __LINE__},             /* the last before the surrogates */
        {"\xEE\x80\x80", true, __LINE__},             /* the first behind them */
        {"\xEF\xBF\xBF", true, __LINE__},             /* a noncharacter is a scalar value */
        {"\xF0\x90\x80\x80", true, __LINE__},         /* U+10000 */
        {"\xF4\x8F\xBF\xBF", true, __LINE__},         /* U+10FFFF */
        {"\xE1\x9E\x81\xE1\x9F\x92", true, __LINE__}, /* Khmer */
        {"\x80", false, __LINE__},                    /* a continuation alone */
        {"a\xBF", false, __LINE__},
        {"\xC0\x80", false, __LINE__},     /* overlong NUL */
        {"\xC1\xBF", false, __LINE__},     /* overlong DEL */
        {"\xE0\x80\xAF", false, __LINE__}, /* overlong slash in three */
        {"\xE0\x9F\xBF", false, __LINE__},
        {"\xF0\x80\x80\xAF", false, __LINE__}, /* and in four */
        {"\xF0\x8F\xBF\xBF", false, __LINE__},
        {"\xED\xA0\x80", false, __LINE__}, /* surrogates, first and last */
        {"\xED\xBF\xBF", false, __LINE__},
        {"\xF4\x90\x80\x80", false, __LINE__}, /* U+110000 */
        {"\xF5\x80\x80\x80", false, __LINE__},
        {"\xF8\x88\x80\x80\x80", false, __LINE__}, /* five and six bytes are history */
        {"\xFC\x84\x80\x80\x80\x80", false, __LINE__},
        {"\xFE", false, __LINE__},
        {"\xFF", false, __LINE__},
        {"\xC3", false, __LINE__}, /* cut off */
        {"\xE1\x9E", false, __LINE__},
        {"\xF0\x9F\x98", false, __LINE__},
        {"\xC3(", false, __LINE__}, /* the next byte does not continue */
        {"\xE1\x9E(", false, __LINE__},
        {"\xE1(\x9E", false, __LINE__},
        {"\xF0\x9F\x98(", false, __LINE__},
        {"caf\xE9", false, __LINE__}, /* Latin-1 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (input_is_utf8(cases[i].bytes, strlen(cases[i].bytes)) != cases[i].valid)
            fail_msg("line %d", cases[i].line);
    assert_false(input_is_utf8("a\0b", 3));
    assert_false(input_is_utf8("", 1));
    assert_true(input_is_utf8("\xC3\xA9", 2));
    assert_false(input_is_utf8("\xC3\xA9", 1)); /* the length decides, not the bytes behind */
}

static void code_points_are_read_one_by_one(void **state)
{
    const char *text = "aé៛😀";

    (void)state;
    assert_int_equal(input_code_points(text), 4);
    assert_int_equal(input_code_points(""), 0);
    assert_int_equal(input_next_code_point(&text), 'a');
    assert_int_equal(input_next_code_point(&text), 0xE9);
    assert_int_equal(input_next_code_point(&text), 0x17DB);
    assert_int_equal(input_next_code_point(&text), 0x1F600);
    assert_string_equal(text, "");
}

static void a_cut_off_sequence_is_never_read_past_its_end(void **state)
{
    const char *text = "\xF0\x9F";

    (void)state;
    input_next_code_point(&text);
    assert_string_equal(text, "");
}

/* ---- Forms ---- */

static void a_form_is_decoded(void **state)
{
    struct input in;

    (void)state;
    assert_int_equal(parse_text(input_parse_form, &in,
                                "name=Sok+S%C3%A9rey&contact=%2b855+12&empty=&alone&a%3Db=c%26d%3d"
                                "&raw=é=x&percent=%25"),
                     INPUT_OK);
    assert_int_equal(in.count, 7);
    assert_string_equal(value_of(&in, "name"), "Sok Sérey");
    assert_string_equal(value_of(&in, "contact"), "+855 12");
    assert_string_equal(value_of(&in, "empty"), "");
    assert_string_equal(value_of(&in, "alone"), "");
    assert_string_equal(value_of(&in, "a=b"), "c&d=");
    assert_string_equal(value_of(&in, "raw"), "é=x");
    assert_string_equal(value_of(&in, "percent"), "%");
    input_release(&in);
}

static void an_empty_form_has_no_members(void **state)
{
    struct input in;

    (void)state;
    assert_int_equal(parse_text(input_parse_form, &in, ""), INPUT_OK);
    assert_int_equal(in.count, 0);
    input_release(&in);
}

static void a_form_that_is_wrong_says_why(void **state)
{
    static const struct reason_case cases[] = {
        {"a=1&", INPUT_OK, __LINE__}, /* an ampersand at the end is harmless */
        {"a=1&&", INPUT_MALFORMED, __LINE__},
        {"a=1&&b=2", INPUT_MALFORMED, __LINE__},
        {"&", INPUT_MALFORMED, __LINE__},
        {"&a=1", INPUT_MALFORMED, __LINE__},
        {"=1", INPUT_MALFORMED, __LINE__},
        {"a=1&=2", INPUT_MALFORMED, __LINE__},
        {"a=%", INPUT_MALFORMED, __LINE__},
        {"a=%2", INPUT_MALFORMED, __LINE__},
        {"a=%2&b=0", INPUT_MALFORMED, __LINE__},
        {"a=%g0", INPUT_MALFORMED, __LINE__},
        {"a=%0g", INPUT_MALFORMED, __LINE__},
        {"a=%u0041", INPUT_MALFORMED, __LINE__},
        {"a=% 41", INPUT_MALFORMED, __LINE__},
        {"a=%+1", INPUT_MALFORMED, __LINE__},
        {"%zz=1", INPUT_MALFORMED, __LINE__},
        {"a=%00", INPUT_NOT_UTF8, __LINE__},
        {"a%00b=1", INPUT_NOT_UTF8, __LINE__},
        {"a=%e9", INPUT_NOT_UTF8, __LINE__},
        {"a=\xE9", INPUT_NOT_UTF8, __LINE__},
        {"a=%c0%80", INPUT_NOT_UTF8, __LINE__},
        {"a=%ed%a0%80", INPUT_NOT_UTF8, __LINE__},
        {"a=%f4%90%80%80", INPUT_NOT_UTF8, __LINE__},
        {"%ff=1", INPUT_NOT_UTF8, __LINE__},
        {"a=%c3&b=%a9", INPUT_NOT_UTF8, __LINE__}, /* two halves in two values */
    };
    struct input in;

    (void)state;
    check_reasons(input_parse_form, cases, COUNT(cases));
    assert_int_equal(parse(input_parse_form, &in, "a=\0", 3), INPUT_NOT_UTF8);
    assert_int_equal(parse(input_parse_form, &in, "\0", 1), INPUT_NOT_UTF8);
}

static void a_form_has_at_most_32_members(void **state)
{
    char body[3 * (INPUT_MEMBERS_MAX + 1)];
    struct input in;

    (void)state;
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = "a=&"[i % 3];
    assert_int_equal(parse(input_parse_form, &in, body, 3 * INPUT_MEMBERS_MAX), INPUT_OK);
    assert_int_equal(in.count, INPUT_MEMBERS_MAX);
    input_release(&in);
    assert_int_equal(parse(input_parse_form, &in, body, sizeof body), INPUT_TOO_MANY);
}

/* ---- JSON ---- */

static void a_json_object_is_decoded(void **state)
{
    static const char *const others[] = {"n", "z", "l", "o"};
    struct input in;
    bool again;

    (void)state;
    assert_int_equal(
        parse_text(input_parse_json, &in,
                   " {\"name\": \"S\\u00e9rey \\\"\\\\\\/\\n \\ud83d\\ude00\", \"yes\":true,\n"
                   "\"no\" :false, \"n\":-1.5e3,\"z\":null,\"l\":[\"a\",[{}]],\"o\":{\"p\":\"q\"},"
                   "\"\":\"nameless\", \"n\\u00e9\":\"é\"}\r\n\t "),
        INPUT_OK);
    assert_int_equal(in.count, 9);
    assert_string_equal(value_of(&in, "name"), "Sérey \"\\/\n 😀");
    assert_string_equal(value_of(&in, ""), "nameless");
    assert_string_equal(value_of(&in, "né"), "é");
    assert_int_equal(input_find(&in, "yes", &again)->type, INPUT_BOOL);
    assert_true(input_find(&in, "yes", &again)->truth);
    assert_int_equal(input_find(&in, "no", &again)->type, INPUT_BOOL);
    assert_false(input_find(&in, "no", &again)->truth);
    for (size_t i = 0; i < COUNT(others); i++) {
        const struct input_member *m = input_find(&in, others[i], &again);

        assert_int_equal(m->type, INPUT_OTHER);
        assert_null(m->string);
    }
    input_release(&in);
}

static void json_that_is_wrong_says_why(void **state)
{
    static const struct reason_case cases[] = {
        {"{}", INPUT_OK, __LINE__},
        {"\xEF\xBB\xBF{}", INPUT_OK, __LINE__}, /* RFC 8259 lets a parser skip the mark */
        {"", INPUT_MALFORMED, __LINE__},
        {" ", INPUT_MALFORMED, __LINE__},
        {"[]", INPUT_MALFORMED, __LINE__},
        {"\"a\"", INPUT_MALFORMED, __LINE__},
        {"null", INPUT_MALFORMED, __LINE__},
        {"1", INPUT_MALFORMED, __LINE__},
        {"{", INPUT_MALFORMED, __LINE__},
        {"{\"a\"", INPUT_MALFORMED, __LINE__},
        {"{\"a\":", INPUT_MALFORMED, __LINE__},
        {"{\"a\":1,", INPUT_MALFORMED, __LINE__}, /* read past the end: CVE-2023-53154 */
        {"{\"a\":1,}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"b\\q\"}", INPUT_MALFORMED, __LINE__},
        {"{a:1}", INPUT_MALFORMED, __LINE__},
        {"{'a':1}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":tru}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":True}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":NaN}", INPUT_MALFORMED, __LINE__},
        {"{} x", INPUT_MALFORMED, __LINE__},
        {"{}{}", INPUT_MALFORMED, __LINE__},
        {"{}]", INPUT_MALFORMED, __LINE__},
        {"{\"a\":1}//", INPUT_MALFORMED, __LINE__},
        {"/**/{}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"b\nc\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"b\tc\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\tb\":\"c\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"b\x1F\"}", INPUT_MALFORMED, __LINE__},
        {"{\v\"a\":1}", INPUT_MALFORMED, __LINE__}, /* no white space in JSON, but for cJSON */
        {"{}\f", INPUT_MALFORMED, __LINE__},
        {"\x01{}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\u12\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\u12", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\uzzzz\"}", INPUT_MALFORMED, __LINE__}, /* zero for cJSON */
        {"{\"a\":\"\\ud800\"}", INPUT_MALFORMED, __LINE__}, /* half a pair */
        {"{\"a\":\"\\ud800x\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\udc00\\ud800\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\ud800\\u0041\"}", INPUT_MALFORMED, __LINE__},
        {"{\"a\":\"\\u0000\"}", INPUT_NOT_UTF8, __LINE__},
        {"{\"a\":\"b\\u0000c\"}", INPUT_NOT_UTF8, __LINE__},
        {"{\"a\\u0000\":\"b\"}", INPUT_NOT_UTF8, __LINE__},
        {"{\"a\":[\"\\u0000\"]}", INPUT_NOT_UTF8, __LINE__},
        {"{\"a\":\"\\\\u0000\"}", INPUT_OK, __LINE__}, /* a backslash and u0000 */
        {"{\"a\":\"\xE9\"}", INPUT_NOT_UTF8, __LINE__},
        {"{\"a\":\"\xC0\x80\"}", INPUT_NOT_UTF8, __LINE__},
        {"{\"a\":\"\xED\xA0\x80\"}", INPUT_NOT_UTF8, __LINE__},
        {"{\"a\":\"\xE1\x9E\"}", INPUT_NOT_UTF8, __LINE__},
        {"{} \xFF", INPUT_NOT_UTF8, __LINE__},
    };
    struct input in;

    (void)state;
    check_reasons(input_parse_json, cases, COUNT(cases));
    assert_int_equal(parse(input_parse_json, &in, "{}\0", 3), INPUT_NOT_UTF8);
    assert_int_equal(parse(input_parse_json, &in, "{\"a\":\"\0\"}", 9), INPUT_NOT_UTF8);
}

static void json_as_deep_as_a_body_can_be_is_refused(void **state)
{
    struct input in;
    struct buf body;

    (void)state;
    buf_init(&body, INPUT_BODY_MAX_BYTES);
    buf_adds(&body, "{\"a\":");
    while (body.len < INPUT_BODY_MAX_BYTES)
        buf_addc(&body, '[');
    assert_int_equal(parse(input_parse_json, &in, body.data, body.len), INPUT_MALFORMED);
    buf_release(&body);
}

static void a_json_object_has_at_most_32_members(void **state)
{
    struct input in;
    struct buf body;

    (void)state;
    buf_init(&body, INPUT_BODY_MAX_BYTES);
    buf_adds(&body, "{\"a0\":\"x\"");
    for (int i = 1; i < INPUT_MEMBERS_MAX; i++)
        buf_printf(&body, ",\"a%d\":\"x\"", i);
    buf_adds(&body, "}");
    assert_int_equal(parse(input_parse_json, &in, body.data, body.len), INPUT_OK);
    assert_int_equal(in.count, INPUT_MEMBERS_MAX);
    input_release(&in);

    body.data[body.len - 1] = ',';
    buf_adds(&body, "\"b\":1}");
    assert_int_equal(parse(input_parse_json, &in, body.data, body.len), INPUT_TOO_MANY);
    buf_release(&body);
}

/* ---- Both ---- */

static void duplicates_stay_and_are_reported(void **state)
{
    static const struct {
        parse_fn *parser;
        const char *body;
    } cases[] = {
        {input_parse_form, "name=first&x=y&n%61me=second"},
        {input_parse_json, "{\"name\":\"first\",\"x\":\"y\",\"n\\u0061me\":\"second\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct input in;
        bool again;

        assert_int_equal(parse_text(cases[i].parser, &in, cases[i].body), INPUT_OK);
        assert_int_equal(in.count, 3);
        assert_string_equal(input_find(&in, "name", &again)->string, "first");
        assert_true(again);
        assert_string_equal(input_find(&in, "x", &again)->string, "y");
        assert_false(again);
        input_release(&in);
    }
}

static void names_are_found_exactly_or_not_at_all(void **state)
{
    struct input in;
    bool again = true;

    (void)state;
    assert_int_equal(parse_text(input_parse_json, &in, "{\"Name\":\"x\"}"), INPUT_OK);
    assert_null(input_find(&in, "name", &again));
    assert_false(again);
    input_release(&in);
    input_release(&in); /* a second time is harmless */
    assert_null(input_find(&in, "Name", &again));
}

/* ---- Lines ---- */

static void a_clean_line_has_nothing_invisible(void **state)
{
    static const struct {
        const char *typed, *clean;
        int line;
    } cases[] = {
        {"", "", __LINE__},
        {"Sok Dara", "Sok Dara", __LINE__},
        {"  Sok  Dara \t", "Sok  Dara", __LINE__}, /* inside, spaces stay as typed */
        {" \r\n ", "", __LINE__},
        {"Sok\tDara", "Sok Dara", __LINE__},
        {"Sok\r\nDara\n", "Sok  Dara", __LINE__},
        {"Sok\xC2\x85"
         "Dara\u2028x\u2029",
         "Sok Dara x", __LINE__},
        {"a\x01\x1F\x7F\xC2\x80\xC2\x9F z", "a z", __LINE__},
        {"\u00A0\u1680\u2000\u200A\u202F\u205F\u3000x\u3000\u00A0", "x", __LINE__},
        {"x\u00A0\u3000y", "x\u00A0\u3000y", __LINE__},
        {"\u061C\u200E\u200Fa\u202A\u202Bb\u202C\u202D\u202Ec\u2066\u2067\u2068\u2069", "abc",
         __LINE__},
        {"a\u200Bb\u2060c\u2061\u2062\u2063\u2064d\u206A\u206Fe\uFEFF", "abcde", __LINE__},
        {"a\u00ADb\u180Ec\uFFF9d\uFFFB", "abcd", __LINE__},
        {"a\U000E0001\U000E0041\U000E007Fb", "ab", __LINE__},               /* tags */
        {"a\uFDD0\uFDEF\uFFFE\uFFFF\U0001FFFE\U0010FFFFb", "ab", __LINE__}, /* noncharacters */
        {"\u200B \u200B\u00A0x\u200B \uFEFF", "x", __LINE__}, /* trimmed through the invisible */
        {"ក្\u200Cខ\u200Dគ", "ក្\u200Cខ\u200Dគ", __LINE__},     /* joiners are spelling */
        {"👩\u200D👧", "👩\u200D👧", __LINE__},
        {"葛\U000E0100", "葛\U000E0100", __LINE__}, /* so are variation selectors */
        {"العربية ភាសាខ្មែរ é e\u0301", "العربية ភាសាខ្មែរ é e\u0301", __LINE__}, /* no NFC */
        {"<script>=1+1", "<script>=1+1", __LINE__},
        {"\uFFFD\uFDCF\uFDF0", "\uFFFD\uFDCF\uFDF0", __LINE__},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out;

        buf_init(&out, BUF_UNLIMITED);
        input_clean_line(&out, cases[i].typed);
        if (strcmp(out.data, cases[i].clean) != 0)
            fail_msg("line %d: \"%s\"", cases[i].line, out.data);
        buf_release(&out);
    }
}

static void a_line_is_capped_by_its_buffer(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, 3);
    input_clean_line(&out, "  abc  "); /* the cap is on what is left */
    assert_true(buf_ok(&out));
    buf_clear(&out);
    input_clean_line(&out, "abcd");
    assert_false(buf_ok(&out));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(code_points_are_read_one_by_one),
        cmocka_unit_test(a_cut_off_sequence_is_never_read_past_its_end),
        cmocka_unit_test(a_form_is_decoded),
        cmocka_unit_test(an_empty_form_has_no_members),
        cmocka_unit_test(a_form_that_is_wrong_says_why),
        cmocka_unit_test(a_form_has_at_most_32_members),
        cmocka_unit_test(a_json_object_is_decoded),
        cmocka_unit_test(json_that_is_wrong_says_why),
        cmocka_unit_test(json_as_deep_as_a_body_can_be_is_refused),
        cmocka_unit_test(a_json_object_has_at_most_32_members),
        cmocka_unit_test(duplicates_stay_and_are_reported),
        cmocka_unit_test(names_are_found_exactly_or_not_at_all),
        cmocka_unit_test(a_clean_line_has_nothing_invisible),
        cmocka_unit_test(a_line_is_capped_by_its_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
