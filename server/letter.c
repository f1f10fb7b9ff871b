/*
 * letter: letters, summary and README of a bundle (see letter.h).
 *
 * Runs on the delivery thread and keeps no state. Always true: what comes from the organisers'
 * files goes into HTML through a template, which escapes it. Which files a bundle has, and their
 * names, is left to bundle.
 */
#include "letter.h"

#include "figures.h"
#include "json.h"
#include "sha256.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *addressee_of(const struct letter_source *s)
{
    return cJSON_GetArrayItem(s->content->addressees, s->position);
}

/* ---- the values that texts ask for ---- */

static void set_number(cJSON *object, const char *name, uint64_t n, enum lang lang)
{
    struct buf text;

    buf_init(&text, 64);
    figures_number(&text, n, lang_codes[lang]);
    cJSON_AddStringToObject(object, name, text.data);
    buf_release(&text);
}

/* "2017-10-23" as the language writes it; the catalogue has the pattern and the months. */
static void set_date(cJSON *object, const char *name, const struct letter_source *s, enum lang lang)
{
    const char *iso = json_text(s->figures, "date");
    int year = 0, month = 0, day = 0;
    cJSON *parts = cJSON_CreateObject();
    char key[24];
    struct buf text;

    if (sscanf(iso, "%d-%d-%d", &year, &month, &day) != 3)
        abort();
    buf_init(&text, 256);
    snprintf(key, sizeof key, "date.month.%d", month);
    cJSON_AddNumberToObject(parts, "day", day);
    cJSON_AddStringToObject(parts, "month", content_text(s->content, lang, key));
    cJSON_AddNumberToObject(parts, "year", year);
    template_text(&text, s->content->catalogue[lang], day == 1 ? "date.first" : "date.full", parts);
    cJSON_AddStringToObject(object, name, text.data);
    buf_release(&text);
    cJSON_Delete(parts);
}

static uint64_t removed(const cJSON *figures)
{
    const cJSON *reason;
    uint64_t sum = 0;

    cJSON_ArrayForEach(reason, json_member(figures, "removed")) sum +=
        (uint64_t)reason->valuedouble;
    return sum;
}

static const char *organiser(const struct letter_source *s, enum lang lang)
{
    return *s->organiser_name ? s->organiser_name
                              : content_text(s->content, lang, "page.organisers");
}

static void set_sender(cJSON *object, const struct letter_source *s, enum lang lang)
{
    struct buf text;

    buf_init(&text, BUF_UNLIMITED);
    buf_adds(&text, organiser(s, lang));
    if (*s->organiser_contact)
        buf_printf(&text, ", %s", s->organiser_contact);
    cJSON_AddStringToObject(object, "sender", text.data);
    buf_release(&text);
}

static cJSON *new_values(const struct letter_source *s, enum lang lang)
{
    static const char *const numbers[] = {"signatures", "confirmed", "submissions",
                                          "repeats",    "withdrawn", "countries"};
    cJSON *values = cJSON_CreateObject();

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        set_number(values, numbers[i], (uint64_t)json_number(s->figures, numbers[i]), lang);
    set_number(values, "removed", removed(s->figures), lang);
    set_number(values, "delivery", (uint64_t)json_number(s->figures, "delivery"), lang);
    set_number(values, "addressee", (uint64_t)json_number(addressee_of(s), "number"), lang);
    set_date(values, "date", s, lang);
    set_sender(values, s, lang);
    cJSON_AddStringToObject(values, "day", json_text(s->figures, "date"));
    cJSON_AddStringToObject(values, "organiser", organiser(s, lang));
    cJSON_AddStringToObject(values, "origin", *s->base_url ? s->base_url : s->origin);
    cJSON_AddStringToObject(values, "base_url", s->base_url);
    cJSON_AddStringToObject(values, "minisign_key", s->minisign_key);
    return values;
}

/* Appends the text with every {word} that has a value replaced by it. A word without one stays, so
 * that a mistake in a text is seen. */
static void fill(struct buf *out, const char *text, const cJSON *values)
{
    char word[32];

    for (const char *open; (open = strchr(text, '{')); text = open) {
        size_t len = strcspn(open, "}");
        const char *value = NULL;

        buf_add(out, text, (size_t)(open - text));
        if (open[len] == '}' && len <= sizeof word) {
            snprintf(word, sizeof word, "%.*s", (int)len - 1, open + 1);
            value = cJSON_GetStringValue(json_member(values, word));
        }
        buf_adds(out, value ? value : "{");
        open += value ? len + 1 : 1;
    }
    buf_adds(out, text);
}

