/* Letters, summary and README of a bundle, made from the real public content. */
#include "letter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char figures_text[] =
    "{\"delivery\":3,\"date\":\"2017-11-01\",\"log_size\":1300000,\"signatures\":1234567,"
    "\"confirmed\":765432,\"countries\":61,\"submissions\":1240000,\"repeats\":5433,"
    "\"withdrawn\":77,\"removed\":{\"request\":1,\"duplicate\":2,\"fraud\":3000,\"test\":4,"
    "\"lost\":5},\"by_tier\":[{\"tier\":\"confirmed\",\"n\":770000}],"
    "\"by_country\":[{\"country\":\"KH\",\"n\":900000},{\"country\":\"other\",\"n\":20}],"
    "\"by_day\":[{\"day\":\"2017-10-31\",\"n\":1000},{\"day\":\"other\",\"n\":30}]}";

static struct content *content;
static cJSON *figures;
static struct letter_source source;

static int open_content(void **state)
{
    struct buf err;

    (void)state;
    buf_init(&err, 1000);
    content = content_open("public", &err);
    if (!content)
        print_error("%s\n", err.data);
    buf_release(&err);
    figures = cJSON_Parse(figures_text);
    return content && figures ? 0 : -1;
}

static int close_content(void **state)
{
    (void)state;
    cJSON_Delete(figures);
    content_close(content);
    return 0;
}

static int reset_source(void **state)
{
    (void)state;
    source = (struct letter_source){.content = content,
                                    .figures = figures,
                                    .organiser_name = "",
                                    .organiser_contact = "",
                                    .origin = "petition.example",
                                    .base_url = "https://petition.example",
                                    .minisign_key = "RWkey"};
    return 0;
}

static void write_letter(struct buf *out, int position, int person, enum lang lang)
{
    source.position = position;
    buf_clear(out);
    letter_write(out, &source, &(struct letter_to){.person = person, .lang = lang});
    assert_true(buf_ok(out));
}

/* A {word} that nothing has filled, or a [key] that the catalogue lacks; in a style sheet, such
 * brackets have other characters between them. */
static bool has_hole(const char *text)
{
    for (; (text = strpbrk(text, "{[")); text++) {
        size_t len = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz0123456789_.");

        if (len > 0 && text[1 + len] == (*text == '{' ? '}' : ']'))
            return true;
    }
    return false;
}

static void every_letter_is_filled_and_no_two_are_alike(void **state)
{
    uint8_t seen[64][HASH_LEN];
    struct letter_to letters[16];
    struct buf out;
    size_t n = 0;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    for (int position = 0; position < ADDRESSEE_COUNT; position++) {
        size_t count;

        source.position = position;
        count = letter_list(&source, letters, 16);
        for (size_t i = 0; i < count; i++) {
            write_letter(&out, position, letters[i].person, letters[i].lang);
            assert_false(has_hole(out.data));
            assert_null(strstr(out.data, "date."));
            assert_non_null(strstr(out.data, "</html>"));
            crypto_hash_sha256(seen[n], (const uint8_t *)out.data, out.len);
            for (size_t j = 0; j < n; j++)
                assert_memory_not_equal(seen[j], seen[n], HASH_LEN);
            n++;
        }
    }
    assert_int_equal(n, 29);
    buf_release(&out);
}

