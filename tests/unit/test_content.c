/*
 * test_content: the folder public/ as it is, that its three languages agree, and what happens when
 * a file of it is wrong. Runs from the root of the repository.
 *
 * The folders with a mistake are made of links to the files of public/, with one file replaced.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "content.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct content *content;

static int open_content(void **state)
{
    struct buf err;

    (void)state;
    buf_init(&err, 1000);
    content = content_open("public", &err);
    if (!content)
        print_error("%s\n", err.data);
    buf_release(&err);
    return content ? 0 : -1;
}

static int close_content(void **state)
{
    (void)state;
    content_close(content);
    return 0;
}

/* ---- the folder as it is ---- */

static void countries_are_249_with_cambodia_first_and_none_twice(void **state)
{
    (void)state;
    assert_int_equal(content->plan_count, 249);
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        const cJSON *options = content->country_options[lang], *a, *b;

        assert_int_equal(cJSON_GetArraySize(options), 249);
        assert_string_equal(cJSON_GetObjectItem(options->child, "code")->valuestring, "KH");
        for (a = options->child; a; a = a->next)
            for (b = a->next; b; b = b->next)
                assert_string_not_equal(cJSON_GetObjectItem(a, "code")->valuestring,
                                        cJSON_GetObjectItem(b, "code")->valuestring);
    }
}

static void a_country_has_a_code_a_name_and_a_phone_plan(void **state)
{
    (void)state;
    assert_true(content_is_country(content, "KH"));
    assert_false(content_is_country(content, "kh"));
    assert_false(content_is_country(content, "XX"));
    assert_false(content_is_country(content, ""));
    assert_string_equal(content_country_name(content, "KH", LANG_EN), "Cambodia");
    assert_string_equal(content_country_name(content, "KH", LANG_FR), "Cambodge");
    assert_string_equal(content_country_name(content, "KH", LANG_KM), "កម្ពុជា");
    assert_string_equal(content_country_name(content, "other", LANG_FR), "Autres");
    assert_string_equal(content_country_name(content, "XX", LANG_EN), "XX");
    for (size_t i = 0; i < content->plan_count; i++) {
        const struct phone_plan *plan = &content->plans[i];

        assert_true(i == 0 || strcmp(content->plans[i - 1].code, plan->code) < 0);
        if (strcmp(plan->code, "KH") == 0) {
            assert_string_equal(plan->calling, "855");
            assert_string_equal(plan->trunk, "0");
            assert_true(plan->length_count > 0);
        }
    }
}

static void a_petition_text_is_a_title_and_blocks(void **state)
{
    (void)state;
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        const cJSON *blocks = cJSON_GetObjectItem(content->petition[lang], "blocks"), *block;
        const char *title = cJSON_GetObjectItem(content->petition[lang], "title")->valuestring;
        int headings = 0, lists = 0;

        assert_memory_equal(content->text[lang].data, title, strlen(title));
        for (block = blocks->child; block; block = block->next) {
            assert_int_equal(cJSON_GetArraySize(block), 1);
            headings += cJSON_HasObjectItem(block, "heading");
            lists += cJSON_HasObjectItem(block, "list");
        }
        assert_true(headings >= 3);
        assert_true(lists >= 2);
    }
}

static void addressees_are_served_as_they_lie_in_the_file(void **state)
{
    struct buf file;
    int people = 0;

    (void)state;
    buf_init(&file, 100000);
    assert_int_equal(buf_read_file(&file, "public/addressees.json"), 0);
    assert_int_equal(file.len, content->addressees_file.len);
    assert_memory_equal(file.data, content->addressees_file.data, file.len);
    buf_release(&file);
    for (const cJSON *a = content->addressees->child; a; a = a->next)
        people += cJSON_GetArraySize(cJSON_GetObjectItem(a, "people"));
    assert_int_equal(people, 24);
}

