/* The signature lists, as they stand in finished bundles: exact rows, and no name where none may
 * be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <inttypes.h>

#include "bundle_fixture.h"

static void a_name_is_where_its_signer_allows_it_and_nowhere_else(void **state)
{
    char dir[80];

    (void)state;
    sign_some();
    spool_and_build(CHINA);
    unpack(dir, CHINA);
    assert_int_equal(shell("grep -rqF 'ចាន់ ស្រីនាង' %s", dir), 0);
    assert_int_equal(shell("grep -rqF 'Ottoline Shared' %s", dir), 0);
    assert_int_equal(shell("grep -rqF -e Perpetua -e Wendeline %s", dir), 1);
    assert_int_equal(shell("cut -d, -f8 %s/" PART " | tr -d '\"\\r' | base64 -di 2>/dev/null |"
                           " grep -aqF -e Perpetua -e Wendeline",
                           dir),
                     1);
    assert_int_equal(shell("grep -qF '\"names\":\"with-consent\"' %s/manifest.json", dir), 0);
}

static void entry_two_gets_no_name_at_all(void **state)
{
    char dir[80];
    struct buf csv;

    (void)state;
    sign_some();
    spool_and_build(ENTRY_TWO);
    unpack(dir, ENTRY_TWO);
    assert_int_equal(shell("grep -rqF -e ស្រីនាង -e Ottoline -e Perpetua -e Wendeline %s", dir), 1);
    assert_int_equal(shell("grep -qF '\"names\":\"never\"' %s/manifest.json", dir), 0);
    /* The base64 of FIELDS begins with this: there is none. */
    assert_int_equal(shell("grep -rqF eyJuYW1l %s", dir), 1);
    read_at(&csv, dir, PART);
    for (char *line = strstr(csv.data, "\r\n") + 2; *line; line = strstr(line, "\r\n") + 2)
        assert_non_null(strstr(strstr(line, "\r\n") - 6, "\",,,,,\r\n"));
    buf_release(&csv);
}

static void expect_row(struct buf *out, int64_t index, const char *name, const char *opened)
{
    struct buf body;
    uint8_t leaf[HASH_LEN];

    buf_init(&body, BUF_UNLIMITED);
    assert_int_equal(db_log_entry(f.readers[0], index, &body), DB_OK);
    merkle_leaf(leaf, body.data, body.len);
    buf_release(&body);
    buf_printf(out, "%" PRId64 ",\"unconfirmed\",\"", index);
    buf_hex(out, leaf, HASH_LEN);
    buf_printf(out, "\",%s%s\r\n", name, opened);
}

/* What opening and fields_b64 of a row say matches c of its entry. */
static void expect_opened(const char *line, int64_t index, int64_t text, const char *name)
{
    char cells[512], *opening, *fields_b64, *end;
    uint8_t opened[OPENING_LEN], c[HASH_LEN], w[HASH_LEN] = {0};
    struct fields fields = {name, "KH", text, DAY, VISIBILITY_PUBLIC};
    struct buf expected, entry;

    snprintf(cells, sizeof cells, "%s", line);
    opening = strstr(cells, "\"2017-10-23\",\"");
    assert_non_null(opening);
    opening += strlen("\"2017-10-23\",\"");
    opening += *opening == '\'';
    end = strchr(opening, '"');
    *end = '\0';
    fields_b64 = end + strlen("\",\"");
    *strchr(fields_b64, '"') = '\0';
    assert_int_equal(base64_decode(opened, OPENING_LEN, opening), 0);
    buf_init(&expected, BUF_UNLIMITED);
    buf_init(&entry, BUF_UNLIMITED);
    entry_fields(&expected, &fields);
    entry_commitment(c, f.g, opened, &expected);
    buf_base64(&entry, (const uint8_t *)expected.data, expected.len);
    assert_string_equal(fields_b64, entry.data);
    buf_clear(&entry);
    buf_clear(&expected);
    entry_sign(&expected, c, w);
    assert_int_equal(db_log_entry(f.readers[0], index, &entry), DB_OK);
    assert_string_equal(expected.data, entry.data);
    buf_release(&expected);
    buf_release(&entry);
}