static void a_letter_has_all_its_parts_in_its_language(void **state)
{
    struct buf out;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    write_letter(&out, 0, 2, LANG_FR);
    assert_non_null(strstr(out.data, "<html lang=\"fr\""));
    assert_non_null(strstr(out.data, "1er novembre 2017"));
    assert_non_null(strstr(out.data, "1\u202f234\u202f567"));
    assert_non_null(strstr(out.data, "Emmanuel Macron"));
    assert_non_null(strstr(out.data, "Les organisateurs, au nom des signataires"));
    assert_non_null(strstr(out.data, "(3\u202f012)")); /* removed, summed */
    assert_non_null(strstr(out.data, "https://petition.example"));
    write_letter(&out, 1, 0, LANG_KM);
    assert_non_null(strstr(out.data, "<html lang=\"km\""));
    assert_non_null(strstr(out.data, "1 វិច្ឆិកា ឆ្នាំ2017"));
    assert_non_null(strstr(out.data, "Norodom Sihamoni"));
    assert_non_null(strstr(out.data, "នរោត្តម សីហមុនី"));
    assert_non_null(strstr(out.data, "អ្នករៀបចំ"));
    write_letter(&out, 9, 0, LANG_EN);
    assert_non_null(strstr(out.data, "1 November 2017"));
    assert_non_null(strstr(out.data, "1,234,567"));
    assert_non_null(strstr(out.data, "Fumio Kishida"));
    buf_release(&out);
}

static void the_organisers_own_name_is_escaped(void **state)
{
    struct buf out;

    (void)state;
    source.organiser_name = "A & B <committee>";
    source.organiser_contact = "write@petition.example";
    buf_init(&out, BUF_UNLIMITED);
    write_letter(&out, 9, 0, LANG_EN);
    assert_non_null(strstr(out.data, "A &amp; B &lt;committee&gt;"));
    assert_null(strstr(out.data, "<committee>"));
    assert_non_null(strstr(out.data, "write@petition.example"));
    buf_release(&out);
}

static void without_a_site_a_letter_names_the_origin(void **state)
{
    struct buf out;

    (void)state;
    source.base_url = "";
    source.origin = "petition.invalid/log";
    buf_init(&out, BUF_UNLIMITED);
    write_letter(&out, 9, 0, LANG_EN);
    assert_non_null(strstr(out.data, "petition.invalid/log"));
    buf_release(&out);
}

static void the_summary_shows_every_figure_and_table(void **state)
{
    static const char *const shown[] = {"1,234,567", "765,432",    "1,240,000", "5,433",
                                        "77",        "3,000",      "1,300,000", "770,000",
                                        "Cambodia",  "2017-10-31", ">61<",      ">30<"};
    struct buf out;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    letter_summary(&out, &source);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        assert_non_null(strstr(out.data, shown[i]));
    assert_false(has_hole(out.data));
    assert_null(strstr(out.data, "summary."));
    assert_null(strstr(out.data, "tier."));
    buf_release(&out);
}

static void the_readme_is_in_the_languages_of_the_letters(void **state)
{
    /* Each begins with the petition's title, and that is in its language. */
    static const struct {
        int position;
        bool french, khmer;
    } cases[] = {{0, true, false}, {1, false, true}, {3, true, false}, {9, false, false}};
    struct buf out;

    (void)state;
    buf_init(&out, BUF_UNLIMITED);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&out);
        source.position = cases[i].position;
        letter_readme(&out, &source);
        assert_false(has_hole(out.data));
        assert_non_null(strstr(out.data, "minisign -Vm SHA256SUMS -P RWkey"));
        assert_non_null(strstr(out.data, "https://petition.example/api/v1/petition"));
        assert_non_null(strstr(out.data, "/api/v1/deliveries/"));
        assert_non_null(strstr(out.data, "petition verify ARCHIVE.zip log.zip"));
        assert_true(!strstr(out.data, "signataires") == !cases[i].french);
        assert_true(!strstr(out.data, "ហត្ថលេខា") == !cases[i].khmer);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_letter_is_filled_and_no_two_are_alike, reset_source),
        cmocka_unit_test_setup(a_letter_has_all_its_parts_in_its_language, reset_source),
        cmocka_unit_test_setup(the_organisers_own_name_is_escaped, reset_source),
        cmocka_unit_test_setup(without_a_site_a_letter_names_the_origin, reset_source),
        cmocka_unit_test_setup(the_summary_shows_every_figure_and_table, reset_source),
        cmocka_unit_test_setup(the_readme_is_in_the_languages_of_the_letters, reset_source),
    };

    return cmocka_run_group_tests(tests, open_content, close_content);
}
