/*
 * view: builds the data of each page and renders its template (see view.h).
 *
 * Every call makes one tree of data, renders and frees it; long constant parts (the petition's
 * text, the list of countries) are references into content. Nothing is kept between calls, so any
 * thread may render any page. Always true: what a visitor typed goes through the template's
 * escaping, and the only unescaped value is the style sheet. Headers, caching and the status are
 * left to the handlers.
 */
#include "view.h"

#include "entry.h"

#include <stdarg.h>
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

/* The order of the language switch. */
static const struct {
    enum lang lang;
    const char *own_name;
} switch_order[LANG__COUNT] = {
    {LANG_KM, "ខ្មែរ"},
    {LANG_EN, "English"},
    {LANG_FR, "Français"},
};

/* One page being built. */
struct page {
    const struct view *v;
    enum lang lang;
    cJSON *data;
};

/* ---- data ---- */

static cJSON *must(cJSON *item)
{
    if (!item)
        abort(); /* out of memory */
    return item;
}

static void set_text(cJSON *object, const char *name, const char *text)
{
    must(cJSON_AddStringToObject(object, name, text));
}

static void set_true(cJSON *object, const char *name)
{
    must(cJSON_AddTrueToObject(object, name));
}

/* A part that content owns and that outlives the page. */
static void set_shared(cJSON *object, const char *name, cJSON *item)
{
    if (item && !cJSON_AddItemReferenceToObject(object, name, item))
        abort();
}

static cJSON *add_object(cJSON *array)
{
    cJSON *object = must(cJSON_CreateObject());

    cJSON_AddItemToArray(array, object);
    return object;
}

static void set_count(const struct page *page, cJSON *object, const char *name, uint64_t n)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    figures_number(&text, n, lang_codes[page->lang]);
    set_text(object, name, text.data);
    buf_release(&text);
}

__attribute__((format(printf, 3, 4))) static void set_format(cJSON *object, const char *name,
                                                             const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        abort();
    va_end(args);
    set_text(object, name, text);
    free(text);
}

static const char *say(const struct page *page, const char *key)
{
    return content_text(page->v->content, page->lang, key);
}

/* ---- what every page has ---- */

/* The links to the same page in the other languages. */
static void add_languages(const struct page *page, const char *path)
{
    cJSON *languages = must(cJSON_AddArrayToObject(page->data, "languages"));

    for (size_t i = 0; i < LANG__COUNT; i++) {
        const char *code = lang_codes[switch_order[i].lang];
        cJSON *language = add_object(languages);

        set_text(language, "code", code);
        set_text(language, "own_name", switch_order[i].own_name);
        set_format(language, "here", "/%s%s", code, path ? path : "");
        set_format(language, "alternate", "%s/%s%s", page->v->base_url, code, path ? path : "");
        if (switch_order[i].lang == page->lang)
            set_true(language, "current");
    }
}

/* Starts a page. `path` is what follows /LANG in its address ("" for the petition); NULL: the page
 * is an answer that is found at no address of its own, so search engines are kept off. */
static struct page new_page(const struct view *v, enum lang lang, const char *path)
{
    struct page page = {.v = v, .lang = lang, .data = must(cJSON_CreateObject())};
    const char *named = *v->organiser_name ? v->organiser_name : say(&page, "page.organisers");

    set_text(page.data, "lang", lang_codes[lang]);
    set_format(page.data, "home", "/%s", lang_codes[lang]);
    set_text(page.data, "base_url", v->base_url);
    set_text(page.data, "organiser", v->organiser_name);
    set_text(page.data, "organiser_contact", v->organiser_contact);
    set_text(page.data, "responsible", named);
    cJSON_AddItemToObject(page.data, "html_style",
                          must(cJSON_CreateStringReference(v->content->style.data)));
    if (path)
        set_format(page.data, "canonical", "%s/%s%s", v->base_url, lang_codes[lang], path);
    set_true(page.data, "switch");
    add_languages(&page, path);
    return page;
}

