/*
 * test_view: what every page of the visitors has and does not have, and what the pages around the
 * petition say. The petition and its form: test_view_form.c.
 */
#include "view_fixture.h"

#include <brotli/encode.h>
#include <sodium.h>

#define SHORT_CODE    "12345-9F3K-T2QM"
#define WITHDRAW_CODE "12345-7ZK3M9Q2XW4T8R5N6P1S0VDHBJC"

/* ---- every page ---- */

static const struct view_thanks codes = {.short_code = SHORT_CODE,
                                         .withdraw_code = WITHDRAW_CODE,
                                         .address = "/en/thanks/x"};

static void show_petition(enum lang lang)
{
    view_petition(&page, &view, lang, &some, NULL);
}

static void show_errors(enum lang lang)
{
    struct view_form form = {.values = {[FIELD_COUNTRY] = "FR"}};

    for (int i = 0; i < FIELD__COUNT; i++)
        form.errors[i] = FIELD_INVALID;
    view_petition(&page, &view, lang, &some, &form);
}

static void show_busy(enum lang lang)
{
    struct view_form form = {.notice = "sign.busy", .values = {[FIELD_SEED] = "c2VlZA=="}};

    view_petition(&page, &view, lang, &none, &form);
}

static void show_paused(enum lang lang)
{
    view.open = false;
    view_petition(&page, &view, lang, &some, NULL);
}

static void show_thanks(enum lang lang)
{
    view.base_url = "https://petition.example";
    view_thanks(&page, &view, lang, &codes);
}

static void show_thanks_gone(enum lang lang)
{
    view_thanks_gone(&page, &view, lang);
}

static void show_withdraw(enum lang lang)
{
    view_withdraw(&page, &view, lang, &(struct view_withdrawal){WITHDRAW_ASK, NULL});
}

static void show_withdraw_unknown(enum lang lang)
{
    view_withdraw(&page, &view, lang, &(struct view_withdrawal){WITHDRAW_UNKNOWN, NULL});
}

static void show_withdrawn(enum lang lang)
{
    view_withdraw(&page, &view, lang, &(struct view_withdrawal){WITHDRAW_DONE, NULL});
}

static void show_waiting(enum lang lang)
{
    struct view_thanks waiting = codes;

    waiting.reload_s = 20;
    waiting.ticket = "c2VhbGVk";
    view_thanks(&page, &view, lang, &waiting);
}

static void show_published(enum lang lang)
{
    struct view_thanks published = codes;

    published.published = true;
    published.ticket = "c2VhbGVk";
    view_thanks(&page, &view, lang, &published);
}

static void show_at_risk(enum lang lang)
{
    struct view_thanks at_risk = codes;

    at_risk.at_risk = true;
    view_thanks(&page, &view, lang, &at_risk);
}

static void show_save(enum lang lang)
{
    view_save(&page, &view, lang, &(struct view_save){"c2VhbGVk", 12345, true});
}

static void show_save_later(enum lang lang)
{
    view_save(&page, &view, lang, &(struct view_save){"c2VhbGVk", 12345, false});
}

static void show_receipt(enum lang lang)
{
    view_receipt(&page, &view, lang, &(struct view_receipt){.state = RECEIPT_ASK});
}

static void show_receipt_fork(enum lang lang)
{
    view_receipt(&page, &view, lang,
                 &(struct view_receipt){.state = RECEIPT_FORK, .typed = "<c2sp> & \"quoted\""});
}

static const int64_t two_deliveries[] = {1, 3};
static const struct view_receipt found = {.state = RECEIPT_FOUND,
                                          .index = 12345,
                                          .since = 12400,
                                          .end = 15000,
                                          .why = VOID_FRAUD,
                                          .deliveries = two_deliveries,
                                          .delivery_count = 2,
                                          .more_deliveries = true,
                                          .proven = 12500};

static void show_receipt_found(enum lang lang)
{
    view_receipt(&page, &view, lang, &found);
}

static void show_privacy(enum lang lang)
{
    view_privacy(&page, &view, lang);
}

static void show_progress(enum lang lang)
{
    view_progress(&page, &view, lang, &some);
}

static void show_error(enum lang lang)
{
    view_error(&page, &view, lang, 404);
}

