/*
 * desk_page: layout, language, data and refusals of the organisers' pages (see desk_page.h).
 *
 * Runs on request threads.
 */
#include "desk_page.h"

#include "config.h"
#include "log.h"
#include "removal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- data */

void desk_number(const struct act *act, cJSON *object, const char *name, uint64_t n)
{
    page_number(object, name, n, desk_lang(act));
}

void desk_day(const struct act *act, cJSON *object, const char *name, day_number day)
{
    struct buf text;
    char digits[11];

    day_text(digits, day);
    buf_init(&text, BUF_UNLIMITED);
    view_day(&text, desk_of(act)->view->content, desk_lang(act), digits);
    page_text(object, name, text.data);
    buf_release(&text);
}

void desk_time(cJSON *object, const char *name, int64_t at_s)
{
    time_t at = (time_t)at_s;
    struct tm tm;
    char text[32] = "";

    gmtime_r(&at, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
    page_text(object, name, text);
}

void desk_word(const struct act *act, cJSON *object, const char *name, const char *prefix,
               const char *word)
{
    char key[80];

    snprintf(key, sizeof key, "%s.%s", prefix, word);
    page_text(object, name, desk_say(act, key));
}

void desk_reasons(const struct act *act, cJSON *object)
{
    cJSON *reasons = page_array(object, "reasons");

    for (int why = 0; why < VOID__MAX; why++) {
        cJSON *reason;

        if (removal_reason(void_why_names[why]) == VOID__MAX)
            continue;
        reason = page_object(reasons);
        page_text(reason, "word", void_why_names[why]);
        desk_word(act, reason, "name", "desk.why", void_why_names[why]);
    }
}

/* ---- the page */

const struct desk *desk_of(const struct act *act)
{
    return act->context->user;
}

enum lang desk_lang(const struct act *act)
{
    return (enum lang)(act->lang >= 0 ? act->lang : lang_of(http_lang(act->request)));
}

const char *desk_say(const struct act *act, const char *key)
{
    return content_text(desk_of(act)->view->content, desk_lang(act), key);
}

void desk_page_languages(cJSON *page, enum lang current)
{
    cJSON *languages = page_array(page, "languages");

    page_flag(page, "switch", true);
    for (size_t i = 0; i < LANG__COUNT; i++) {
        cJSON *language = page_object(languages);

        page_text(language, "code", lang_codes[page_languages[i].lang]);
        page_text(language, "own_name", page_languages[i].own_name);
        page_format(language, "here", "?lang=%s", lang_codes[page_languages[i].lang]);
        page_flag(language, "current", page_languages[i].lang == current);
    }
}

cJSON *desk_page_outside(const struct desk *d, enum lang lang, const char *name)
{
    const struct content *content = d->view->content;
    cJSON *page = page_new_object();
    char key[80];

    snprintf(key, sizeof key, "desk.%s.title", name);
    page_text(page, "title", content_text(content, lang, key));
    page_text(page, "lang", lang_codes[lang]);
    page_text(page, "html_style", content->style.data);
    return page;
}

/* The links to the other languages GET the same address: that would lose what answers a POST, such
 * as recovery codes, and often there is nothing to GET. */
static cJSON *new_page(const struct act *act, const char *name)
{
    cJSON *page = desk_page_outside(desk_of(act), desk_lang(act), name);
    char form[SESSION_TOKEN_TEXT];

    act_form_token(act, form);
    page_text(page, "form", form);
    if (!http_is_post(act->request))
        desk_page_languages(page, desk_lang(act));
    return page;
}

/* The pages of the menu, and who sees them. */
static const struct {
    const char *name, *path;
    enum role role;
} menu[] = {
    {"overview", "/admin", ROLE_READER},        {"deliveries", "/admin/deliveries", ROLE_READER},
    {"letters", "/admin/letters", ROLE_READER}, {"find", "/admin/find", ROLE_ORGANISER},
    {"paper", "/admin/paper", ROLE_READER},     {"exports", "/admin/exports", ROLE_ORGANISER},
    {"audit", "/admin/audit", ROLE_READER},     {"organisers", "/admin/organisers", ROLE_OWNER},
    {"account", "/admin/account", ROLE_READER},
};

static void add_menu(const struct act *act, cJSON *page, const char *name)
{
    cJSON *items = page_array(page, "menu");

    for (size_t i = 0; i < sizeof menu / sizeof *menu; i++) {
        cJSON *item;
        char key[80];

        if (act->who.role < menu[i].role)
            continue;
        item = page_object(items);
        snprintf(key, sizeof key, "desk.menu.%s", menu[i].name);
        page_text(item, "name", desk_say(act, key));
        page_text(item, "path", menu[i].path);
        page_flag(item, "current", strcmp(menu[i].name, name) == 0);
    }
}

/* What a redirect wants said: only what the catalogue has a text for. */
static void add_said(const struct act *act, cJSON *page)
{
    const char *word = http_query(act->request, "said");
    char key[80];

    if (!word)
        return;
    snprintf(key, sizeof key, "desk.said.%.40s", word);
    if (strcmp(desk_say(act, key), key) != 0)
        page_text(page, "said", desk_say(act, key));
}

cJSON *desk_page_new(const struct act *act, const char *name)
{
    cJSON *page = new_page(act, name);

    page_text(page, "who", act->who.name);
    desk_word(act, page, "role", "desk.role", role_names[act->who.role]);
    page_flag(page, "may_act", act->who.role >= ROLE_ORGANISER);
    page_flag(page, "inside", true);
    add_menu(act, page, name);
    add_said(act, page);
    return page;
}

void desk_page_answer(const struct desk *d, struct http_request *rq, cJSON *page, const char *name,
                      int status)
{
    const struct content *content = d->view->content;
    int lang = lang_of(cJSON_GetStringValue(cJSON_GetObjectItem(page, "lang")));
    struct buf html;
    char file[60];

    snprintf(file, sizeof file, "desk-%s", name);
    buf_init(&html, BUF_UNLIMITED);
    template_render(content_template(content, file), &html, content->catalogue[lang], page);
    cJSON_Delete(page);
    http_set_header(rq, "X-Robots-Tag", "noindex");
    http_reply(rq, status, DESK_HTML, &html);
}

void desk_page_send(const struct act *act, cJSON *page, const char *name, int status)
{
    desk_page_answer(desk_of(act), act->request, page, name, status);
}

void desk_redirect(struct act *act, const char *path, const char *said)
{
    char location[150];

    snprintf(location, sizeof location, "%s%s%s", path, said ? "?said=" : "", said ? said : "");
    http_redirect(act->request, 303, location);
}

/* ---- refusals */

static void add_why(const struct act *act, cJSON *page)
{
    char key[40];

    snprintf(key, sizeof key, "desk.error.%d", act->status);
    desk_number(act, page, "wait", (uint64_t)(act->task.wait_s > 0 ? act->task.wait_s : 0));
    page_text(page, act->status == 429 ? "delayed" : "why",
              desk_say(act, act->why ? act->why : key));
}

cJSON *desk_refusal(struct act *act)
{
    const char *name = "refused";
    cJSON *page;

    if (act->status == 503 || act->status == 429)
        http_set_header(act->request, "Retry-After", "5");
    /* Before the database has said who it is, nothing of the desk is shown. */
    page = *act->who.name ? desk_page_new(act, name) : new_page(act, name);
    add_why(act, page);
    page_flag(page, "unchanged", act->unchanged && http_is_post(act->request));
    return page;
}

void desk_refuse(struct act *act)
{
    if (act->status == 401)
        http_redirect(act->request, 303, "/admin/login");
    else
        desk_page_send(act, desk_refusal(act), "refused", act->status);
}

void desk_problem(const struct act *act, cJSON *page, const char *field, const char *key)
{
    char name[40];

    snprintf(name, sizeof name, "%s_error", field);
    page_problem(page, field, desk_say(act, key));
    page_text(page, name, desk_say(act, key));
}

/* ---- reading */

struct db *desk_read(struct act *act)
{
    struct db *db;
    struct buf err;

    buf_init(&err, BUF_UNLIMITED);
    db = db_open(desk_of(act)->delivery_config->database, DB_READER, &err);
    if (db && db_snapshot_begin(db) != DB_OK) {
        db_close(db);
        db = NULL;
    }
    if (!db) {
        log_error("desk: %s", err.data);
        act->status = 503;
        act->why = NULL;
        desk_refuse(act);
    }
    buf_release(&err);
    return db;
}

void desk_read_end(struct db *db)
{
    db_snapshot_end(db);
    db_close(db);
}
