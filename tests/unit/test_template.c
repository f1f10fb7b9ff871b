/*
 * test_template: what the compiler refuses, what rendering escapes, and how names are looked up.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *find_partial(void *ctx, const char *name)
{
    static const struct {
        const char *name, *source;
    } partials[] = {
        {"hello", "Hello {{name}}!"}, {"nested", "<{{>hello}}>"}, {"open", "{{#name}}"},
        {"close", "{{/name}}"},       {"self", "a{{>self}}"},
    };

    (void)ctx;
    for (size_t i = 0; i < sizeof partials / sizeof *partials; i++)
        if (strcmp(partials[i].name, name) == 0)
            return partials[i].source;
    return NULL;
}

static struct template *compile(const char *source, struct buf *err)
{
    return template_new("page", source, find_partial, NULL, err);
}

static void assert_renders(const char *source, const char *json, const char *expected)
{
    cJSON *data = cJSON_Parse(json);
    cJSON *catalogue = cJSON_Parse("{\"hi\":\"Hi {name} & {all}\",\"a.b\":\"{ {} {X} {n\"}");
    struct buf err, out;
    struct template *t;

    buf_init(&err, 1000);
    buf_init(&out, 100000);
    t = compile(source, &err);
    if (!t)
        fail_msg("%s", err.data);
    assert_non_null(data);
    template_render(t, &out, catalogue, data);
    assert_string_equal(out.data, expected);
    template_free(t);
    buf_release(&out);
    buf_release(&err);
    cJSON_Delete(data);
    cJSON_Delete(catalogue);
}

static void assert_refused(const char *source, const char *reason)
{
    struct buf err;

    buf_init(&err, 1000);
    assert_null(compile(source, &err));
    assert_non_null(strstr(err.data, reason));
    buf_release(&err);
}

static void a_value_is_escaped_in_text_and_in_attributes(void **state)
{
    (void)state;
    assert_renders("<p title=\"{{v}}\">{{v}}</p>", "{\"v\":\"<a href='x'>\\\"&amp;\"}",
                   "<p title=\"&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;\">"
                   "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;</p>");
}

static void no_payload_leaves_its_place(void **state)
{
    static const char *const payloads[] = {
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "</title><svg/onload=alert(1)>",
        "{{name}}{{{html_style}}}",
        "{name}",
        "javascript:alert(1)//\"",
        "<!--><script>",
        "&lt;script&gt;",
        "\xE2\x80\xA8<b>\x01",
    };

    (void)state;
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        cJSON *data = cJSON_CreateObject(), *none = cJSON_CreateObject();
        struct buf err, out;
        struct template *t;

        buf_init(&err, 1000);
        buf_init(&out, 10000);
        t = compile("<i a=\"{{v}}\">{{v}}</i>", &err);
        cJSON_AddStringToObject(data, "v", payloads[i]);
        cJSON_AddStringToObject(data, "name", "<leak>");
        template_render(t, &out, none, data);
        assert_null(strstr(out.data, "leak"));
        assert_string_equal(strrchr(out.data, '<'), "</i>");
        assert_ptr_equal(strchr(out.data + 1, '<'), strrchr(out.data, '<'));
        assert_ptr_equal(strchr(strchr(out.data, '"') + 1, '"'), strrchr(out.data, '"'));
        template_free(t);
        buf_release(&out);
        buf_release(&err);
        cJSON_Delete(data);
        cJSON_Delete(none);
    }
}

static void numbers_and_unknown_names_render(void **state)
{
    (void)state;
    assert_renders("{{n}}|{{big}}|{{half}}|{{none}}|{{yes}}|{{list}}",
                   "{\"n\":7,\"big\":1000000,\"half\":0.5,\"yes\":true,\"list\":[1]}",
                   "7|1000000|0.5|||");
}

static void a_section_runs_for_each_of_what_there_is(void **state)
{
    (void)state;
    assert_renders("{{#l}}[{{.}}]{{/l}}", "{\"l\":[\"a\",\"<\",3]}", "[a][&lt;][3]");
    assert_renders("{{#l}}({{x}}){{/l}}", "{\"l\":[{\"x\":1},{\"x\":2}]}", "(1)(2)");
    assert_renders("{{#o}}{{x}}{{/o}}{{#s}}<{{.}}>{{/s}}{{#t}}t{{/t}}",
                   "{\"o\":{\"x\":1},\"s\":\"s\",\"t\":true}", "1<s>t");
    assert_renders("{{#o}}o{{/o}}{{#e}}e{{/e}}{{#s}}s{{/s}}{{#f}}f{{/f}}{{#n}}n{{/n}}{{#z}}z{{/z}}",
                   "{\"o\":{},\"e\":[],\"s\":\"\",\"f\":false,\"n\":null,\"z\":0}", "o");
}

static void an_inverted_section_runs_if_there_is_none(void **state)
{
    (void)state;
    assert_renders("{{^e}}e{{/e}}{{^s}}s{{/s}}{{^f}}f{{/f}}{{^u}}u{{/u}}{{^z}}z{{/z}}{{^l}}l{{/l}}",
                   "{\"e\":[],\"s\":\"\",\"f\":false,\"z\":0,\"l\":[1]}", "esfuz");
}

static void names_are_looked_up_from_the_inside_out(void **state)
{
    (void)state;
    assert_renders("{{#a}}{{x}}{{y}}{{#b}}{{x}}{{y}}{{/b}}{{/a}}{{x}}",
                   "{\"x\":0,\"y\":9,\"a\":{\"x\":1,\"b\":[{\"x\":2},\"s\"]}}", "1929190");
}

static void a_catalogue_text_takes_escaped_values(void **state)
{
    (void)state;
    assert_renders("{{t.hi}}", "{\"name\":\"<b>\"}", "Hi &lt;b&gt; &amp; ");
    assert_renders("{{#l}}{{t.hi}};{{/l}}",
                   "{\"all\":1,\"l\":[{\"name\":\"a\"},{\"name\":\"{all}\"}]}",
                   "Hi a &amp; 1;Hi {all} &amp; 1;");
    assert_renders("{{t.a.b}}", "{\"n\":1}", "{ {} {X} {n");
    assert_renders("{{t.none}}", "{}", "[none]");
}

static void partials_are_compiled_in_place(void **state)
{
    (void)state;
    assert_renders("{{#l}}{{>nested}}{{/l}}", "{\"l\":[{\"name\":\"A\"},{\"name\":\"B\"}]}",
                   "<Hello A!><Hello B!>");
}

static void only_names_that_say_so_are_raw(void **state)
{
    (void)state;
    assert_renders("{{{html_style}}}", "{\"html_style\":\"a>b\"}", "a>b");
    assert_refused("{{{name}}}", "only names that start with html_");
    assert_refused("{{{html_}} }", "the tag is not closed");
    assert_refused("{{&name}}", "is no tag");
}

static void indentation_and_comments_cost_nothing(void **state)
{
    (void)state;
    assert_renders(
        "{{! a <comment> }}\n<ul>\n    {{#l}}\n  \t<li>{{.}}  b</li>\n\n    {{/l}}\n</ul>\n",
        "{\"l\":[1]}", "<ul>\n\n<li>1  b</li>\n\n</ul>\n");
    assert_renders("<ul>\n{{#l}}\n<li>{{.}}\n{{/l}}\n</ul>", "{\"l\":[1,2]}",
                   "<ul>\n<li>1\n<li>2\n</ul>");
    assert_renders("a {{#l}}{{.}}{{/l}}\nb", "{\"l\":[1]}", "a 1\nb");
}

static void mistakes_are_named_with_their_line(void **state)
{
    (void)state;
    assert_refused("a\n\n{{#form}}x", "page: line 3: section form is not closed");
    assert_refused("{{#a}}{{#b}}{{/a}}{{/b}}", "{{/a}} does not close");
    assert_refused("{{/a}}", "{{/a}} does not close");
    assert_refused("a\n{{name", "page: line 2: the tag is not closed");
    assert_refused("{{>nobody}}", "there is no partial nobody");
    assert_refused("{{#name}}{{>close}}", "closes a section of another file");
    assert_refused("{{>open}}{{/name}}", "open: line 1: section name is not closed");
    assert_refused("{{Name}}", "is no tag");
    assert_refused("{{a.b}}", "is no tag");
    assert_refused("{{}}", "is no tag");
    assert_refused("{{t.}}", "is no tag");
    assert_refused("{{# a}}", "is no tag");
}

static void nesting_is_bounded(void **state)
{
    struct buf deep;

    (void)state;
    assert_refused("{{>self}}", "partials inside each other");
    buf_init(&deep, 10000);
    for (int i = 0; i < 17; i++)
        buf_adds(&deep, "{{#a}}");
    assert_refused(deep.data, "sections inside each other");
    buf_clear(&deep);
    buf_adds(&deep, "{{");
    for (int i = 0; i < 100; i++)
        buf_adds(&deep, "a");
    buf_adds(&deep, "}}");
    assert_refused(deep.data, "the tag is too long");
    buf_release(&deep);
}

static void a_missing_key_is_found_before_anybody_sees_it(void **state)
{
    cJSON *catalogue = cJSON_Parse("{\"a\":\"A\",\"n\":1}");
    struct buf err;
    struct template *t;

    (void)state;
    buf_init(&err, 1000);
    t = compile("{{t.a}}{{#x}}{{t.b.c}}{{/x}}", &err);
    assert_string_equal(template_missing_key(t, catalogue), "b.c");
    template_free(t);
    t = compile("{{t.a}}{{x}}", &err);
    assert_null(template_missing_key(t, catalogue));
    template_free(t);
    t = compile("{{t.n}}", &err);
    assert_string_equal(template_missing_key(t, catalogue), "n");
    template_free(t);
    buf_release(&err);
    cJSON_Delete(catalogue);
}

static void a_text_for_json_and_mail_is_not_escaped(void **state)
{
    cJSON *catalogue = cJSON_Parse("{\"a\":\"{x} & {y}\"}"), *data = cJSON_Parse("{\"x\":\"<\"}");
    struct buf out;

    (void)state;
    buf_init(&out, 1000);
    template_text(&out, catalogue, "a", data);
    assert_string_equal(out.data, "< & ");
    buf_release(&out);
    cJSON_Delete(catalogue);
    cJSON_Delete(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_escaped_in_text_and_in_attributes),
        cmocka_unit_test(no_payload_leaves_its_place),
        cmocka_unit_test(numbers_and_unknown_names_render),
        cmocka_unit_test(a_section_runs_for_each_of_what_there_is),
        cmocka_unit_test(an_inverted_section_runs_if_there_is_none),
        cmocka_unit_test(names_are_looked_up_from_the_inside_out),
        cmocka_unit_test(a_catalogue_text_takes_escaped_values),
        cmocka_unit_test(partials_are_compiled_in_place),
        cmocka_unit_test(only_names_that_say_so_are_raw),
        cmocka_unit_test(indentation_and_comments_cost_nothing),
        cmocka_unit_test(mistakes_are_named_with_their_line),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(a_missing_key_is_found_before_anybody_sees_it),
        cmocka_unit_test(a_text_for_json_and_mail_is_not_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
