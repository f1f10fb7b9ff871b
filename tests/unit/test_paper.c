/*
 * Tests of paper: which files are taken, and what is said of each row of them.
 */
#include "view_fixture.h"

#include "paper.h"

#include <sodium.h>

static struct identity *identity;
static struct submitter *submitter;
static struct paper_rules rules;

static int set_up_paper(void **state)
{
    static const uint8_t pepper[PEPPER_LEN] = {7};
    uint8_t secret[SEAL_KEY_LEN];
    struct submit_config config = {0};
    struct buf err;

    if (sodium_init() < 0 || set_up(state) != 0)
        return -1;
    buf_init(&err, BUF_UNLIMITED);
    identity = identity_new(pepper, view.content->plans, view.content->plan_count,
                            view.content->mail_rules.data, &err);
    buf_release(&err);
    seal_key_pair(config.seal_key, secret);
    config.identity = identity;
    submitter = submitter_new(&config);
    rules = (struct paper_rules){view.content, identity, submitter, LANG_KM, PAPER_ROWS_MAX};
    return identity ? 0 : -1;
}

static int tear_down_paper(void **state)
{
    submitter_free(submitter);
    identity_free(identity);
    return tear_down(state);
}

/* What the sheet says, as LINE:verdict for each row, then the fault and its line. */
static void judge_bytes(const char *text, size_t len, struct paper_totals *totals)
{
    struct paper_sheet *sheet = paper_open(&rules, text, len);
    struct paper_row row;

    buf_clear(&page);
    paper_row_init(&row);
    while (paper_next(sheet, &row)) {
        buf_printf(&page, "%zu:%s", row.line, row.valid ? row.repeat ? "repeat" : "ok" : "");
        if (row.wrong_cells)
            buf_adds(&page, "cells");
        for (int field = 0; field < FIELD__COUNT; field++)
            if (row.form.errors[field] != FIELD_OK)
                buf_printf(&page, "%s=%s", sign_field_names[field],
                           field_reason_names[row.form.errors[field]]);
        buf_addc(&page, ' ');
    }
    if (paper_fault(sheet) != PAPER_OK)
        buf_printf(&page, "%zu!%s", paper_line(sheet), paper_fault_names[paper_fault(sheet)]);
    if (totals)
        *totals = *paper_totals(sheet);
    paper_row_release(&row);
    paper_close(sheet);
}

static void check(const char *text, const char *verdict)
{
    judge_bytes(text, strlen(text), NULL);
    assert_string_equal(page.data, verdict);
}

static void columns_come_in_any_order_and_two_may_be_missing(void **state)
{
    (void)state;
    check("name,contact,country,visibility\nA,a@example.org,KH,public\n", "2:ok ");
    check("visibility,country,contact,name\npublic,KH,a@example.org,A\n", "2:ok ");
    check("\xEF\xBB\xBF\"Name\"; COUNTRY \r\nA;kh\r\n", "2:ok ");
    check("country\tname\nKH\tA\n", "2:ok ");
    check("name,country,visibility\nA,KH, Public \nA,KH,\n", "2:ok 3:ok ");
}

static void a_file_with_wrong_columns_is_refused(void **state)
{
    (void)state;
    check("", "1!empty");
    check("name,country\n", "2!empty");
    check("name,country\n,\n\n", "4!empty");
    check("contact,country\na@example.org,KH\n", "1!no_name");
    check("name,contact\nA,a@example.org\n", "1!no_country");
    check("name,country,phone\nA,KH,1\n", "1!unknown_column");
    check("A,a@example.org,KH,private\n", "1!unknown_column");
    check("name,country,name\nA,KH,B\n", "1!column_twice");
    check("name,country,\nA,KH,\n", "1!unknown_column");
}

static void a_file_that_cannot_be_read_is_refused_at_its_line(void **state)
{
    (void)state;
    check("name,country\nA,KH\nB\xE9,FR\n", "2:ok 3!not_utf8");
    check("\xFF\xFEn\n", "1!not_utf8");
    check("name,country\nA,KH\n\"B,FR\n", "2:ok 3!bad_quotes");
    check("name,country\n1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17\n", "2!many_cells");
}

static void each_row_is_judged_as_a_form_is(void **state)
{
    (void)state;
    check("name,contact,country,visibility\n"
          ",a@example.org,KH,\n"
          "B,b@,KH,\n"
          "C,c,KH,\n"
          "D,012 345 678,KH,addressees\n"
          "E,,XX,\n"
          "F,,,\n"
          "G,,KH,secret\n"
          "www.h.org,,KH,\n"
          "Sok, Dara,d@example.org,KH,public\n"
          "I,i@example.org\n",
          "2:name=missing 3:contact=bad_email 4:contact=unrecognised 5:ok 6:country=invalid "
          "7:country=missing 8:visibility=invalid 9:name=url 10:cells 11:cells ");
}