typedef void show(enum lang lang);
static show *const pages[] = {
    show_petition, show_errors,      show_busy,     show_paused,           show_thanks,
    show_privacy,  show_progress,    show_withdraw, show_withdraw_unknown, show_withdrawn,
    show_error,    show_thanks_gone, show_waiting,  show_published,        show_at_risk,
    show_save,     show_save_later,  show_receipt,  show_receipt_fork,     show_receipt_found,
};
#define PAGES (sizeof pages / sizeof *pages)

/* Calls the check on every page in every language. */
static void for_every_page(void (*check)(enum lang lang))
{
    for (size_t i = 0; i < PAGES; i++) {
        for (int lang = 0; lang < LANG__COUNT; lang++) {
            reset(NULL);
            pages[i]((enum lang)lang);
            assert_true(buf_ok(&page));
            check((enum lang)lang);
        }
    }
}

static void every_page_is_balanced(void **state)
{
    (void)state;
    for_every_page(check_balance);
}

static void check_nothing_runs(enum lang lang)
{
    static const char *const forbidden[] = {
        "<script", " style=", "<img", "src=", " on",
        "<iframe", "@import", "url(", "{{",   "javascript:",
    };

    (void)lang;
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        for (const char *at = page.data; (at = strstr(at, forbidden[i])); at++)
            if (strcmp(forbidden[i], " on") != 0 || at[strcspn(at + 1, "= <\n") + 1] == '=')
                fail_msg("the page has %s", forbidden[i]);
    assert_int_equal(times("<style>"), 1);
}

static void no_page_runs_or_loads_anything(void **state)
{
    (void)state;
    for_every_page(check_nothing_runs);
}

static void whatever_is_referred_to_is_there_once(void **state)
{
    (void)state;
    for_every_page(check_references);
}

static void check_frame(enum lang lang)
{
    char html[40], home[40];

    snprintf(html, sizeof html, "<html lang=\"%s\">", lang_codes[lang]);
    snprintf(home, sizeof home, "href=\"/%s/privacy\"", lang_codes[lang]);
    assert_has(html);
    assert_has(home);
    assert_has("<a class=\"skip\" href=\"#main\">");
    assert_int_equal(times("<h1"), 1);
    assert_int_equal(times("<main"), 1);
    assert_int_equal(times("<title>"), 1);
    assert_lacks("<title></title>");
    assert_lacks("<h1></h1>");
    for (const char *at = page.data; (at = strchr(at, '[')); at++)
        assert_true(at < strstr(page.data, "</style>")); /* [key]: a text that is missing */
}

static void every_page_has_its_language_its_landmarks_and_all_its_texts(void **state)
{
    (void)state;
    for_every_page(check_frame);
}

static void the_language_switch_leads_to_the_same_page(void **state)
{
    (void)state;
    view_progress(&page, &view, LANG_FR, &some);
    assert_has("<a href=\"/km/progress\" lang=\"km\" hreflang=\"km\">ខ្មែរ</a>");
    assert_has("<a href=\"/en/progress\" lang=\"en\" hreflang=\"en\">English</a>");
    assert_has("<span lang=\"fr\" aria-current=\"true\">Français</span>");
    buf_clear(&page);
    show_error(LANG_EN);
    assert_has("<a href=\"/km\" lang=\"km\"");
}

static void addresses_are_absolute_only_with_a_base_url(void **state)
{
    (void)state;
    show_privacy(LANG_KM);
    assert_has("<link rel=\"canonical\" href=\"/km/privacy\">");
    assert_has("hreflang=\"fr\" href=\"/fr/privacy\">");
    assert_has("hreflang=\"x-default\" href=\"/\">");
    assert_lacks("og:url");
    buf_clear(&page);
    view.base_url = "https://petition.example";
    show_privacy(LANG_KM);
    assert_has("<link rel=\"canonical\" href=\"https://petition.example/km/privacy\">");
    assert_has("hreflang=\"en\" href=\"https://petition.example/en/privacy\">");
    assert_has("hreflang=\"x-default\" href=\"https://petition.example/\">");
    assert_has("<meta property=\"og:url\" content=\"https://petition.example/km/privacy\">");
    buf_clear(&page);
    show_error(LANG_KM);
    assert_has("<meta name=\"robots\" content=\"noindex\">");
    assert_lacks("canonical");
}

