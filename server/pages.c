/*
 * pages: the published set (see pages.h). Runs on the publisher's thread.
 */
#include "pages.h"

#include "compress.h"

#include <inttypes.h>
#include <string.h>

static const char html_type[] = "text/html; charset=utf-8";
static const char json_type[] = "application/json";
static const char text_type[] = "text/plain; charset=utf-8";

#define PAGES_MAX       32
#define PATH_MAX_BYTES  48
#define FIXED_MAX_AGE_S 300

/* The set while it is being made. */
struct set {
    const struct pages_config *config;
    const struct publication *p;
    char moving[96], fixed[96]; /* Cache-Control: changes with publications; does not */
    size_t count;
    char paths[PAGES_MAX][PATH_MAX_BYTES];
    struct http_page pages[PAGES_MAX];
};

/* The next page of the set; its bytes are still to be written. */
static struct buf *add(struct set *s, const char *type, const char *cache, const char *path)
{
    struct http_page *page = &s->pages[s->count];

    snprintf(s->paths[s->count], PATH_MAX_BYTES, "%s", path);
    *page = (struct http_page){.path = s->paths[s->count], .type = type, .cache = cache};
    buf_init(&page->identity, BUF_UNLIMITED);
    buf_init(&page->gzip, BUF_UNLIMITED);
    buf_init(&page->brotli, BUF_UNLIMITED);
    s->count++;
    return &page->identity;
}

static struct buf *add_in(struct set *s, const char *type, const char *format, enum lang lang)
{
    char path[PATH_MAX_BYTES];
    bool text = type == text_type;

    snprintf(path, sizeof path, "%s%s%s", text ? format : "/", lang_codes[lang],
             text ? "" : format);
    return add(s, type, text ? s->fixed : s->moving, path);
}

/* ---- the visitor's pages */

static void add_pages(struct set *s, enum lang lang)
{
    const struct view *view = s->config->view;
    const struct content_file *text = &view->content->text[lang];
    const struct view_withdrawal ask = {WITHDRAW_ASK, NULL};
    const struct view_receipt check = {.state = RECEIPT_ASK};

    view_petition(add_in(s, html_type, "", lang), view, lang, s->p, NULL);
    view_progress(add_in(s, html_type, "/progress", lang), view, lang, s->p);
    view_withdraw(add_in(s, html_type, "/withdraw", lang), view, lang, &ask);
    view_receipt(add_in(s, html_type, "/receipt", lang), view, lang, &check);
    view_verify(add_in(s, html_type, "/verify", lang), view, lang);
    view_privacy(add_in(s, html_type, "/privacy", lang), view, lang);
    buf_add(add_in(s, text_type, "/api/v1/text/", lang), text->data, text->len);
}

/* ---- the API's */

static void add_counts(struct buf *out, const struct publication *p)
{
    buf_printf(out,
               "\"count\":%" PRIu64 ",\"confirmed\":%" PRIu64 ",\"goal\":%d,\"log_size\":%" PRId64,
               p->count, p->confirmed, PETITION_GOAL, p->log_size);
}

static void add_table(struct buf *out, const char *name, const char *key, const struct table *t)
{
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < t->count; i++)
        buf_printf(out, "%s{\"%s\":\"%s\",\"n\":%" PRIu64 "}", i ? "," : "", key, t->cells[i].key,
                   t->cells[i].n);
    buf_addc(out, ']');
}

/* The first line of a text is its title. */
static void add_title(struct buf *out, const struct content *content, enum lang lang)
{
    const struct content_file *text = &content->text[lang];
    struct buf title;

    buf_init(&title, BUF_UNLIMITED);
    buf_add(&title, text->data, strcspn(text->data, "\n"));
    buf_json(out, title.data);
    buf_release(&title);
}