static void formulas_are_names_like_others(void **state)
{
    (void)state;
    check("name,country\n=1+1,KH\n\"=cmd|' /C calc'!A0\",KH\n@SUM(A1),KH\n<script>,KH\n",
          "2:ok 3:ok 4:ok 5:ok ");
    check("name,contact,country\nA,=1+1,KH\n", "2:contact=unrecognised ");
}

static void the_longest_names_are_taken(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, "name,contact,country\n\"");
    for (int i = 0; i < 200; i++) /* four bytes each */
        buf_adds(&text, "\xF0\x90\x8E\xA0");
    buf_adds(&text, "\",,KH\n\"");
    for (int i = 0; i < 200; i++)
        buf_adds(&text, "\"\"");
    buf_adds(&text, "\",,KH\n");
    check(text.data, "2:ok 3:ok ");
    buf_release(&text);
}

static void a_contact_twice_in_the_file_is_a_repeat(void **state)
{
    static const char text[] = "name,contact,country\nA,a@example.org,KH\nB, A@EXAMPLE.org,FR\n"
                               "C,+855 12 345 678,FR\nD,012345678,KH\nE,,KH\nE,,KH\nF,x,KH\n"
                               "G,a@example.org,XX\n";
    struct paper_totals totals;

    (void)state;
    judge_bytes(text, sizeof text - 1, &totals);
    assert_string_equal(page.data, "2:ok 3:repeat 4:ok 5:repeat 6:ok 7:ok 8:contact=unrecognised "
                                   "9:country=invalid ");
    assert_int_equal(totals.rows, 8);
    assert_int_equal(totals.wrong, 2);
    assert_int_equal(totals.repeats, 2);
    assert_int_equal(totals.without_contact, 2);
}

static void rows_without_contact_have_random_tags_and_an_empty_canonical_contact(void **state)
{
    static const char text[] = "name,country\nA,KH\nA,KH\n";
    uint8_t tag[TAG_LEN], w[HASH_LEN];
    struct paper_sheet *sheet = paper_open(&rules, text, sizeof text - 1);
    struct paper_row row;

    (void)state;
    paper_row_init(&row);
    assert_true(paper_next(sheet, &row) && row.valid);
    assert_string_equal(row.form.canonical.canonical, "");
    assert_int_equal(row.draft.tier, TIER_PAPER);
    assert_non_null(strstr(row.draft.record.data, "\"contact\":\"\",\"country\":\"KH\","
                                                  "\"visibility\":\"private\",\"updates\":false,"
                                                  "\"lang\":\"km\""));
    memcpy(tag, row.draft.tag, sizeof tag);
    memcpy(w, row.draft.w, sizeof w);
    assert_true(paper_next(sheet, &row) && row.valid && !row.repeat);
    assert_memory_not_equal(tag, row.draft.tag, sizeof tag);
    assert_memory_not_equal(w, row.draft.w, sizeof w);
    paper_row_release(&row);
    paper_close(sheet);
}

static void a_file_has_at_most_100000_rows(void **state)
{
    struct paper_totals totals;
    struct buf text;

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, "name,country\n");
    for (int i = 0; i < PAPER_ROWS_MAX; i++)
        buf_adds(&text, "A,KH\n");
    judge_bytes(text.data, text.len, &totals);
    assert_int_equal(totals.rows, PAPER_ROWS_MAX);
    assert_int_equal(totals.wrong, 0);
    assert_null(strchr(page.data, '!'));
    for (int i = 0; i < 9 * PAPER_ROWS_MAX; i++) /* a million: the rest is not even read */
        buf_adds(&text, "A,KH\n");
    judge_bytes(text.data, text.len, &totals);
    assert_int_equal(totals.rows, PAPER_ROWS_MAX);
    assert_non_null(strstr(page.data, "100002!many_rows"));
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(columns_come_in_any_order_and_two_may_be_missing),
        TEST(a_file_with_wrong_columns_is_refused),
        TEST(a_file_that_cannot_be_read_is_refused_at_its_line),
        TEST(each_row_is_judged_as_a_form_is),
        TEST(formulas_are_names_like_others),
        TEST(the_longest_names_are_taken),
        TEST(a_contact_twice_in_the_file_is_a_repeat),
        TEST(rows_without_contact_have_random_tags_and_an_empty_canonical_contact),
        TEST(a_file_has_at_most_100000_rows),
    };

    return cmocka_run_group_tests(tests, set_up_paper, tear_down_paper);
}
