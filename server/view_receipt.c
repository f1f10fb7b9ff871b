/*
 * view_receipt: the pages after signing, and those on which receipts and the log are checked (see
 * view.h). Any thread: nothing is kept between calls.
 */
#include "view_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

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
    page_text(object, "url", url.data);
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
    cJSON *links = page_array(page->data, "share_links");

    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        const char *label = services[i].label;
        cJSON *link = page_object(links);

        page_text(link, "label", label ? label : page_say(page, "thanks.share.mail"));
        set_share_link(link, services[i].pattern, address, title);
    }
}

/* When the log will hold it, and that the page looks again by itself. */
static void add_waiting(const struct page *page, const struct view_thanks *t)
{
    page_flag(page->data, "waiting", true);
    page_format(page->data, "seconds", "%d", page->v->publish_every_s);
    page_text(page->data, "again", t->address);
    if (t->reload_s == 0)
        return;
    page_flag(page->data, "reloads", true);
    page_format(page->data, "reload", "%d", t->reload_s);
    page_format(page->data, "still", "%s?" VIEW_STILL "=1", t->address);
}

static void add_share(const struct page *page)
{
    const struct view *v = page->v;
    const cJSON *title =
        cJSON_GetObjectItemCaseSensitive(v->content->petition[page->lang], "title");
    const char *address;

    page_flag(page->data, "share", true);
    page_format(page->data, "share_address", "%s/%s", v->base_url, lang_codes[page->lang]);
    address = cJSON_GetObjectItemCaseSensitive(page->data, "share_address")->valuestring;
    if (*v->base_url != '\0')
        add_share_links(page, address, title->valuestring);
}

void view_thanks(struct buf *out, const struct view *v, enum lang lang, const struct view_thanks *t)
{
    struct page page = page_new(v, lang, NULL);

    cJSON_DeleteItemFromObjectCaseSensitive(page.data, "switch");
    page_text(page.data, "title", page_say(&page, "thanks.title"));
    page_text(page.data, "short_code", t->short_code);
    page_text(page.data, "withdraw_code", t->withdraw_code);
    if (t->at_risk) {
        page_flag(page.data, "at_risk", true);
    } else {
        if (t->published)
            page_flag(page.data, "published", true);
        else
            add_waiting(&page, t);
        if (t->ticket)
            page_text(page.data, "ticket", t->ticket);
        add_share(&page);
    }
    page_finish(&page, "thanks", out);
}

void view_thanks_gone(struct buf *out, const struct view *v, enum lang lang)
{
    struct page page = page_new(v, lang, NULL);

    page_text(page.data, "title", page_say(&page, "gone.title"));
    page_finish(&page, "thanks_gone", out);
}

void view_save(struct buf *out, const struct view *v, enum lang lang, const struct view_save *s)
{
    struct page page = page_new(v, lang, NULL);

    cJSON_DeleteItemFromObjectCaseSensitive(page.data, "switch");
    page_text(page.data, "title", page_say(&page, "save.title"));
    page_text(page.data, "ticket", s->ticket);
    page_format(page.data, "index", "%" PRId64, s->index);
    page_format(page.data, "seconds", "%d", v->publish_every_s);
    page_flag(page.data, "published", s->published);
    page_finish(&page, "save", out);
}

/* ---- receipts ---- */

static void add_found(const struct page *page, const struct view_receipt *r)
{
    cJSON *found = page_member(page->data, "found"), *deliveries;
    char key[40];

    page_format(found, "index", "%" PRId64, r->index);
    page_number(found, "since", (uint64_t)r->since, page->lang);
    if (r->proven > 0)
        page_number(found, "proven", (uint64_t)r->proven, page->lang);
    page_format(found, "end", "%" PRId64, r->end);
    if (r->end < 0) {
        page_flag(found, "live", true);
    } else if (r->why == VOID__MAX) {
        page_flag(found, "withdrawn", true);
    } else {
        snprintf(key, sizeof key, "desk.why.%s", void_why_names[r->why]);
        page_text(found, "removed", page_say(page, key));
    }
    deliveries = page_array(found, "deliveries");
    for (size_t i = 0; i < r->delivery_count; i++)
        page_format(page_object(deliveries), "n", "%" PRId64, r->deliveries[i]);
    page_flag(found, "more_deliveries", r->more_deliveries);
}

void view_receipt(struct buf *out, const struct view *v, enum lang lang,
                  const struct view_receipt *r)
{
    static const char *const errors[RECEIPT_STATE__COUNT] = {
        [RECEIPT_MISSING] = "receipt.missing", [RECEIPT_MALFORMED] = "receipt.malformed",
        [RECEIPT_PRIVATE] = "receipt.private", [RECEIPT_CODE] = "receipt.code",
        [RECEIPT_FOREIGN] = "receipt.foreign", [RECEIPT_FORGED] = "receipt.forged",
        [RECEIPT_BROKEN] = "receipt.broken",   [RECEIPT_FORK] = "receipt.fork",
        [RECEIPT_UNKNOWN] = "receipt.unknown", [RECEIPT_LATER] = "receipt.later",
    };
    struct page page = page_new(v, lang, "/receipt");
    const char *error = errors[r->state];
    bool found = r->state == RECEIPT_FOUND;
    cJSON *field = page_member(page.data, "field_receipt");

    page_text(page.data, "title", page_say(&page, found ? "receipt.found.title" : "receipt.title"));
    page_text(field, "value", r->typed ? r->typed : "");
    if (error) {
        page_text(field, "error", page_say(&page, error));
        page_problem(page.data, "receipt", page_say(&page, error));
    }
    if (r->state == RECEIPT_BUSY)
        page_text(page.data, "notice", page_say(&page, "receipt.busy"));
    if (found)
        add_found(&page, r);
    page_finish(&page, "receipt", out);
}

/* ---- checking without this server */

/* SITE in the commands is where they ask. */
static void add_commands(const struct page *page)
{
    static const char site[] = "SITE";
    const char *base_url = page->v->base_url;

    for (const cJSON *block = page->v->content->commands->child; block; block = block->next) {
        const char *at = strstr(block->valuestring, site);
        char name[40];

        snprintf(name, sizeof name, "commands_%s", block->string);
        if (at)
            page_format(page->data, name, "%.*s%s%s", (int)(at - block->valuestring),
                        block->valuestring, *base_url ? base_url : page_say(page, "verify.address"),
                        at + strlen(site));
        else
            page_text(page->data, name, block->valuestring);
    }
}

void view_verify(struct buf *out, const struct view *v, enum lang lang)
{
    struct page page = page_new(v, lang, "/verify");

    page_text(page.data, "title", page_say(&page, "verify.title"));
    add_commands(&page);
    page_finish(&page, "verify", out);
}
