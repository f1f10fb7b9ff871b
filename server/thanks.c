/*
 * thanks: the page of a ticket and the files of the full receipt (see thanks.h). Runs on the
 * request threads; what it holds of a signer is wiped before it returns.
 *
 * A page that loads itself anew takes a reader by surprise (WCAG 2.2.1), so it says so, loses
 * nothing by it, does it seldom, stops once the entry is published, and can be told not to.
 */
#include "thanks.h"

#include "input.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define RELOAD_MIN_S 20
#define RELOAD_MAX_S 60

static const char html_type[] = "text/html; charset=utf-8";

static enum lang lang_of_request(const struct http_request *rq)
{
    return (enum lang)lang_of(http_lang(rq));
}

static void reply_page(struct http_request *rq, int status, struct buf *page)
{
    http_reply(rq, status, html_type, page);
}

/* ---- the codes */

/* Fills in the codes, which the caller has room for. */
static void set_codes(struct view_thanks *shown, char codes[2][CODE_MAX],
                      const struct ticket *ticket)
{
    entry_short_code(codes[0], ticket->opening.index, ticket->leaf);
    entry_withdraw_code(codes[1], ticket->opening.index, ticket->seed);
    shown->short_code = codes[0];
    shown->withdraw_code = codes[1];
}

static void render(struct http_request *rq, const struct thanks *t, struct view_thanks *shown,
                   const struct ticket *ticket)
{
    char codes[2][CODE_MAX];
    struct buf page;

    buf_init(&page, BUF_UNLIMITED);
    set_codes(shown, codes, ticket);
    view_thanks(&page, t->view, lang_of_request(rq), shown);
    sodium_memzero(codes, sizeof codes);
    reply_page(rq, 200, &page);
}

void thanks_redirect(struct http_request *rq, const struct thanks *t, const struct ticket *ticket)
{
    struct buf location;

    buf_init(&location, BUF_UNLIMITED);
    buf_addc(&location, '/');
    buf_adds(&location, http_lang(rq));
    buf_adds(&location, "/thanks/");
    ticket_write(&location, &t->keys, ticket, time(NULL));
    http_redirect(rq, 303, location.data);
    buf_wipe(&location);
}

void thanks_at_risk(struct http_request *rq, const struct thanks *t, const struct ticket *ticket)
{
    struct view_thanks shown = {.at_risk = true};

    http_set_header(rq, "Clear-Site-Data", "\"cache\", \"storage\"");
    render(rq, t, &shown, ticket);
}

/* ---- the page */

static void reply_gone(struct http_request *rq, const struct thanks *t)
{
    struct buf page;

    buf_init(&page, BUF_UNLIMITED);
    view_thanks_gone(&page, t->view, lang_of_request(rq));
    reply_page(rq, 410, &page);
}

/* How often the page loads itself anew: not before there can be news, and no oftener than a reader
 * can bear. */
static int reload_s(const struct view *view)
{
    int every_s = view->publish_every_s;

    return every_s < RELOAD_MIN_S ? RELOAD_MIN_S : every_s > RELOAD_MAX_S ? RELOAD_MAX_S : every_s;
}

void thanks_page(struct http_request *rq, void *ctx)
{
    const struct thanks *t = ctx;
    const char *text = http_param(rq, 1);
    struct view_thanks shown = {.reload_s = reload_s(t->view)};
    struct ticket ticket;
    struct buf address;
    char header[16];

    ticket_init(&ticket);
    buf_init(&address, BUF_UNLIMITED);
    if (ticket_read(&ticket, &t->keys, text, time(NULL)) != 0) {
        reply_gone(rq, t);
    } else {
        buf_printf(&address, "/%s/thanks/%s", http_lang(rq), text);
        shown.address = address.data;
        shown.published = lookup_size(t->lookup) > ticket.opening.index;
        shown.ticket = ticket.full ? text : NULL;
        if (http_query(rq, VIEW_STILL))
            shown.reload_s = 0;
        snprintf(header, sizeof header, "%d", shown.reload_s);
        if (!shown.published && shown.reload_s > 0)
            http_set_header(rq, "Refresh", header);
        render(rq, t, &shown, &ticket);
    }
    buf_wipe(&address);
    ticket_release(&ticket);
}

/* ---- the full receipt */

static void reply_file(struct http_request *rq, const char *type, const char *disposition,
                       struct buf *file)
{
    http_set_header(rq, "Content-Disposition", disposition);
    http_reply(rq, 200, type, file);
}

static void reply_proof(struct http_request *rq, const struct thanks *t,
                        const struct ticket *ticket)
{
    struct buf file;

    buf_init(&file, BUF_UNLIMITED);
    if (lookup_proof(t->lookup, ticket->opening.index, &file) == DB_OK)
        reply_file(rq, "text/plain; charset=utf-8",
                   "attachment; filename=\"petition-receipt.tlog-proof\"", &file);
    else
        http_fail(rq, 503);
    buf_release(&file);
}

static void reply_opening(struct http_request *rq, const struct thanks *t, struct ticket *ticket)
{
    struct buf file;

    buf_init(&file, OPENING_FILE_MAX);
    memcpy(ticket->opening.genesis, t->genesis, HASH_LEN);
    opening_write(&file, &ticket->opening);
    reply_file(rq, "application/json", "attachment; filename=\"petition-receipt.opening.json\"",
               &file);
}

static void reply_step(struct http_request *rq, const struct thanks *t, const char *text,
                       const struct ticket *ticket)
{
    const struct view_save shown = {text, ticket->opening.index,
                                    lookup_size(t->lookup) > ticket->opening.index};
    struct buf page;

    buf_init(&page, BUF_UNLIMITED);
    view_save(&page, t->view, lang_of_request(rq), &shown);
    reply_page(rq, 200, &page);
}

static const char *text_of(const struct input *in, const char *name)
{
    bool again;
    const struct input_member *m = input_find(in, name, &again);

    return m && m->string && !again ? m->string : "";
}

void thanks_save(struct http_request *rq, void *ctx)
{
    const struct thanks *t = ctx;
    struct ticket ticket;
    struct input in;
    size_t len;
    const char *body = http_body(rq, &len), *text, *file;
    bool published;

    if (input_parse_form(&in, body, len) != INPUT_OK) {
        http_fail(rq, 400);
        input_release(&in);
        return;
    }
    ticket_init(&ticket);
    text = text_of(&in, "ticket");
    file = text_of(&in, "file");
    if (ticket_read(&ticket, &t->keys, text, time(NULL)) != 0 || !ticket.full) {
        reply_gone(rq, t);
    } else {
        published = lookup_size(t->lookup) > ticket.opening.index;
        if (published && strcmp(file, "proof") == 0)
            reply_proof(rq, t, &ticket);
        else if (published && strcmp(file, "opening") == 0)
            reply_opening(rq, t, &ticket);
        else
            reply_step(rq, t, text, &ticket);
    }
    ticket_release(&ticket);
    input_release(&in);
}