static void the_style_hash_is_that_of_the_inlined_bytes(void **state)
{
    const char *start, *end;
    uint8_t hash[HASH_LEN];
    struct buf expected, got;

    (void)state;
    show_petition(LANG_KM);
    start = strstr(page.data, "<style>") + strlen("<style>");
    end = strstr(start, "</style>");
    crypto_hash_sha256(hash, (const uint8_t *)start, (size_t)(end - start));
    buf_init(&expected, 100);
    buf_init(&got, 100);
    buf_adds(&expected, "sha256-");
    buf_base64(&expected, hash, sizeof hash);
    view_style_hash(&got, &view);
    assert_string_equal(got.data, expected.data);
    buf_release(&expected);
    buf_release(&got);
}

static void a_first_visit_fits_in_the_first_packets(void **state)
{
    (void)state;
    assert_true(view.content->style.len <= 7 * 1024);
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        size_t len = 200 * 1024;
        uint8_t *packed = xcalloc(len, 1);

        buf_clear(&page);
        show_petition((enum lang)lang);
        assert_true(BrotliEncoderCompress(BROTLI_MAX_QUALITY, BROTLI_DEFAULT_WINDOW,
                                          BROTLI_MODE_TEXT, page.len, (uint8_t *)page.data, &len,
                                          packed));
        free(packed);
        assert_true(len <= 14 * 1024);
    }
}

/* ---- the other pages ---- */

static void thanks_show_the_codes_and_lead_nowhere_else(void **state)
{
    (void)state;
    view_thanks(&page, &view, LANG_KM, &codes);
    assert_has("<code>" SHORT_CODE "</code>");
    assert_has("<code>" WITHDRAW_CODE "</code>");
    assert_says(LANG_KM, "thanks.keep");
    assert_says(LANG_KM, "thanks.device.text");
    assert_has("<code>/km</code>");
    assert_lacks("hreflang");
    assert_lacks("https://t.me");
}

static void share_links_are_plain_and_encoded(void **state)
{
    (void)state;
    show_thanks(LANG_FR);
    assert_has("<a href=\"https://t.me/share/url?url=https%3A%2F%2Fpetition.example%2Ffr&amp;text="
               "Un%20million%20de%20signatures");
    assert_has(
        "https://www.facebook.com/sharer/sharer.php?u=https%3A%2F%2Fpetition.example%2Ffr\"");
    assert_has("https://wa.me/?text=Un%20million");
    assert_has("mailto:?subject=Un%20million");
    assert_has("rel=\"noopener noreferrer\"");
    assert_lacks("share_links");
    for (const char *at = page.data; (at = strstr(at, "<a href=\"http")); at++)
        assert_null(memchr(at, '1', (size_t)(strchr(at, '>') - at))); /* no code leaves */
}

static void withdrawing_says_what_happened(void **state)
{
    static const char *const texts[WITHDRAW_STATE__COUNT] = {
        [WITHDRAW_ASK] = "withdraw.intro",         [WITHDRAW_MISSING] = "withdraw.missing",
        [WITHDRAW_MISTYPED] = "withdraw.mistyped", [WITHDRAW_UNKNOWN] = "withdraw.unknown",
        [WITHDRAW_BUSY] = "withdraw.busy",         [WITHDRAW_DONE] = "withdraw.done.erased",
    };

    (void)state;
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        for (int i = 0; i < WITHDRAW_STATE__COUNT; i++) {
            bool wrong = i == WITHDRAW_MISSING || i == WITHDRAW_MISTYPED || i == WITHDRAW_UNKNOWN;

            buf_clear(&page);
            view_withdraw(&page, &view, (enum lang)lang,
                          &(struct view_withdrawal){(enum withdraw_state)i, NULL});
            assert_says((enum lang)lang, texts[i]);
            assert_int_equal(has("<form"), i != WITHDRAW_DONE);
            assert_int_equal(has("aria-invalid="), wrong);
            assert_int_equal(has("<a href=\"#code\">"), wrong);
        }
    }
}

static void a_mistyped_code_is_shown_again(void **state)
{
    (void)state;
    view_withdraw(&page, &view, LANG_EN, &(struct view_withdrawal){WITHDRAW_MISTYPED, "12-ABC"});
    assert_has("name=\"code\" value=\"12-ABC\"");
}