static void a_language_has_its_code_and_no_other(void **state)
{
    (void)state;
    assert_int_equal(lang_of("en"), LANG_EN);
    assert_int_equal(lang_of("fr"), LANG_FR);
    assert_int_equal(lang_of("km"), LANG_KM);
    assert_int_equal(lang_of("KM"), -1);
    assert_int_equal(lang_of(""), -1);
    assert_string_equal(content_text(content, LANG_EN, "no.such.key"), "no.such.key");
}

/* ---- the catalogues ---- */

/* How often {word} stands in the text. */
static int occurrences(const char *text, const char *word)
{
    int n = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

static void every_language_has_the_same_keys_and_placeholders(void **state)
{
    (void)state;
    for (const cJSON *en = content->catalogue[LANG_EN]->child; en; en = en->next) {
        for (int lang = 1; lang < LANG__COUNT; lang++) {
            const char *text = content_text(content, (enum lang)lang, en->string);

            assert_string_not_equal(text, en->string);
            for (const char *at = en->valuestring; (at = strchr(at, '{')); at++) {
                char word[40];

                snprintf(word, sizeof word, "%.*s", (int)strcspn(at, "}") + 1, at);
                if (occurrences(text, word) != occurrences(en->valuestring, word))
                    fail_msg("%s.json: %s: %s", lang_codes[lang], en->string, word);
            }
            assert_int_equal(occurrences(text, "{"), occurrences(en->valuestring, "{"));
        }
    }
    for (int lang = 0; lang < LANG__COUNT; lang++)
        assert_int_equal(cJSON_GetArraySize(content->catalogue[lang]),
                         cJSON_GetArraySize(content->catalogue[LANG_EN]));
}

static void no_text_is_empty_twice_there_or_oddly_spelt(void **state)
{
    static const char *const banned[] = {
        "\xE2\x80\x8B",
        "\xE2\x80\x8C",
        "\xE2\x80\x8D",
        "\xEF\xBB\xBF", /* zero width */
        "  ",
        "<",
        ">",
        "'",
        "\t",
        "\n",
    };
    static const char *const french[] = {" :", " ;", " !", " ?", "« ", " »"};

    (void)state;
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        for (const cJSON *a = content->catalogue[lang]->child; a; a = a->next) {
            assert_true(cJSON_IsString(a) && *a->valuestring);
            for (const cJSON *b = a->next; b; b = b->next)
                assert_string_not_equal(a->string, b->string);
            for (size_t i = 0; i < sizeof banned / sizeof *banned; i++)
                if (strstr(a->valuestring, banned[i]))
                    fail_msg("%s.json: %s has \"%s\"", lang_codes[lang], a->string, banned[i]);
            for (size_t i = 0; lang == LANG_FR && i < sizeof french / sizeof *french; i++)
                if (strstr(a->valuestring, french[i]))
                    fail_msg("fr.json: %s has \"%s\"", a->string, french[i]);
        }
    }
}

/* Appends every file of the folder whose name ends in `end`. */
static void read_all(struct buf *out, const char *folder, const char *end)
{
    DIR *dir = opendir(folder);
    char path[PATH_MAX];

    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        size_t len = strlen(e->d_name);

        if (len < strlen(end) || strcmp(e->d_name + len - strlen(end), end) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        assert_int_equal(buf_read_file(out, path), 0);
    }
    closedir(dir);
}

/* Keys that the program puts together, as view and letter do. */
static bool is_composed(const char *key)
{
    static const char *const prefixes[] = {"error.",      "problem.",      "tier.",
                                           "date.month.", "summary.",      "desk.menu.",
                                           "desk.role.",  "desk.tier.",    "desk.visibility.",
                                           "desk.why.",   "desk.state.",   "desk.said.",
                                           "desk.error.", "desk.warning.", "desk.act.",
                                           "desk.found."};
    const char *end = strrchr(key, '.');

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return strncmp(key, "desk.", 5) == 0 && end && strcmp(end, ".title") == 0;
}

