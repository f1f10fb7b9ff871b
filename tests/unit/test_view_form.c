/*
 * test_view_form: the petition page and its form: what they show, keep and escape.
 */
#include "view_fixture.h"

static void show_petition(enum lang lang)
{
    view_petition(&page, &view, lang, &some, NULL);
}

/* ---- the petition ---- */

static void the_petition_shows_its_text_and_all_its_addressees(void **state)
{
    struct buf text;

    (void)state;
    buf_init(&text, BUF_UNLIMITED);
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        const cJSON *addressee = view.content->addressees->child;

        buf_clear(&page);
        show_petition((enum lang)lang);
        for (; addressee; addressee = addressee->next) {
            const cJSON *person = cJSON_GetObjectItem(addressee, "people")->child;

            for (; person; person = person->next) {
                buf_clear(&text);
                buf_adds(&text, "<b>");
                buf_html(&text, cJSON_GetObjectItem(person, "style")->valuestring);
                buf_adds(&text, " ");
                buf_html(&text, cJSON_GetObjectItem(person, "name")->valuestring);
                buf_adds(&text, "</b>, ");
                buf_html(&text, cJSON_GetObjectItem(person, "office")->valuestring);
                assert_has(text.data);
            }
        }
        assert_int_equal(times("Co-Chair of the 1991 Paris Conference on Cambodia"), 2);
        buf_clear(&text);
        buf_html(&text, strrchr(view.content->text[lang].data, '#') + 2);
        text.data[strcspn(text.data, "\n")] = '\0';
        assert_has(text.data);
    }
    buf_release(&text);
}

static void the_count_is_shown_with_the_next_milestone_and_the_goal(void **state)
{
    (void)state;
    show_petition(LANG_FR);
    assert_has("<strong>12\u202F340</strong> signatures");
    assert_has("<progress id=\"bar\" max=\"50000\" value=\"12340\">");
    assert_has("1\u202F000\u202F000");
    buf_clear(&page);
    view_petition(&page, &view, LANG_EN, &(struct publication){.count = 1234567, .step = 10}, NULL);
    assert_has("max=\"1000000\" value=\"1000000\"");
    assert_has("<strong>1,234,567</strong>");
}

static void one_signature_is_no_plural(void **state)
{
    (void)state;
    view_petition(&page, &view, LANG_EN, &(struct publication){.count = 1, .step = 1}, NULL);
    assert_has("<strong>1</strong> signature</p>");
    buf_clear(&page);
    view_petition(&page, &view, LANG_EN, &(struct publication){.count = 0, .step = 1}, NULL);
    assert_has("<strong>0</strong> signatures</p>");
    buf_clear(&page);
    view_petition(&page, &view, LANG_FR, &(struct publication){.count = 0, .step = 1}, NULL);
    assert_has("<strong>0</strong> signature</p>");
}

static void steps_are_explained_only_where_there_are_steps(void **state)
{
    (void)state;
    show_petition(LANG_EN);
    assert_has("Shown in steps of 10");
    buf_clear(&page);
    view_petition(&page, &view, LANG_EN, &(struct publication){.count = 3, .step = 1}, NULL);
    assert_lacks("Shown in steps");
}

static void the_risks_stand_before_the_form(void **state)
{
    (void)state;
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        const char *risk;

        buf_clear(&page);
        show_petition((enum lang)lang);
        risk = strstr(page.data, content_text(view.content, (enum lang)lang, "risk.arrest"));
        assert_non_null(risk);
        assert_true(risk < strstr(page.data, "<form"));
        assert_true(risk > strstr(page.data, "id=\"sign\""));
    }
}

static void the_form_starts_empty_and_private(void **state)
{
    (void)state;
    show_petition(LANG_EN);
    assert_has("<form method=\"post\" action=\"/en/sign\" novalidate>");
    assert_has("name=\"name\" value=\"\"");
    assert_has("name=\"contact\" value=\"\"");
    assert_has("value=\"private\" checked");
    assert_int_equal(times(" checked"), 1);
    assert_int_equal(times(" selected"), 0);
    assert_int_equal(times("<option"), 250);
    assert_has("<option value=\"\">Choose a country</option>\n<option value=\"KH\">");
    assert_lacks("name=\"seed\"");
    assert_lacks("aria-invalid=");
    assert_lacks("Error: ");
}

static void a_paused_petition_has_a_notice_and_no_form(void **state)
{
    (void)state;
    view.open = false;
    show_petition(LANG_KM);
    assert_says(LANG_KM, "sign.paused.text");
    assert_lacks("<form");
    assert_has("id=\"sign\"");
}

static void who_runs_it_is_named_or_said_not_to_be(void **state)
{
    (void)state;
    show_petition(LANG_EN);
    assert_has("Responsible for this petition: The organisers.");
    assert_says(LANG_EN, "petition.run_by_unnamed");
    buf_clear(&page);
    view.organiser_name = "Khmer <People> & Co";
    view.organiser_contact = "mail@example.org";
    show_petition(LANG_EN);
    assert_has("Responsible for this petition: Khmer &lt;People&gt; &amp; Co.");
    assert_has("Contact: mail@example.org");
    assert_says(LANG_EN, "petition.run_by_named");
}

/* ---- the form again ---- */

