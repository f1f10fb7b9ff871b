/*
 * view_fixture: the content of public/, figures to show, the page under test and what is asked of
 * it. For test_view.c and test_view_form.c, which run from the root of the repository.
 */
#ifndef VIEW_FIXTURE_H
#define VIEW_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct view view;
static struct buf page; /* the page under test */

static struct cell countries[] = {{"KH", 6300}, {"FR", 1870}, {"other", 180}};
static struct cell days[] = {{"2017-10-23", 5230}, {"2017-11-01", 3000}, {"other", 120}};
static struct cell tiers[] = {{"confirmed", 20}, {"unconfirmed", 8000}, {"paper", 330}};
static const struct publication some = {
    .count = 12340,
    .confirmed = 20,
    .at_s = 1508767500, /* 2017-10-23 14:05 UTC */
    .step = 10,
    .by_country = {countries, 3},
    .by_day = {days, 3},
    .by_tier = {tiers, 3},
};
static const struct publication none = {.at_s = 1508767500, .step = 10};

static inline int set_up(void **state)
{
    struct buf err;

    (void)state;
    buf_init(&err, 1000);
    buf_init(&page, BUF_UNLIMITED);
    view.content = content_open("public", &err);
    if (!view.content)
        print_error("%s\n", err.data);
    buf_release(&err);
    return view.content ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct content *c;

    (void)state;
    memcpy(&c, &view.content, sizeof c); /* the view holds it as const */
    content_close(c);
    buf_release(&page);
    return 0;
}

static inline int reset(void **state)
{
    (void)state;
    buf_clear(&page);
    view = (struct view){
        .content = view.content,
        .base_url = "",
        .organiser_name = "",
        .organiser_contact = "",
        .minisign_key = "RWtest",
        .open = true,
        .count_step = 10,
        .publish_every_s = 10,
    };
    return 0;
}

static inline bool has(const char *text)
{
    return strstr(page.data, text) != NULL;
}

static inline void assert_has(const char *text)
{
    if (!has(text))
        fail_msg("the page lacks: %s", text);
}

static inline void assert_lacks(const char *text)
{
    if (has(text))
        fail_msg("the page has: %s", text);
}

static inline int times(const char *text)
{
    int n = 0;

    for (const char *at = page.data; (at = strstr(at, text)); at += strlen(text))
        n++;
    return n;
}

/* The catalogue's text as it stands in HTML. */
static inline void assert_says(enum lang lang, const char *key)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    buf_html(&text, content_text(view.content, lang, key));
    assert_has(text.data);
    buf_release(&text);
}

static inline bool is_void(const char *name)
{
    static const char *const names[] = {"meta", "link", "br", "input"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* Every element that opens closes, in order, and every attribute is quoted. */
static inline void check_balance(enum lang lang)
{
    char open[64][16] = {""}, name[16];
    int depth = 0;

    (void)lang;
    assert_memory_equal(page.data, "<!doctype html>\n", 16);
    for (const char *at = page.data + 16; (at = strchr(at, '<')); at++) {
        bool closes = at[1] == '/';
        const char *end = at, *start = at + 1 + closes;

        snprintf(name, sizeof name, "%.*s", (int)strcspn(start, " >\n"), start);
        for (bool quoted = false; *end && (quoted || *end != '>'); end++)
            quoted = (*end == '"') != quoted;
        assert_true(*end == '>' && end[-1] != '/');
        if (closes) {
            if (depth == 0 || strcmp(open[depth - 1], name) != 0)
                fail_msg("</%s> closes <%s>", name, depth ? open[depth - 1] : "");
            depth--;
        } else if (!is_void(name)) {
            assert_true(depth < 64);
            snprintf(open[depth++], sizeof open[0], "%s", name);
        }
        at = end;
    }
    assert_int_equal(depth, 0);
}

static inline void check_references(enum lang lang)
{
    static const char *const references[] = {" for=\"", " aria-labelledby=\"", " href=\"#",
                                             " aria-describedby=\""};
    char id[200], wanted[220];

    (void)lang;
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        for (const char *at = page.data; (at = strstr(at, references[i]));) {
            at += strlen(references[i]);
            for (size_t len; *at != '"'; at += len + (at[len] == ' ')) {
                len = strcspn(at, " \"");
                snprintf(id, sizeof id, "%.*s", (int)len, at);
                snprintf(wanted, sizeof wanted, " id=\"%s\"", id);
                if (times(wanted) != 1)
                    fail_msg("%d times%s", times(wanted), wanted);
            }
        }
    }
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

#endif