static void no_text_of_the_catalogue_is_unused(void **state)
{
    struct buf templates, sources;
    char in_template[100], in_source[100];

    (void)state;
    buf_init(&templates, BUF_UNLIMITED);
    buf_init(&sources, BUF_UNLIMITED);
    read_all(&templates, "public/templates", ".html");
    read_all(&sources, "server", ".c");
    for (const cJSON *t = content->catalogue[LANG_EN]->child; t; t = t->next) {
        snprintf(in_template, sizeof in_template, "{{t.%s}}", t->string);
        snprintf(in_source, sizeof in_source, "\"%s\"", t->string);
        if (!is_composed(t->string) && !strstr(templates.data, in_template) &&
            !strstr(sources.data, in_source))
            fail_msg("nothing uses %s", t->string);
    }
    buf_release(&templates);
    buf_release(&sources);
}

/* ---- mistakes ---- */

/* Links to every file of `from`, one folder deep into the other. */
static void link_folder(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    char source[PATH_MAX], target[PATH_MAX];

    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        snprintf(source, sizeof source, "%s/%s", from, e->d_name);
        snprintf(target, sizeof target, "%s/%s", to, e->d_name);
        if (e->d_name[0] == '.')
            continue;
        if (e->d_type == DT_DIR) {
            assert_int_equal(mkdir(target, 0700), 0);
            link_folder(source, target);
        } else {
            assert_int_equal(symlink(source, target), 0);
        }
    }
    closedir(folder);
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    char inner[PATH_MAX];

    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (e->d_name[0] == '.')
            continue;
        if (e->d_type == DT_DIR)
            remove_folder(inner);
        else
            unlink(inner);
    }
    closedir(folder);
    rmdir(path);
}

/* Puts the text in place of a link, with the first `from` replaced by `to`. */
static void replace(const char *path, const char *from, const char *to)
{
    struct buf text;
    const char *at;
    FILE *f;

    buf_init(&text, BUF_UNLIMITED);
    assert_int_equal(buf_read_file(&text, path), 0);
    at = strstr(text.data, from);
    if (!at)
        fail_msg("%s has no %s", path, from);
    unlink(path);
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "%.*s%s%s", (int)(at - text.data), text.data, to, at + strlen(from));
    fclose(f);
    buf_release(&text);
}

/* content_open says `says` in one line when `from` in the file is `to`; from NULL: it is gone.
 * Unless `says` names another file, it names this one. */
static void assert_mistake(const char *file, const char *from, const char *to, const char *says)
{
    char folder[] = "/tmp/petition-content-XXXXXX", path[PATH_MAX];
    char *absolute = realpath("public", NULL);
    struct content *c;
    struct buf err;

    assert_non_null(mkdtemp(folder));
    link_folder(absolute, folder);
    free(absolute);
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (from)
        replace(path, from, to);
    else
        unlink(path);
    buf_init(&err, 1000);
    c = content_open(folder, &err);
    remove_folder(folder);
    assert_null(c);
    if (!strstr(err.data, says) || strchr(err.data, '\n') ||
        !(strstr(err.data, file) || strstr(says, ".json: ")))
        fail_msg("\"%s\" does not say \"%s: %s\"", err.data, file, says);
    buf_release(&err);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    assert_mistake("text/fr.txt", NULL, NULL, "cannot be read");
    assert_mistake("style.css", NULL, NULL, "cannot be read");
    assert_mistake("letters/km.json", NULL, NULL, "cannot be read");
    assert_mistake("templates/thanks.html", NULL, NULL, "cannot be read");
    assert_mistake("mail-domains.conf", NULL, NULL, "cannot be read");
}

static void a_broken_file_is_named(void **state)
{
    (void)state;
    assert_mistake("catalogue/km.json", "\",\n", "\"\n", "line 3 is not JSON");
    assert_mistake("countries.json", "{", "", "is not JSON");
    assert_mistake("text/km.txt", "\n", "\xFF\n", "is not UTF-8");
    assert_mistake("text/en.txt", "One million", "\nOne million", "needs a title");
    assert_mistake("style.css", "{", "{</style>", "could end the style element");
}