static void finish_page(struct page *page, const char *template, struct buf *out)
{
    const struct content *c = page->v->content;

    template_render(content_template(c, template), out, c->catalogue[page->lang], page->data);
    cJSON_Delete(page->data);
}

static void add_problem(const struct page *page, const char *target, const char *text)
{
    cJSON *problems = cJSON_GetObjectItemCaseSensitive(page->data, "problems"), *problem;

    if (!problems) {
        problems = must(cJSON_AddArrayToObject(page->data, "problems"));
        set_true(page->data, "problems_exist");
    }
    problem = add_object(problems);
    set_text(problem, "target", target);
    set_text(problem, "text", text);
}

/* Both of a page that shows the count: it, and the bar towards the next milestone. */
static void add_figures(const struct page *page, const struct publication *p)
{
    uint64_t milestone = figures_next_milestone(p->count, PETITION_GOAL);
    uint64_t shown = p->count < milestone ? p->count : milestone;
    bool one = p->count == 1 || (p->count == 0 && page->lang == LANG_FR);

    set_count(page, page->data, "count", p->count);
    set_text(page->data, "count_unit",
             say(page, one ? "petition.unit.one" : "petition.unit.other"));
    set_count(page, page->data, "goal", PETITION_GOAL);
    set_count(page, page->data, "milestone", milestone);
    set_format(page->data, "bar_max", "%llu", (unsigned long long)milestone);
    set_format(page->data, "bar_value", "%llu", (unsigned long long)shown);
    set_count(page, page->data, "step", p->step);
    set_format(page->data, "seconds", "%d", page->v->publish_every_s);
    if (p->step > 1)
        set_true(page->data, "stepped");
}

/* ---- the petition and its form ---- */

static void add_addressees(const struct page *page)
{
    const struct content *c = page->v->content;
    cJSON *list = must(cJSON_AddArrayToObject(page->data, "addressees"));

    for (cJSON *from = c->addressees->child; from; from = from->next) {
        const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, "country"));
        cJSON *addressee = add_object(list);

        set_shared(addressee, "place", cJSON_GetObjectItemCaseSensitive(from, "place"));
        set_shared(addressee, "people", cJSON_GetObjectItemCaseSensitive(from, "people"));
        if (code && !cJSON_HasObjectItem(addressee, "place"))
            set_text(addressee, "country_name", content_country_name(c, code, page->lang));
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
    return own ? own->valuestring : any ? any->valuestring : say(page, "error.invalid");
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
    object = must(cJSON_AddObjectToObject(page->data, name));
    if (reason != FIELD_OK) {
        set_text(object, "error", problem_text(page, field, reason));
        add_problem(page, visible ? sign_field_names[field] : "sign",
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
        set_shared(object, "options", options);
        return;
    }
    copy = must(cJSON_AddArrayToObject(object, "options"));
    for (const cJSON *from = options->child; from; from = from->next) {
        const char *code = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(from, "code"));
        cJSON *option = add_object(copy);

        set_text(option, "code", code);
        set_shared(option, "name", cJSON_GetObjectItemCaseSensitive(from, "name"));
        if (strcmp(code, chosen) == 0)
            set_true(option, "selected");
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
        set_true(field, "public");
    else if (strcmp(typed, visibility_names[VISIBILITY_ADDRESSEES]) == 0)
        set_true(field, "addressees_too");
    else
        set_true(field, "private");
    field = add_field(page, form, FIELD_UPDATES);
    if (means_yes(value_of(form, FIELD_UPDATES)))
        set_true(field, "checked");
}

