/*
 * view: builds the data of each page and renders its template (see view.h).
 *
 * Every call makes one tree of data, renders and frees it; long constant parts (the petition's
 * text, the list of countries) are references into content. Nothing is kept between calls, so any
 * thread may render any page. Always true: what a visitor typed goes through the template's
 * escaping, and the only unescaped value is the style sheet. Headers, caching and the status are
 * left to the handlers.
 */
#include "view_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const sign_field_names[FIELD__COUNT] = {
    "name", "contact", "country", "visibility", "updates", "seed", "lang",
};

const char *const field_reason_names[FIELD_REASON__COUNT] = {
    "ok",      "missing", "too_long",     "invalid",   "wrong_type", "duplicate",
    "unknown", "url",     "unrecognised", "bad_email", "bad_phone",  "unconfirmed",
};

/* Both of a page that shows the count: it, and the bar towards the next milestone. */
static void add_figures(const struct page *page, const struct publication *p)
{
    uint64_t milestone = figures_next_milestone(p->count, PETITION_GOAL);
    uint64_t shown = p->count < milestone ? p->count : milestone;
    bool one = p->count == 1 || (p->count == 0 && page->lang == LANG_FR);

    page_number(page->data, "count", p->count, page->lang);
    page_text(page->data, "count_unit",
              page_say(page, one ? "petition.unit.one" : "petition.unit.other"));
    page_number(page->data, "goal", PETITION_GOAL, page->lang);
    page_number(page->data, "milestone", milestone, page->lang);
    page_format(page->data, "bar_max", "%llu", (unsigned long long)milestone);
    page_format(page->data, "bar_value", "%llu", (unsigned long long)shown);
    page_number(page->data, "step", p->step, page->lang);
    page_format(page->data, "seconds", "%d", page->v->publish_every_s);
    page_flag(page->data, "stepped", p->step > 1);
}

/* ---- the petition and its form ---- */

static void add_addressees(const struct page *page)
{
    const struct content *c = page->v->content;
    cJSON *list = page_array(page->data, "addressees");

    for (cJSON *from = c->addressees->child; from; from = from->next) {
        const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, "country"));
        cJSON *addressee = page_object(list);

        page_shared(addressee, "place", cJSON_GetObjectItemCaseSensitive(from, "place"));
        page_shared(addressee, "people", cJSON_GetObjectItemCaseSensitive(from, "people"));
        if (code && !cJSON_HasObjectItem(addressee, "place"))
            page_text(addressee, "country_name", content_country_name(c, code, page->lang));
    }
}

/* The text for what is wrong with a field: its own, or the one for any field. */
static const char *problem_text(const struct page *page, enum sign_field field,
                                enum field_reason reason)
{
    const cJSON *catalogue = page->v->content->catalogue[page->lang], *own, *any;
    const char *name = field_reason_names[reason];
    char key[60];

    snprintf(key, sizeof key, "error.%s.%s", sign_field_names[field], name);
    own = cJSON_GetObjectItemCaseSensitive(catalogue, key);
    snprintf(key, sizeof key, "error.%s", name);
    any = cJSON_GetObjectItemCaseSensitive(catalogue, key);
    return own ? own->valuestring : any ? any->valuestring : page_say(page, "error.invalid");
}

/* The object of one field, with what is wrong with it. */
static cJSON *add_field(const struct page *page, const struct view_form *form,
                        enum sign_field field)
{
    enum field_reason reason = form ? form->errors[field] : FIELD_OK;
    bool visible = field != FIELD_SEED && field != FIELD_LANG;
    char name[40];
    cJSON *object;

    snprintf(name, sizeof name, "field_%s", sign_field_names[field]);
    object = page_member(page->data, name);
    if (reason != FIELD_OK) {
        page_text(object, "error", problem_text(page, field, reason));
        page_problem(page->data, visible ? sign_field_names[field] : "sign",
                     problem_text(page, field, reason));
    }
    return object;
}

static const char *value_of(const struct view_form *form, enum sign_field field)
{
    return form && form->values[field] ? form->values[field] : "";
}

/* The list of countries; content's own as long as none of it is selected. */
static void add_countries(const struct page *page, cJSON *object, const char *chosen)
{
    cJSON *options = page->v->content->country_options[page->lang], *copy;

    if (*chosen == '\0') {
        page_shared(object, "options", options);
        return;
    }
    copy = page_array(object, "options");
    for (const cJSON *from = options->child; from; from = from->next) {
        const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, "code"));
        cJSON *option = page_object(copy);

        page_text(option, "code", code);
        page_shared(option, "name", cJSON_GetObjectItemCaseSensitive(from, "name"));
        page_flag(option, "selected", strcmp(code, chosen) == 0);
    }
}