static void a_text_missing_in_one_language_is_named(void **state)
{
    (void)state;
    assert_mistake("catalogue/km.json", "\"sign.button\"", "\"sign.buton\"",
                   "key sign.button is missing");
    assert_mistake("catalogue/fr.json", "\"sign.button\"", "\"page.site\"",
                   "key sign.button is missing");
    assert_mistake("templates/error.html", "t.problem.back", "t.problem.bak",
                   "catalogue/en.json: key problem.bak is missing");
}

static void a_broken_template_is_named(void **state)
{
    (void)state;
    assert_mistake("templates/progress.html", "{{/tables}}", "", "tables");
    assert_mistake("templates/withdraw.html", "{{>problems}}", "{{>nobody}}",
                   "there is no partial nobody");
    assert_mistake("templates/privacy.html", "{{t.privacy.lead}}", "{{{t.privacy.lead}}}",
                   "may be raw");
}

static void an_odd_addressee_is_named(void **state)
{
    (void)state;
    assert_mistake("addressees.json", "\"number\": 7", "\"number\": 8", "addressee 7");
    assert_mistake("addressees.json", "\"never\"", "\"sometimes\"", "addressee 2");
    assert_mistake("addressees.json", "\"country\": \"ID\"", "\"country\": \"XX\"", "addressee 3");
    assert_mistake("addressees.json", "\"slug\": \"france\"", "\"slug\": \"../x\"", "addressee 4");
    assert_mistake("addressees.json", "[\"en\", \"fr\"]", "[\"en\", \"de\"]", "addressee 1");
    assert_mistake("addressees.json", "\"addressees\"", "\"people\"", "must list 19");
}

static void a_letter_that_is_not_written_is_named(void **state)
{
    (void)state;
    assert_mistake("letters/en.json", "\"17-1\"", "\"17-9\"", "letter 17-1 is missing");
    assert_mistake("letters/km.json", "\"2-3\"", "\"2-4\"", "letter 2-3 is missing");
}

static void an_odd_country_is_named(void **state)
{
    (void)state;
    assert_mistake("countries.json", "{\"code\":\"AD\"", "{\"code\":\"ad\"", "country ad");
    assert_mistake("countries.json", "{\"code\":\"AE\"", "{\"code\":\"AD\"", "country AD");
    assert_mistake("countries.json", "\"376\"", "\"+376\"", "country AD");
    assert_mistake("countries.json", "\"lengths\":[", "\"lengths\":[18,", "country AD");
    assert_mistake("countries.json", "\"countries\"", "\"lands\"", "must list 249");
    assert_mistake("countries.json", "\"order\":{\"en\":[\"AF\"", "\"order\":{\"en\":[\"XX\"",
                   "the order in en");
    assert_mistake("countries.json", "\"order\":{\"en\":[\"AF\"", "\"order\":{\"en\":[\"AX\"",
                   "the order in en");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(countries_are_249_with_cambodia_first_and_none_twice),
        cmocka_unit_test(a_country_has_a_code_a_name_and_a_phone_plan),
        cmocka_unit_test(a_petition_text_is_a_title_and_blocks),
        cmocka_unit_test(addressees_are_served_as_they_lie_in_the_file),
        cmocka_unit_test(a_language_has_its_code_and_no_other),
        cmocka_unit_test(every_language_has_the_same_keys_and_placeholders),
        cmocka_unit_test(no_text_is_empty_twice_there_or_oddly_spelt),
        cmocka_unit_test(no_text_of_the_catalogue_is_unused),
        cmocka_unit_test(a_missing_file_is_named),
        cmocka_unit_test(a_broken_file_is_named),
        cmocka_unit_test(a_text_missing_in_one_language_is_named),
        cmocka_unit_test(a_broken_template_is_named),
        cmocka_unit_test(an_odd_addressee_is_named),
        cmocka_unit_test(a_letter_that_is_not_written_is_named),
        cmocka_unit_test(an_odd_country_is_named),
    };

    return cmocka_run_group_tests(tests, open_content, close_content);
}
