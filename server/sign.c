/*
 * sign: the handlers of signing (see sign.h).
 *
 * The handler runs on a request thread until it parks; apply() on the writer's; the answer is made
 * on the request thread again. A struct submitting belongs to the request from start to end, and to
 * the writer between submit and done. `recent` is the writer's alone. What becomes of a valid form
 * is in submit.c.
 *
 * What the signer typed is wiped with the struct, whatever the outcome.
 */
#include "sign.h"

#include "form.h"
#include "log.h"
#include "recent.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

struct signing {
    struct signing_config config;
    struct writer *writer;
    struct publisher *publisher;
    struct recent *recent; /* the writer's */
    size_t added;          /* the writer's: to recent, in this attempt */
};

struct submitting {
    struct job job;
    struct signing *signing;
    struct http_request *request;
    bool api;
    struct input input;
    struct form form;
    struct draft draft;
    uint8_t recent_key[RECENT_KEY_LEN];
    bool stored;  /* as a new one */
    bool closed;  /* the petition was, when the writer came to it */
    bool at_risk; /* the signer says so: the answer leaves no trace that can be left out */
};

struct signing *signing_new(const struct signing_config *config)
{
    struct signing *s = xcalloc(1, sizeof *s);

    s->config = *config;
    s->recent = recent_new();
    return s;
}

void signing_free(struct signing *s)
{
    recent_free(s->recent);
    free(s);
}

static int attempt_begin(void *ctx)
{
    struct signing *s = ctx;

    s->added = 0;
    return submitter_begin(s->config.submitter);
}

static void attempt_end(void *ctx, bool committed)
{
    struct signing *s = ctx;

    if (!committed)
        recent_take_back(s->recent, s->added);
    submitter_end(s->config.submitter);
}

struct writer_hooks signing_hooks(struct signing *s)
{
    return (struct writer_hooks){attempt_begin, attempt_end, s};
}

void signing_attach(struct signing *s, struct writer *writer, struct publisher *publisher)
{
    s->writer = writer;
    s->publisher = publisher;
}

/* What makes two submissions the same one sent twice. */
static void hash_recent_key(struct submitting *s)
{
    crypto_generichash_state state;
    const uint8_t choices[] = {(uint8_t)s->form.visibility, s->form.updates};

    crypto_generichash_init(&state, NULL, 0, RECENT_KEY_LEN);
    crypto_generichash_update(&state, s->draft.tag, TAG_LEN);
    crypto_generichash_update(&state, s->draft.w, HASH_LEN);
    crypto_generichash_update(&state, (const uint8_t *)s->form.country, sizeof s->form.country);
    crypto_generichash_update(&state, choices, sizeof choices);
    crypto_generichash_update(&state, (const uint8_t *)s->form.name.data, s->form.name.len);
    crypto_generichash_final(&state, s->recent_key, RECENT_KEY_LEN);
}

/* ---- the writer's part */

/* A retry after a lost answer: same seed, same everything, and still live. Answers with the index
 * that is stored; DB_NO_ROW if this is no retry. */
static int find_retry(struct submitting *s, struct db *db)
{
    int64_t index = recent_find(s->signing->recent, s->recent_key);
    struct buf body;
    bool live = false;
    int result;

    if (index < 0)
        return DB_NO_ROW;
    result = db_submission_live(db, index, &live);
    if (result != DB_OK || !live)
        return result < 0 ? result : DB_NO_ROW;
    buf_init(&body, BUF_UNLIMITED);
    result = db_log_entry(db, index, &body);
    if (result == DB_OK) {
        s->draft.index = index;
        merkle_leaf(s->draft.leaf, body.data, body.len);
    }
    buf_release(&body);
    return result;
}

static int apply(struct job *job, struct db *db)
{
    struct submitting *s = (struct submitting *)job;
    struct signing *signing = s->signing;
    int result;

    s->closed = db_close_index(db) > 0; /* whoever sends again, too */
    result = s->closed ? DB_OK : find_retry(s, db);
    if (result != DB_NO_ROW)
        return result;
    result = submission_apply(signing->config.submitter, &s->draft, db);
    if (result == DB_OK) {
        recent_add(signing->recent, s->recent_key, s->draft.index);
        signing->added++;
        s->stored = true;
    }
    return result;
}