/* What the box sends, and the other ways to say yes that are taken. */
static bool means_yes(const char *typed)
{
    static const char *const yes[] = {"1", "on", "yes", "true"};

    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        if (strcmp(typed, yes[i]) == 0)
            return true;
    return false;
}

static void add_choices(const struct page *page, const struct view_form *form)
{
    const char *typed = value_of(form, FIELD_VISIBILITY);
    cJSON *field = add_field(page, form, FIELD_VISIBILITY);

    if (strcmp(typed, visibility_names[VISIBILITY_PUBLIC]) == 0)
        page_flag(field, "public", true);
    else if (strcmp(typed, visibility_names[VISIBILITY_ADDRESSEES]) == 0)
        page_flag(field, "addressees_too", true);
    else
        page_flag(field, "private", true);
    field = add_field(page, form, FIELD_UPDATES);
    page_flag(field, "checked", means_yes(value_of(form, FIELD_UPDATES)));
}

static void add_form(const struct page *page, const struct view_form *form)
{
    cJSON *field;

    field = add_field(page, form, FIELD_NAME);
    page_text(field, "value", value_of(form, FIELD_NAME));
    field = add_field(page, form, FIELD_CONTACT);
    page_text(field, "value", value_of(form, FIELD_CONTACT));
    field = add_field(page, form, FIELD_COUNTRY);
    add_countries(page, field, value_of(form, FIELD_COUNTRY));
    add_choices(page, form);
    if (!form)
        return;
    page_flag(page->data, "form", true);
    page_flag(page->data, "at_risk", form->at_risk);
    add_field(page, form, FIELD_SEED);
    add_field(page, form, FIELD_LANG);
    if (form->errors[FIELD_SEED] == FIELD_OK)
        page_text(page->data, "seed", value_of(form, FIELD_SEED));
    if (form->notice)
        page_text(page->data, "notice", page_say(page, form->notice));
}

void view_petition(struct buf *out, const struct view *v, enum lang lang,
                   const struct publication *p, const struct view_form *form)
{
    struct page page = page_new(v, lang, "");
    cJSON *petition = v->content->petition[lang];

    page_shared(page.data, "title", cJSON_GetObjectItemCaseSensitive(petition, "title"));
    page_shared(page.data, "blocks", cJSON_GetObjectItemCaseSensitive(petition, "blocks"));
    add_figures(&page, p);
    if (p->confirmed > 0)
        page_number(page.data, "confirmed", p->confirmed, page.lang);
    add_addressees(&page);
    page_flag(page.data, p->closed ? "closed" : v->open ? "open" : "paused", true);
    add_form(&page, form);
    page_finish(&page, "petition", out);
}

/* ---- withdrawing ---- */

void view_withdraw(struct buf *out, const struct view *v, enum lang lang,
                   const struct view_withdrawal *w)
{
    static const char *const errors[WITHDRAW_STATE__COUNT] = {
        [WITHDRAW_MISSING] = "withdraw.missing",
        [WITHDRAW_MISTYPED] = "withdraw.mistyped",
        [WITHDRAW_UNKNOWN] = "withdraw.unknown",
    };
    struct page page = page_new(v, lang, "/withdraw");
    const char *error = errors[w->state];
    bool done = w->state == WITHDRAW_DONE;
    cJSON *field = page_member(page.data, "field_code");

    page_text(page.data, "title", page_say(&page, done ? "withdraw.done.title" : "withdraw.title"));
    page_text(field, "value", w->typed ? w->typed : "");
    if (error) {
        page_text(field, "error", page_say(&page, error));
        page_problem(page.data, "code", page_say(&page, error));
    }
    if (w->state == WITHDRAW_BUSY)
        page_text(page.data, "notice", page_say(&page, "withdraw.busy"));
    page_flag(page.data, "done", done);
    page_finish(&page, "withdraw", out);
}

/* ---- privacy and progress ---- */

void view_privacy(struct buf *out, const struct view *v, enum lang lang)
{
    struct page page = page_new(v, lang, "/privacy");

    page_text(page.data, "title", page_say(&page, "privacy.title"));
    page_finish(&page, "privacy", out);
}

/* Two digits of a date; -1 if they are none. */
static int two_digits(const char *at)
{
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9')
        return -1;
    return 10 * (at[0] - '0') + at[1] - '0';
}