static void add_form(const struct page *page, const struct view_form *form)
{
    cJSON *field;

    field = add_field(page, form, FIELD_NAME);
    set_text(field, "value", value_of(form, FIELD_NAME));
    field = add_field(page, form, FIELD_CONTACT);
    set_text(field, "value", value_of(form, FIELD_CONTACT));
    field = add_field(page, form, FIELD_COUNTRY);
    add_countries(page, field, value_of(form, FIELD_COUNTRY));
    add_choices(page, form);
    if (!form)
        return;
    set_true(page->data, "form");
    add_field(page, form, FIELD_SEED);
    add_field(page, form, FIELD_LANG);
    if (form->errors[FIELD_SEED] == FIELD_OK)
        set_text(page->data, "seed", value_of(form, FIELD_SEED));
    if (form->notice)
        set_text(page->data, "notice", say(page, form->notice));
}

void view_petition(struct buf *out, const struct view *v, enum lang lang,
                   const struct publication *p, const struct view_form *form)
{
    struct page page = new_page(v, lang, "");
    cJSON *petition = v->content->petition[lang];

    set_shared(page.data, "title", cJSON_GetObjectItemCaseSensitive(petition, "title"));
    set_shared(page.data, "blocks", cJSON_GetObjectItemCaseSensitive(petition, "blocks"));
    add_figures(&page, p);
    if (p->confirmed > 0)
        set_count(&page, page.data, "confirmed", p->confirmed);
    add_addressees(&page);
    set_true(page.data, p->closed ? "closed" : v->open ? "open" : "paused");
    add_form(&page, form);
    finish_page(&page, "petition", out);
}

/* ---- after signing ---- */

/* Percent-encodes all but the unreserved characters of RFC 3986. */
static void add_encoded(struct buf *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            strchr("-._~", c))
            buf_addc(out, *text);
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* Fills U with the address and T with the title, both percent-encoded. */
static void set_share_link(cJSON *object, const char *pattern, const char *address,
                           const char *title)
{
    struct buf url;

    buf_init(&url, BUF_UNLIMITED);
    for (const char *p = pattern; *p; p++) {
        if (*p == 'U' || *p == 'T')
            add_encoded(&url, *p == 'U' ? address : title);
        else
            buf_addc(&url, *p);
    }
    set_text(object, "url", url.data);
    buf_release(&url);
}

static void add_share_links(const struct page *page, const char *address, const char *title)
{
    static const struct {
        const char *label, *pattern;
    } services[] = {
        {"Telegram", "https://t.me/share/url?url=U&text=T"},
        {"Facebook", "https://www.facebook.com/sharer/sharer.php?u=U"},
        {"WhatsApp", "https://wa.me/?text=T%20U"},
        {NULL, "mailto:?subject=T&body=U"},
    };
    cJSON *links = must(cJSON_AddArrayToObject(page->data, "share_links"));

    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        const char *label = services[i].label;
        cJSON *link = add_object(links);

        set_text(link, "label", label ? label : say(page, "thanks.share.mail"));
        set_share_link(link, services[i].pattern, address, title);
    }
}

void view_thanks(struct buf *out, const struct view *v, enum lang lang, const struct view_thanks *t)
{
    struct page page = new_page(v, lang, NULL);
    const cJSON *title = cJSON_GetObjectItemCaseSensitive(v->content->petition[lang], "title");
    const char *address;

    cJSON_DeleteItemFromObjectCaseSensitive(page.data, "switch");
    set_text(page.data, "title", say(&page, "thanks.title"));
    set_text(page.data, "short_code", t->short_code);
    set_text(page.data, "withdraw_code", t->withdraw_code);
    set_format(page.data, "share_address", "%s/%s", v->base_url, lang_codes[lang]);
    address = cJSON_GetObjectItemCaseSensitive(page.data, "share_address")->valuestring;
    if (*v->base_url != '\0')
        add_share_links(&page, address, title->valuestring);
    finish_page(&page, "thanks", out);
}