static void done(struct job *job)
{
    struct submitting *s = (struct submitting *)job;

    if (s->job.result == JOB_COMMITTED && s->stored)
        hours_add(s->signing->config.hours, time(NULL));
    http_wake(s->request);
}

/* ---- answers */

/* The page again, with what was typed, and what is wrong with it. */
static void reply_page(struct submitting *s, int status, const char *notice)
{
    const struct view *view = s->signing->config.view;
    struct view_form form = {.at_risk = s->at_risk, .notice = notice};
    struct publication now;
    struct buf seed, page;
    bool again;

    for (int field = 0; field < FIELD__COUNT; field++) {
        const struct input_member *m = input_find(&s->input, sign_field_names[field], &again);

        form.values[field] = m ? m->string : NULL;
        form.errors[field] = s->form.errors[field];
    }
    buf_init(&seed, BUF_UNLIMITED);
    buf_init(&page, BUF_UNLIMITED);
    if (notice) { /* sent again, it is the same submission */
        buf_base64(&seed, s->form.seed, SEED_LEN);
        form.values[FIELD_SEED] = seed.data;
    }
    publisher_current(s->signing->publisher, &now);
    now.closed |= submitter_closed(s->signing->config.submitter);
    view_petition(&page, view, s->form.lang, &now, &form);
    buf_wipe(&seed);
    http_reply(s->request, status, "text/html; charset=utf-8", &page);
}

static void reply_invalid(struct submitting *s)
{
    struct buf errors;

    if (!s->api) {
        reply_page(s, 422, NULL);
        return;
    }
    buf_init(&errors, BUF_UNLIMITED);
    buf_addc(&errors, '{');
    buf_add(&errors, s->form.unknown.data, s->form.unknown.len);
    for (int field = 0; field < FIELD__COUNT; field++)
        if (s->form.errors[field] != FIELD_OK)
            buf_printf(&errors, "\"%s\":\"%s\",", sign_field_names[field],
                       field_reason_names[s->form.errors[field]]);
    errors.data[errors.len - 1] = '}'; /* over the last comma */
    http_problem(s->request, 422, "Nothing was stored. Each member of errors says what to mend.",
                 errors.data);
    buf_release(&errors);
}

/* Too busy, or the disk failed: unknown whether it was stored; sending again counts once. */
static void reply_busy(struct submitting *s)
{
    http_set_header(s->request, "Retry-After", "5");
    if (s->api)
        http_problem(s->request, 503, "Please send it again: it counts once.", NULL);
    else
        reply_page(s, 503, "sign.busy");
}

/* Nobody can sign: for now, or any more. */
static void reply_shut(struct submitting *s, int status, const char *detail)
{
    if (s->api)
        http_problem(s->request, status, detail, NULL);
    else
        reply_page(s, status, NULL);
}

static void reply_closed(struct submitting *s)
{
    submitter_close(s->signing->config.submitter);
    reply_shut(s, 410, "The petition is closed: it cannot be signed any more.");
}

/* The codes; and if this form was stored, not found again, what opens its entry. */
static void reply_codes(struct submitting *s)
{
    const struct thanks *thanks = s->signing->config.thanks;
    struct ticket ticket;

    ticket_init(&ticket);
    ticket.opening.index = s->draft.index;
    memcpy(ticket.seed, s->form.seed, SEED_LEN);
    memcpy(ticket.leaf, s->draft.leaf, HASH_LEN);
    if (s->stored && !s->at_risk) {
        ticket.full = true;
        memcpy(ticket.opening.r, s->draft.opening, HASH_LEN);
        memcpy(ticket.opening.r2, s->draft.r2, HASH_LEN);
        buf_adds(&ticket.opening.contact, s->form.canonical.canonical);
        buf_add(&ticket.opening.fields, s->draft.fields.data, s->draft.fields.len);
    }
    if (s->at_risk)
        thanks_at_risk(s->request, thanks, &ticket);
    else
        thanks_redirect(s->request, thanks, &ticket);
    ticket_release(&ticket);
}