static void a_row_proves_what_its_entry_committed_to_under_the_text_of_its_time(void **state)
{
    char dir[80];
    struct buf csv;
    const char *line;

    (void)state;
    begin();
    sign("First", VISIBILITY_PUBLIC); /* 1 */
    change_text();                    /* 2 */
    sign("Second", VISIBILITY_PUBLIC);
    change_text(); /* 4 */
    change_text(); /* 5 */
    sign("Third", VISIBILITY_PUBLIC);
    f.people = 0xf7; /* the next opening begins with 0xf8, and so its base64 with + */
    sign("Fourth", VISIBILITY_PUBLIC); /* 7 */
    commit();
    spool_and_build(CHINA);
    unpack(dir, CHINA);
    read_at(&csv, dir, PART);
    line = strstr(csv.data, "\r\n1,");
    expect_opened(line, 1, 0, "First");
    expect_opened(strstr(line, "\r\n3,"), 3, 2, "Second");
    expect_opened(strstr(line, "\r\n6,"), 6, 5, "Third");
    line = strstr(line, "\r\n7,");
    assert_non_null(strstr(line, ",\"'+"));
    expect_opened(line, 7, 5, "Fourth");
    buf_release(&csv);
}

static void the_csv_is_exact_and_harmless(void **state)
{
    static const char *const names[][2] = {
        {"=1+1", "\"'=1+1\""},
        {"@SUM(A1)", "\"'@SUM(A1)\""},
        {"+12", "\"'+12\""},
        {"-2+3", "\"'-2+3\""},
        {"O\"Brien, \"Jr\"; x", "\"O\"\"Brien, \"\"Jr\"\"; x\""},
        {"ចាន់ ស្រីនាង", "\"ចាន់ ស្រីនាង\""},
    };
    struct buf csv, expected;
    char dir[80];
    const char *line;

    (void)state;
    begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sign(names[i][0], VISIBILITY_PUBLIC);
    sign("nobody sees this", VISIBILITY_PRIVATE);
    commit();
    spool_and_build(CHINA);
    unpack(dir, CHINA);
    read_at(&csv, dir, PART);
    line = "\xef\xbb\xbfindex,tier,entry_sha256,name,country,day,opening,fields_b64\r\n";
    assert_memory_equal(csv.data, line, strlen(line));
    line = csv.data + strlen(line);
    buf_init(&expected, BUF_UNLIMITED);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        buf_clear(&expected);
        expect_row(&expected, (int64_t)i + 1, names[i][1], ",\"KH\",\"2017-10-23\",");
        assert_memory_equal(line, expected.data, expected.len - 2);
        line = strstr(line, "\r\n") + 2;
    }
    buf_clear(&expected);
    expect_row(&expected, 7, "", ",,,,");
    assert_string_equal(line, expected.data);
    buf_release(&expected);
    buf_release(&csv);
}

static void rows_are_cut_into_parts_and_none_is_lost(void **state)
{
    char dir[80];

    (void)state;
    sign_many(25001);
    f.b.part_rows = 10000;
    spool_and_build(CHINA);
    unpack(dir, CHINA);
    assert_int_equal(shell("cd %s/signatures && [ \"$(ls)\" = \"$(printf 'part-00%%s.csv\\n' 1 2 3"
                           ")\" ] && [ \"$(wc -l <part-001.csv)\" = 10001 ] &&"
                           " [ \"$(wc -l <part-002.csv)\" = 10001 ] &&"
                           " [ \"$(wc -l <part-003.csv)\" = 5002 ]",
                           dir),
                     0);
    assert_int_equal(shell("cd %s/signatures && tail -qn +2 part-*.csv | cut -d, -f1 >got &&"
                           " seq 1 25001 | cmp - got",
                           dir),
                     0);
    assert_int_equal(shell("cd %s && sha256sum --strict --quiet -c SHA256SUMS", dir), 0);
    assert_true(f.calls > 10);
}

static void a_list_of_exactly_one_part_has_no_empty_second_one(void **state)
{
    (void)state;
    sign_many(20);
    f.b.part_rows = 10;
    spool_and_build(CHINA);
    assert_int_equal(shell("[ $(unzip -Z1 %s/08-china.zip | grep -c part-) = 2 ]", f.dir), 0);
}

static void without_a_signature_there_is_a_list_with_its_header(void **state)
{
    char dir[80];
    struct buf csv;

    (void)state;
    spool_and_build(CHINA);
    unpack(dir, CHINA);
    read_at(&csv, dir, PART);
    assert_non_null(strstr(csv.data, "fields_b64\r\n"));
    assert_string_equal(strstr(csv.data, "\r\n"), "\r\n");
    buf_release(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_name_is_where_its_signer_allows_it_and_nowhere_else),
        CLAIM(entry_two_gets_no_name_at_all),
        CLAIM(a_row_proves_what_its_entry_committed_to_under_the_text_of_its_time),
        CLAIM(the_csv_is_exact_and_harmless),
        CLAIM(rows_are_cut_into_parts_and_none_is_lost),
        CLAIM(a_list_of_exactly_one_part_has_no_empty_second_one),
        CLAIM(without_a_signature_there_is_a_list_with_its_header),
    };

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, open_group, close_group);
}