void view_thanks_gone(struct buf *out, const struct view *v, enum lang lang)
{
    struct page page = new_page(v, lang, NULL);

    set_text(page.data, "title", say(&page, "gone.title"));
    finish_page(&page, "thanks_gone", out);
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
    struct page page = new_page(v, lang, "/withdraw");
    const char *error = errors[w->state];
    bool done = w->state == WITHDRAW_DONE;
    cJSON *field = must(cJSON_AddObjectToObject(page.data, "field_code"));

    set_text(page.data, "title", say(&page, done ? "withdraw.done.title" : "withdraw.title"));
    set_text(field, "value", w->typed ? w->typed : "");
    if (error) {
        set_text(field, "error", say(&page, error));
        add_problem(&page, "code", say(&page, error));
    }
    if (w->state == WITHDRAW_BUSY)
        set_text(page.data, "notice", say(&page, "withdraw.busy"));
    if (done)
        set_true(page.data, "done");
    finish_page(&page, "withdraw", out);
}

/* ---- privacy and progress ---- */

void view_privacy(struct buf *out, const struct view *v, enum lang lang)
{
    struct page page = new_page(v, lang, "/privacy");

    set_text(page.data, "title", say(&page, "privacy.title"));
    finish_page(&page, "privacy", out);
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
    data = must(cJSON_CreateObject());
    snprintf(key, sizeof key, "date.month.%d", month);
    set_text(data, "month", content_text(c, lang, key));
    set_format(data, "day", "%d", number);
    set_format(data, "year", "%.4s", day);
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
    buf_adds(out, say(page, name));
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
    table = add_object(tables);
    set_text(table, "caption", say(page, kind->caption));
    set_text(table, "head", say(page, kind->head));
    rows = must(cJSON_AddArrayToObject(table, "rows"));
    buf_init(&label, BUF_UNLIMITED);
    for (size_t i = 0; i < from->count; i++) {
        cJSON *row = add_object(rows);

        buf_clear(&label);
        kind->label(&label, page, from->cells[i].key);
        set_text(row, "label", label.data);
        set_count(page, row, "number", from->cells[i].n);
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
    cJSON *tables = must(cJSON_AddArrayToObject(page->data, "tables"));

    add_table(page, tables, &by_country, &p->by_country);
    add_table(page, tables, &by_tier, &p->by_tier);
    add_table(page, tables, &by_day, &p->by_day);
    if (tables->child)
        set_true(page->data, "tables_exist");
}

void view_progress(struct buf *out, const struct view *v, enum lang lang,
                   const struct publication *p)
{
    struct page page = new_page(v, lang, "/progress");
    int minute_of_day = (int)(p->at_s / 60 % (24 * 60));
    struct buf date;
    char day[11];

    set_text(page.data, "title", say(&page, "progress.title"));
    set_text(page.data, "minisign_key", v->minisign_key);
    add_figures(&page, p);
    set_count(&page, page.data, "confirmed", p->confirmed);
    buf_init(&date, BUF_UNLIMITED);
    day_text(day, day_of(p->at_s));
    view_day(&date, v->content, lang, day);
    set_text(page.data, "date", date.data);
    buf_release(&date);
    set_format(page.data, "time", "%02d:%02d", minute_of_day / 60, minute_of_day % 60);
    add_tables(&page, p);
    finish_page(&page, "progress", out);
}

/* ---- errors ---- */

void view_error(struct buf *out, const struct view *v, enum lang lang, int status)
{
    struct page page = new_page(v, lang, NULL);
    const cJSON *catalogue = v->content->catalogue[lang];
    char title[40], text[40];

    snprintf(title, sizeof title, "problem.%d.title", status);
    if (!cJSON_HasObjectItem(catalogue, title))
        status = status < 500 ? 400 : 500;
    snprintf(title, sizeof title, "problem.%d.title", status);
    snprintf(text, sizeof text, "problem.%d.text", status);
    set_text(page.data, "title", say(&page, title));
    set_text(page.data, "text", say(&page, text));
    finish_page(&page, "error", out);
}

void view_style_hash(struct buf *out, const struct view *v)
{
    buf_adds(out, "sha256-");
    buf_base64(out, v->content->style.hash, HASH_LEN);
}