static void what_was_typed_is_kept(void **state)
{
    struct view_form form = {
        .values = {"សុខ ដារ៉ា", "a@b.org", "FR", "public", "1", "c2VlZA==", NULL}};

    (void)state;
    form.errors[FIELD_NAME] = FIELD_URL;
    view_petition(&page, &view, LANG_EN, &some, &form);
    assert_has("name=\"name\" value=\"សុខ ដារ៉ា\"");
    assert_has("name=\"contact\" value=\"a@b.org\"");
    assert_has("<option value=\"FR\" selected>");
    assert_int_equal(times(" selected"), 1);
    assert_has("value=\"public\" checked");
    assert_has("id=\"updates\" name=\"updates\" value=\"1\" checked");
    assert_int_equal(times(" checked"), 2);
    assert_has("<input type=\"hidden\" name=\"seed\" value=\"c2VlZA==\">");
    assert_int_equal(times("<option"), 250);
}

static void every_problem_is_summed_up_first_and_stands_beside_its_field(void **state)
{
    const char *summary;
    struct view_form form = {0};

    (void)state;
    form.errors[FIELD_NAME] = FIELD_MISSING;
    form.errors[FIELD_CONTACT] = FIELD_BAD_PHONE;
    form.errors[FIELD_COUNTRY] = FIELD_INVALID;
    view_petition(&page, &view, LANG_EN, &some, &form);
    assert_has("<title>Error: One million");
    summary = strstr(page.data, "role=\"alert\" tabindex=\"-1\"");
    assert_non_null(summary);
    assert_true(strstr(page.data, "<main") < summary && summary < strstr(page.data, "<h1"));
    assert_has("<a href=\"#name\">Enter your full name</a>");
    assert_has("<a href=\"#contact\">Enter a phone number of the country you chose");
    assert_has("<a href=\"#country\">Choose a country from the list</a>");
    assert_has("<p class=\"error\" id=\"name-error\">Enter your full name</p>");
    assert_has("aria-describedby=\"name-hint name-error\" aria-invalid=\"true\"");
    assert_int_equal(times("aria-invalid=\"true\""), 3);
    assert_lacks("<article>");
}

static void a_problem_that_has_no_field_is_said_too(void **state)
{
    struct view_form form = {.values = {[FIELD_SEED] = "bad"}};

    (void)state;
    form.errors[FIELD_SEED] = FIELD_INVALID;
    view_petition(&page, &view, LANG_EN, &some, &form);
    assert_has("<a href=\"#sign\">The form was altered");
    assert_lacks("name=\"seed\"");
}

static void every_reason_has_words_in_every_language(void **state)
{
    (void)state;
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        for (int field = 0; field < FIELD__COUNT; field++) {
            for (int reason = FIELD_OK + 1; reason < FIELD_REASON__COUNT; reason++) {
                struct view_form form = {0};

                buf_clear(&page);
                form.errors[field] = (enum field_reason)reason;
                view_petition(&page, &view, (enum lang)lang, &some, &form);
                assert_lacks(">error.");
                assert_lacks("\"></a>");
            }
        }
    }
}

static void a_notice_stands_above_the_form(void **state)
{
    (void)state;
    view_petition(&page, &view, LANG_EN, &some, &(struct view_form){.notice = "sign.busy"});
    assert_says(LANG_EN, "sign.busy");
    assert_true(strstr(page.data, "Too many people") < strstr(page.data, "<form"));
    assert_lacks("Error: ");
}

static void what_visitors_type_is_only_ever_text(void **state)
{
    static const char *const payloads[] = {
        "<script>alert(1)</script>",
        "\"><svg onload=alert(1)>",
        "' autofocus onfocus='alert(1)",
        "</form></main><h1>",
        "{{{html_style}}}{{t.page.site}}{count}",
        "</title></style><!--",
        "\" checked selected x=\"",
    };

    (void)state;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        struct view_form form = {0};

        reset(NULL);
        for (int field = 0; field < FIELD__COUNT; field++) {
            form.values[field] = payloads[i];
            form.errors[field] = field == FIELD_SEED ? FIELD_OK : FIELD_INVALID;
        }
        view_petition(&page, &view, LANG_EN, &some, &form);
        check_balance(LANG_EN);
        check_references(LANG_EN);
        assert_lacks("<script");
        assert_lacks("<svg");
        assert_lacks("<!--");
        assert_int_equal(times("<h1"), 1);
        assert_int_equal(times(" checked>") + times(" checked aria"), 1);
        buf_clear(&page);
        view_withdraw(&page, &view, LANG_EN,
                      &(struct view_withdrawal){WITHDRAW_MISTYPED, payloads[i]});
        check_balance(LANG_EN);
        assert_lacks("<script");
        assert_lacks("<svg");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_petition_shows_its_text_and_all_its_addressees),
        TEST(the_count_is_shown_with_the_next_milestone_and_the_goal),
        TEST(one_signature_is_no_plural),
        TEST(steps_are_explained_only_where_there_are_steps),
        TEST(the_risks_stand_before_the_form),
        TEST(the_form_starts_empty_and_private),
        TEST(a_paused_petition_has_a_notice_and_no_form),
        TEST(who_runs_it_is_named_or_said_not_to_be),
        TEST(what_was_typed_is_kept),
        TEST(every_problem_is_summed_up_first_and_stands_beside_its_field),
        TEST(a_problem_that_has_no_field_is_said_too),
        TEST(every_reason_has_words_in_every_language),
        TEST(a_notice_stands_above_the_form),
        TEST(what_visitors_type_is_only_ever_text),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