static void progress_has_a_table_of_each_kind(void **state)
{
    (void)state;
    show_progress(LANG_FR);
    assert_int_equal(times("<caption>"), 3);
    assert_int_equal(times("<th scope=\"col\">"), 6);
    assert_has("<th scope=\"row\">Cambodge</th><td>6\u202F300</td>");
    assert_has("<th scope=\"row\">Autres</th><td>180</td>");
    assert_has("<th scope=\"row\">23 octobre 2017</th><td>5\u202F230</td>");
    assert_has("<th scope=\"row\">1er novembre 2017</th>");
    assert_has("<th scope=\"row\">Sur papier</th><td>330</td>");
    assert_has("23 octobre 2017, 14:05 UTC");
    assert_has("RWtest");
}

static void progress_without_figures_says_so(void **state)
{
    (void)state;
    view_progress(&page, &view, LANG_EN, &none);
    assert_says(LANG_EN, "progress.empty");
    assert_lacks("<table");
    assert_lacks("Confirmed by e-mail: 20");
}

static void a_receipt_names_its_deliveries_and_says_if_there_are_more(void **state)
{
    struct view_receipt named = found;

    (void)state;
    named.more_deliveries = false;
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        const char *more = content_text(view.content, (enum lang)lang, "receipt.delivery.more");

        buf_clear(&page);
        show_receipt_found((enum lang)lang);
        assert_int_equal(times(more), 1);
        buf_clear(&page);
        view_receipt(&page, &view, (enum lang)lang, &named);
        assert_int_equal(times(more), 0);
    }
}

static void every_status_has_words_in_every_language(void **state)
{
    static const int statuses[] = {400, 403, 404, 405, 410, 411, 413, 415, 422, 429, 500, 503};
    char key[40];

    (void)state;
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
            buf_clear(&page);
            view_error(&page, &view, (enum lang)lang, statuses[i]);
            snprintf(key, sizeof key, "problem.%d.title", statuses[i]);
            assert_string_not_equal(content_text(view.content, (enum lang)lang, key), key);
            assert_says((enum lang)lang, key);
            snprintf(key, sizeof key, "problem.%d.text", statuses[i]);
            assert_says((enum lang)lang, key);
        }
    }
    buf_clear(&page);
    view_error(&page, &view, LANG_EN, 418);
    assert_says(LANG_EN, "problem.400.title");
    buf_clear(&page);
    view_error(&page, &view, LANG_EN, 507);
    assert_says(LANG_EN, "problem.500.title");
}

static void a_day_is_written_as_the_language_does(void **state)
{
    static const struct {
        enum lang lang;
        const char *day, *text;
    } cases[] = {
        {LANG_EN, "2017-10-01", "1 October 2017"},  {LANG_FR, "2017-08-01", "1er août 2017"},
        {LANG_FR, "2017-10-23", "23 octobre 2017"}, {LANG_EN, "2017-13-01", "2017-13-01"},
        {LANG_EN, "2017-1x-01", "2017-1x-01"},      {LANG_EN, "other", "other"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&page);
        view_day(&page, view.content, cases[i].lang, cases[i].day);
        assert_string_equal(page.data, cases[i].text);
    }
    buf_clear(&page);
    view_day(&page, view.content, LANG_KM, "2017-10-23");
    assert_has("23 តុលា");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_page_is_balanced),
        TEST(no_page_runs_or_loads_anything),
        TEST(whatever_is_referred_to_is_there_once),
        TEST(every_page_has_its_language_its_landmarks_and_all_its_texts),
        TEST(the_language_switch_leads_to_the_same_page),
        TEST(addresses_are_absolute_only_with_a_base_url),
        TEST(the_style_hash_is_that_of_the_inlined_bytes),
        TEST(a_first_visit_fits_in_the_first_packets),
        TEST(thanks_show_the_codes_and_lead_nowhere_else),
        TEST(share_links_are_plain_and_encoded),
        TEST(withdrawing_says_what_happened),
        TEST(a_mistyped_code_is_shown_again),
        TEST(progress_has_a_table_of_each_kind),
        TEST(progress_without_figures_says_so),
        TEST(a_receipt_names_its_deliveries_and_says_if_there_are_more),
        TEST(every_status_has_words_in_every_language),
        TEST(a_day_is_written_as_the_language_does),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