static cJSON *filled(const cJSON *text, const cJSON *values)
{
    struct buf out;
    cJSON *item;

    buf_init(&out, BUF_UNLIMITED);
    fill(&out, cJSON_GetStringValue(text), values);
    item = cJSON_CreateString(out.data);
    buf_release(&out);
    return item;
}

/* ---- letters ---- */

size_t letter_list(const struct letter_source *s, struct letter_to *letters, size_t cap)
{
    const cJSON *person, *code;
    size_t count = 0;
    int at = 0;

    cJSON_ArrayForEach(person, json_member(addressee_of(s), "people"))
    {
        cJSON_ArrayForEach(code, json_member(person, "letter"))
        {
            if (count < cap)
                letters[count] =
                    (struct letter_to){.person = at, .lang = (enum lang)lang_of(code->valuestring)};
            count++;
        }
        at++;
    }
    return count;
}

/* Adds each text, or list of texts, of `from` to data, filled; one that is there already wins. */
static void add_texts(cJSON *data, const cJSON *from, const cJSON *values)
{
    const cJSON *text, *item;

    cJSON_ArrayForEach(text, from)
    {
        if (json_member(data, text->string))
            continue;
        if (cJSON_IsString(text)) {
            cJSON_AddItemToObject(data, text->string, filled(text, values));
        } else if (cJSON_IsArray(text)) {
            cJSON *list = cJSON_AddArrayToObject(data, text->string);

            cJSON_ArrayForEach(item, text) cJSON_AddItemToArray(list, filled(item, values));
        }
    }
}

/* Who the letter goes to. What stands in English in addressees.json is marked as English. */
static void add_recipient(cJSON *data, const cJSON *person, const cJSON *own, enum lang lang)
{
    static const char *const names[] = {"style", "name", "office", "role", "place"};
    cJSON *recipient = cJSON_AddObjectToObject(data, "recipient");

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const cJSON *from = json_member(own, names[i]) ? own : person;

        cJSON_AddStringToObject(recipient, names[i], json_text(from, names[i]));
    }
    cJSON_AddStringToObject(recipient, "lang", own ? lang_codes[lang] : "en");
    cJSON_AddStringToObject(recipient, "known_as", json_text(person, "name"));
}

void letter_write(struct buf *out, const struct letter_source *s, const struct letter_to *to)
{
    const cJSON *letters = s->content->letters[to->lang], *addressee = addressee_of(s), *own;
    const cJSON *person = cJSON_GetArrayItem(json_member(addressee, "people"), to->person);
    cJSON *values = new_values(s, to->lang), *data = cJSON_CreateObject();
    char key[24];

    snprintf(key, sizeof key, "%d-%d", (int)(uint64_t)json_number(addressee, "number"),
             to->person + 1);
    own = json_member(json_member(letters, "letters"), key);
    cJSON_AddStringToObject(data, "lang", lang_codes[to->lang]);
    cJSON_AddStringToObject(data, "date", json_text(values, "date"));
    cJSON_AddStringToObject(data, "delivery", json_text(values, "delivery"));
    cJSON_AddStringToObject(data, "addressee", json_text(values, "addressee"));
    cJSON_AddStringToObject(data, "contact", s->organiser_contact);
    cJSON_AddStringToObject(data, "petition_title",
                            json_text(s->content->petition[to->lang], "title"));
    add_recipient(data, person, json_member(own, "recipient"), to->lang);
    add_texts(data, own, values);
    add_texts(data, json_member(letters, "shared"), values);
    template_render(content_template(s->content, "letter"), out, s->content->catalogue[to->lang],
                    data);
    cJSON_Delete(data);
    cJSON_Delete(values);
}

/* ---- summary ---- */

static void add_row(cJSON *rows, const char *label, uint64_t n)
{
    cJSON *row = cJSON_CreateObject();

    cJSON_AddStringToObject(row, "label", label);
    set_number(row, "value", n, LANG_EN);
    cJSON_AddItemToArray(rows, row);
}

static const char *keyed_text(const struct letter_source *s, const char *prefix, const char *name)
{
    char key[64];

    snprintf(key, sizeof key, "%s%s", prefix, name);
    return content_text(s->content, LANG_EN, key);
}

static void add_totals(cJSON *data, const struct letter_source *s)
{
    static const char *const names[] = {"signatures", "confirmed", "countries", "submissions",
                                        "repeats",    "withdrawn", NULL};
    const cJSON *reason;
    cJSON *rows = cJSON_AddArrayToObject(data, "rows");

    for (size_t i = 0; names[i]; i++)
        add_row(rows, keyed_text(s, "summary.", names[i]),
                (uint64_t)json_number(s->figures, names[i]));
    cJSON_ArrayForEach(reason, json_member(s->figures, "removed"))
        add_row(rows, keyed_text(s, "summary.removed.", reason->string),
                (uint64_t)reason->valuedouble);
    add_row(rows, keyed_text(s, "summary.", "log_size"),
            (uint64_t)json_number(s->figures, "log_size"));
}