static void add_petition(struct buf *out, const struct pages_config *config,
                         const struct publication *p)
{
    const struct view *view = config->view;
    const char *state = p->closed ? "closed" : view->open ? "open" : "paused";

    buf_adds(out, "{\"title\":");
    add_title(out, view->content, LANG_EN);
    buf_adds(out, ",\"titles\":{");
    for (int lang = 0; lang < LANG__COUNT; lang++) {
        buf_printf(out, "%s\"%s\":", lang ? "," : "", lang_codes[lang]);
        add_title(out, view->content, (enum lang)lang);
    }
    buf_printf(out, "},\"goal\":%d,\"state\":\"%s\",\"languages\":[\"km\",\"en\",\"fr\"]",
               PETITION_GOAL, state);
    buf_adds(out, ",\"organiser\":");
    buf_json(out, *view->organiser_name ? view->organiser_name
                                        : content_text(view->content, LANG_EN, "page.organisers"));
    buf_adds(out, ",\"origin\":");
    buf_json(out, config->origin);
    buf_printf(out, ",\"minisign_key\":\"%s\",\"log_vkey\":\"", view->minisign_key);
    note_print_vkey(out, head_verifier(config->head));
    buf_adds(out, "\"}");
}

/* The signed checkpoint of this publication; a delivery may have published a later one. */
static void add_checkpoint(struct set *s)
{
    struct buf *out = add(s, text_type, "no-cache", "/checkpoint");

    s->pages[s->count - 1].any_site = true;
    head_sign(s->config->head, s->p->edge, out);
}

static void add_api(struct set *s)
{
    const struct content_file *addressees = &s->config->view->content->addressees_file;
    struct buf *out = add(s, json_type, s->moving, "/api/v1/count");

    buf_addc(out, '{');
    add_counts(out, s->p);
    buf_addc(out, '}');
    out = add(s, json_type, s->moving, "/api/v1/stats");
    buf_addc(out, '{');
    add_counts(out, s->p);
    buf_printf(out, ",\"count_step\":%" PRIu32, s->p->step);
    add_table(out, "by_country", "country", &s->p->by_country);
    add_table(out, "by_day", "day", &s->p->by_day);
    add_table(out, "by_tier", "tier", &s->p->by_tier);
    buf_addc(out, '}');
    add_petition(add(s, json_type, s->moving, "/api/v1/petition"), s->config, s->p);
    buf_add(add(s, json_type, s->fixed, "/api/v1/addressees"), addressees->data, addressees->len);
}

void pages_publish(const struct pages_config *config, struct http_server *server,
                   const struct publication *p)
{
    struct set *s = xcalloc(1, sizeof *s);
    int every_s = config->view->publish_every_s > 0 ? config->view->publish_every_s : 1;

    s->config = config;
    s->p = p;
    snprintf(s->moving, sizeof s->moving,
             "public, max-age=%d, stale-while-revalidate=60, stale-if-error=600", every_s);
    snprintf(s->fixed, sizeof s->fixed, "public, max-age=%d", FIXED_MAX_AGE_S);
    for (int lang = 0; lang < LANG__COUNT; lang++)
        add_pages(s, (enum lang)lang);
    add_api(s);
    add_checkpoint(s);
    for (size_t i = 0; i < s->count; i++) {
        compress_gzip(&s->pages[i].gzip, &s->pages[i].identity);
        compress_brotli(&s->pages[i].brotli, &s->pages[i].identity);
    }
    http_publish(server, s->pages, s->count);
    for (size_t i = 0; i < s->count; i++) {
        buf_release(&s->pages[i].identity);
        buf_release(&s->pages[i].gzip);
        buf_release(&s->pages[i].brotli);
    }
    free(s);
}

/* ---- handlers */

void pages_root(struct http_request *rq, void *ctx)
{
    char location[8];

    (void)ctx;
    snprintf(location, sizeof location, "/%s", http_lang(rq));
    http_set_header(rq, "Vary", "Accept-Language");
    http_redirect(rq, 302, location);
}

void pages_slash(struct http_request *rq, void *ctx)
{
    char location[8];

    (void)ctx;
    snprintf(location, sizeof location, "/%s", http_lang(rq));
    http_redirect(rq, 302, location);
}