void view_day(struct buf *out, const struct content *c, enum lang lang, const char *day)
{
    bool dated = strlen(day) == 10;
    int month = dated ? two_digits(day + 5) : -1, number = dated ? two_digits(day + 8) : -1;
    char key[20];
    cJSON *data;

    if (month < 1 || month > 12 || number < 1) {
        buf_adds(out, day);
        return;
    }
    data = page_new_object();
    snprintf(key, sizeof key, "date.month.%d", month);
    page_text(data, "month", content_text(c, lang, key));
    page_format(data, "day", "%d", number);
    page_format(data, "year", "%.4s", day);
    template_text(out, c->catalogue[lang], number == 1 ? "date.first" : "date.full", data);
    cJSON_Delete(data);
}

/* What the first column says of a cell. */
typedef void cell_label(struct buf *out, const struct page *page, const char *key);

static void country_label(struct buf *out, const struct page *page, const char *key)
{
    buf_adds(out, content_country_name(page->v->content, key, page->lang));
}

static void tier_label(struct buf *out, const struct page *page, const char *key)
{
    char name[40];

    snprintf(name, sizeof name, "tier.%s", key);
    buf_adds(out, page_say(page, name));
}

static void day_label(struct buf *out, const struct page *page, const char *key)
{
    if (strcmp(key, "other") == 0)
        country_label(out, page, key);
    else
        view_day(out, page->v->content, page->lang, key);
}

struct table_kind {
    const char *caption, *head;
    cell_label *label;
};

static void add_table(const struct page *page, cJSON *tables, const struct table_kind *kind,
                      const struct table *from)
{
    cJSON *table, *rows;
    struct buf label;

    if (from->count == 0)
        return;
    table = page_object(tables);
    page_text(table, "caption", page_say(page, kind->caption));
    page_text(table, "head", page_say(page, kind->head));
    rows = page_array(table, "rows");
    buf_init(&label, BUF_UNLIMITED);
    for (size_t i = 0; i < from->count; i++) {
        cJSON *row = page_object(rows);

        buf_clear(&label);
        kind->label(&label, page, from->cells[i].key);
        page_text(row, "label", label.data);
        page_number(row, "number", from->cells[i].n, page->lang);
    }
    buf_release(&label);
}

static void add_tables(const struct page *page, const struct publication *p)
{
    static const struct table_kind by_country = {"progress.country.caption",
                                                 "progress.country.head", country_label};
    static const struct table_kind by_tier = {"progress.tier.caption", "progress.tier.head",
                                              tier_label};
    static const struct table_kind by_day = {"progress.day.caption", "progress.day.head",
                                             day_label};
    cJSON *tables = page_array(page->data, "tables");

    add_table(page, tables, &by_country, &p->by_country);
    add_table(page, tables, &by_tier, &p->by_tier);
    add_table(page, tables, &by_day, &p->by_day);
    page_flag(page->data, "tables_exist", tables->child);
}

void view_progress(struct buf *out, const struct view *v, enum lang lang,
                   const struct publication *p)
{
    struct page page = page_new(v, lang, "/progress");
    int minute_of_day = (int)(p->at_s / 60 % (24 * 60));
    struct buf date;
    char day[11];

    page_text(page.data, "title", page_say(&page, "progress.title"));
    page_text(page.data, "minisign_key", v->minisign_key);
    add_figures(&page, p);
    page_number(page.data, "confirmed", p->confirmed, page.lang);
    buf_init(&date, BUF_UNLIMITED);
    day_text(day, day_of(p->at_s));
    view_day(&date, v->content, lang, day);
    page_text(page.data, "date", date.data);
    buf_release(&date);
    page_format(page.data, "time", "%02d:%02d", minute_of_day / 60, minute_of_day % 60);
    add_tables(&page, p);
    page_finish(&page, "progress", out);
}

/* ---- errors ---- */

void view_error(struct buf *out, const struct view *v, enum lang lang, int status)
{
    struct page page = page_new(v, lang, NULL);
    const cJSON *catalogue = v->content->catalogue[lang];
    char title[40], text[40];

    snprintf(title, sizeof title, "problem.%d.title", status);
    if (!cJSON_HasObjectItem(catalogue, title))
        status = status < 500 ? 400 : 500;
    snprintf(title, sizeof title, "problem.%d.title", status);
    snprintf(text, sizeof text, "problem.%d.text", status);
    page_text(page.data, "title", page_say(&page, title));
    page_text(page.data, "text", page_say(&page, text));
    page_finish(&page, "error", out);
}

void view_style_hash(struct buf *out, const struct view *v)
{
    buf_adds(out, "sha256-");
    buf_base64(out, v->content->style.hash, HASH_LEN);
}