static const char *tier_label(const struct letter_source *s, const char *tier)
{
    return keyed_text(s, "tier.", tier);
}

static const char *country_label(const struct letter_source *s, const char *code)
{
    return content_country_name(s->content, code, LANG_EN);
}

static const char *day_label(const struct letter_source *s, const char *day)
{
    return strcmp(day, "other") == 0 ? content_text(s->content, LANG_EN, "tier.other") : day;
}

/* The tables of the figures: "by_tier" has cells {"tier":…,"n":N}, and so on. */
static const struct summary_table {
    const char *figures, *key;
    const char *(*label)(const struct letter_source *s, const char *key);
} summary_tables[] = {
    {"by_tier", "tier", tier_label},
    {"by_country", "country", country_label},
    {"by_day", "day", day_label},
};

static void add_table(cJSON *tables, const struct letter_source *s, const struct summary_table *t)
{
    const cJSON *cells = json_member(s->figures, t->figures), *cell;
    cJSON *table, *rows;
    char head[32];

    if (cJSON_GetArraySize(cells) == 0)
        return;
    table = cJSON_CreateObject();
    snprintf(head, sizeof head, "%s.head", t->key);
    cJSON_AddStringToObject(table, "caption", keyed_text(s, "summary.", t->key));
    cJSON_AddStringToObject(table, "head_key", keyed_text(s, "summary.", head));
    cJSON_AddStringToObject(table, "head_value", keyed_text(s, "summary.", "number"));
    rows = cJSON_AddArrayToObject(table, "rows");
    cJSON_ArrayForEach(cell, cells)
        add_row(rows, t->label(s, json_text(cell, t->key)), (uint64_t)json_number(cell, "n"));
    cJSON_AddItemToArray(tables, table);
}

void letter_summary(struct buf *out, const struct letter_source *s)
{
    cJSON *data = cJSON_CreateObject(), *tables;

    cJSON_AddStringToObject(data, "lang", lang_codes[LANG_EN]);
    cJSON_AddStringToObject(data, "title", content_text(s->content, LANG_EN, "summary.title"));
    cJSON_AddStringToObject(data, "petition_title",
                            json_text(s->content->petition[LANG_EN], "title"));
    set_date(data, "date", s, LANG_EN);
    set_number(data, "delivery", (uint64_t)json_number(s->figures, "delivery"), LANG_EN);
    set_number(data, "addressee", (uint64_t)json_number(addressee_of(s), "number"), LANG_EN);
    add_totals(data, s);
    tables = cJSON_AddArrayToObject(data, "tables");
    for (size_t i = 0; i < sizeof summary_tables / sizeof *summary_tables; i++)
        add_table(tables, s, &summary_tables[i]);
    template_render(content_template(s->content, "summary"), out, s->content->catalogue[LANG_EN],
                    data);
    cJSON_Delete(data);
}

void letter_style_hash(struct buf *out, const struct content *content)
{
    cJSON *nothing = cJSON_CreateObject();
    const char *from, *to = NULL;
    uint8_t hash[SHA256_LEN];
    struct buf page;

    buf_init(&page, BUF_UNLIMITED);
    template_render(content_template(content, "letter"), &page, content->catalogue[LANG_EN],
                    nothing);
    from = strstr(page.data, "<style>");
    if (from)
        to = strstr(from += strlen("<style>"), "</style>");
    if (to) {
        sha256_of(hash, from, (size_t)(to - from));
        buf_adds(out, "sha256-");
        buf_base64(out, hash, sizeof hash);
    }
    cJSON_Delete(nothing);
    buf_release(&page);
}

/* ---- README ---- */

void letter_readme(struct buf *out, const struct letter_source *s)
{
    size_t count = letter_list(s, NULL, 0);
    struct letter_to *letters = xcalloc(count, sizeof *letters);
    bool wanted[LANG__COUNT] = {[LANG_EN] = true};

    letter_list(s, letters, count);
    for (size_t i = 0; i < count; i++)
        wanted[letters[i].lang] = true;
    free(letters);
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        cJSON *values;

        if (!wanted[lang])
            continue;
        values = new_values(s, (enum lang)lang);
        if (lang != LANG_EN)
            buf_adds(out, "\n\n------------------------------------------------------------\n\n");
        fill(out, s->content->readme[lang].data, values);
        cJSON_Delete(values);
    }
}