static void reply_receipt(struct submitting *s)
{
    char code[CODE_MAX], withdraw[CODE_MAX];
    struct buf body;

    entry_short_code(code, s->draft.index, s->draft.leaf);
    entry_withdraw_code(withdraw, s->draft.index, s->form.seed);
    buf_init(&body, BUF_UNLIMITED);
    buf_printf(&body, "{\"receipt\":{\"code\":\"%s\",\"withdraw\":\"%s\",\"index\":%" PRId64 "}}",
               code, withdraw, s->draft.index);
    sodium_memzero(withdraw, sizeof withdraw);
    http_reply_json(s->request, 202, &body);
}

static void on_written(struct http_request *rq, void *ctx)
{
    struct submitting *s = ctx;

    (void)rq;
    if (s->job.result != JOB_COMMITTED)
        reply_busy(s);
    else if (s->closed)
        reply_closed(s);
    else if (s->api)
        reply_receipt(s);
    else
        reply_codes(s);
}

/* ---- handlers */

static void release_submitting(void *data)
{
    struct submitting *s = data;

    input_release(&s->input);
    form_release(&s->form);
    draft_release(&s->draft);
    sodium_memzero(s, sizeof *s);
    free(s);
}

static struct submitting *new_submitting(struct signing *signing, struct http_request *rq, bool api)
{
    struct submitting *s = xcalloc(1, sizeof *s);

    s->job.apply = apply;
    s->job.done = done;
    s->signing = signing;
    s->request = rq;
    s->api = api;
    form_init(&s->form);
    if (!api)
        s->form.lang = (enum lang)lang_of(http_lang(rq));
    draft_init(&s->draft, &s->form, TIER_UNCONFIRMED);
    http_attach(rq, s, release_submitting);
    return s;
}

/* Of the form only. Whatever the box sends means yes, but for the ways to say no. */
static bool says_at_risk(const struct input *in)
{
    static const char *const no[] = {"", "0", "off", "no", "false"};
    bool again;
    const struct input_member *m = input_find(in, "risk", &again);

    for (size_t i = 0; m && i < sizeof no / sizeof *no; i++)
        if (m->string && strcmp(m->string, no[i]) == 0)
            return again;
    return m != NULL;
}

static void handle(struct signing *signing, struct http_request *rq, bool api)
{
    const struct form_rules rules = {signing->config.view->content, signing->config.identity,
                                     signing->config.accept_unconfirmed, api, false};
    struct submitting *s = new_submitting(signing, rq, api);
    size_t len;
    const char *body = http_body(rq, &len);
    enum input_reason reason =
        api ? input_parse_json(&s->input, body, len) : input_parse_form(&s->input, body, len);

    if (reason != INPUT_OK) {
        http_fail(rq, 400);
        return;
    }
    s->at_risk = !api && says_at_risk(&s->input);
    if (submitter_closed(signing->config.submitter)) {
        reply_closed(s);
        return;
    }
    if (!signing->config.view->open) {
        reply_shut(s, 403, "Signing is paused.");
        return;
    }
    if (!form_validate(&s->form, &s->input, &rules)) {
        reply_invalid(s);
        return;
    }
    if (!writer_reserve(signing->writer)) {
        reply_busy(s);
        return;
    }
    if (!submission_prepare(signing->config.submitter, &s->draft)) {
        writer_cancel(signing->writer);
        s->form.errors[FIELD_NAME] = FIELD_TOO_LONG;
        reply_invalid(s);
        return;
    }
    hash_recent_key(s);
    http_park(rq, on_written, s);
    writer_submit(signing->writer, &s->job);
}

void sign_form(struct http_request *rq, void *ctx)
{
    handle(ctx, rq, false);
}

void sign_api(struct http_request *rq, void *ctx)
{
    handle(ctx, rq, true);
}
