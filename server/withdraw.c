/*
 * withdraw: the handlers and the job of withdrawing (see withdraw.h).
 *
 * Shaped like sign.c: the handler parses and parks, apply() runs on the writer's thread, the answer
 * is made on the request thread. The code is a secret: it is wiped and never logged.
 */
#include "withdraw.h"

#include "input.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>

struct withdrawing {
    struct job job;
    const struct withdrawing_config *config;
    struct http_request *request; /* NULL for withdraw_code */
    bool api;
    struct input input;
    int64_t index;
    uint8_t seed[SEED_LEN];
    enum withdraw_state verdict; /* WITHDRAW_DONE or WITHDRAW_UNKNOWN, by apply */
};

/* True if the seed is the one whose hash the entry names. */
static int check_seed(struct withdrawing *w, struct db *db, const uint8_t secret[HASH_LEN])
{
    uint8_t expected[HASH_LEN], given[HASH_LEN];
    struct buf body;
    int result;

    buf_init(&body, BUF_UNLIMITED);
    entry_withdraw_hash(given, secret);
    result = db_log_entry(db, w->index, &body);
    if (result == DB_OK && (entry_sign_w(expected, body.data, body.len) != 0 ||
                            sodium_memcmp(expected, given, HASH_LEN) != 0))
        result = DB_NO_ROW;
    buf_release(&body);
    return result;
}

static int erase(struct withdrawing *w, struct db *db, const uint8_t secret[HASH_LEN])
{
    struct buf entry;
    int64_t entry_index;
    int result;

    buf_init(&entry, BUF_UNLIMITED);
    entry_wd(&entry, w->index, secret);
    result = db_log_append(db, &entry, &entry_index);
    buf_release(&entry);
    return result == DB_OK ? db_submission_erase(db, w->index, VOID__MAX) : result;
}

static int apply(struct job *job, struct db *db)
{
    struct withdrawing *w = (struct withdrawing *)job;
    uint8_t secret[HASH_LEN];
    bool live = false;
    int result;

    w->verdict = WITHDRAW_UNKNOWN;
    entry_withdraw_secret(secret, w->seed);
    result = check_seed(w, db, secret);
    if (result == DB_OK)
        result = db_submission_live(db, w->index, &live);
    if (result == DB_OK && live)
        result = erase(w, db, secret);
    if (result == DB_OK)
        w->verdict = WITHDRAW_DONE;
    sodium_memzero(secret, sizeof secret);
    return result == DB_NO_ROW ? DB_OK : result;
}

/* ---- answers */

static const int statuses[WITHDRAW_STATE__COUNT] = {
    [WITHDRAW_ASK] = 200,     [WITHDRAW_MISSING] = 422, [WITHDRAW_MISTYPED] = 422,
    [WITHDRAW_UNKNOWN] = 404, [WITHDRAW_BUSY] = 503,    [WITHDRAW_DONE] = 200,
};

static const char *const details[WITHDRAW_STATE__COUNT] = {
    [WITHDRAW_MISSING] = "The code is missing.",
    [WITHDRAW_MISTYPED] = "The code is mistyped: a character is wrong, missing or too many.",
    [WITHDRAW_UNKNOWN] = "There is no signature with this code.",
    [WITHDRAW_BUSY] = "Please send it again in a moment.",
};

static void reply_json(struct withdrawing *w, enum withdraw_state state)
{
    static const char missing[] = "{\"code\":\"missing\"}", invalid[] = "{\"code\":\"invalid\"}";
    struct buf body;

    if (state != WITHDRAW_DONE) {
        http_problem(w->request, statuses[state], details[state],
                     state == WITHDRAW_MISSING    ? missing
                     : state == WITHDRAW_MISTYPED ? invalid
                                                  : NULL);
        return;
    }
    buf_init(&body, BUF_UNLIMITED);
    buf_printf(&body, "{\"withdrawn\":%" PRId64 "}", w->index);
    http_reply_json(w->request, 200, &body);
}

static void reply(struct withdrawing *w, enum withdraw_state state)
{
    bool again;
    const struct input_member *code = input_find(&w->input, "code", &again);
    struct view_withdrawal shown = {state, code ? code->string : NULL};
    struct buf page;

    if (state == WITHDRAW_BUSY)
        http_set_header(w->request, "Retry-After", "5");
    if (w->api) {
        reply_json(w, state);
        return;
    }
    buf_init(&page, BUF_UNLIMITED);
    view_withdraw(&page, w->config->view, (enum lang)lang_of(http_lang(w->request)), &shown);
    http_reply(w->request, statuses[state], "text/html; charset=utf-8", &page);
}

static void on_written(struct http_request *rq, void *ctx)
{
    struct withdrawing *w = ctx;

    (void)rq;
    reply(w, w->job.result == JOB_COMMITTED ? w->verdict : WITHDRAW_BUSY);
}

/* ---- handlers */

static void done(struct job *job)
{
    struct withdrawing *w = (struct withdrawing *)job;

    http_wake(w->request);
}

static void release_withdrawing(void *data)
{
    struct withdrawing *w = data;

    input_release(&w->input);
    sodium_memzero(w, sizeof *w);
    free(w);
}

/* The code out of the body; WITHDRAW_ASK if it is well formed. */
static enum withdraw_state read_code(struct withdrawing *w)
{
    bool again;
    const struct input_member *code = input_find(&w->input, "code", &again);

    if (!code || (code->type == INPUT_STRING && !*code->string))
        return WITHDRAW_MISSING;
    if (again || code->type != INPUT_STRING || (w->api && w->input.count > 1) ||
        entry_parse_withdraw_code(&w->index, w->seed, code->string) != 0)
        return WITHDRAW_MISTYPED;
    return WITHDRAW_ASK;
}

static void handle(const struct withdrawing_config *config, struct http_request *rq, bool api)
{
    struct withdrawing *w = xcalloc(1, sizeof *w);
    enum withdraw_state state;
    enum input_reason reason;
    size_t len;
    const char *body = http_body(rq, &len);

    *w = (struct withdrawing){.job = {.apply = apply, .done = done},
                              .config = config,
                              .request = rq,
                              .api = api};
    http_attach(rq, w, release_withdrawing);
    reason = api ? input_parse_json(&w->input, body, len) : input_parse_form(&w->input, body, len);
    if (reason != INPUT_OK) {
        http_fail(rq, 400);
        return;
    }
    state = read_code(w);
    if (state == WITHDRAW_ASK && !writer_reserve(config->writer))
        state = WITHDRAW_BUSY;
    if (state != WITHDRAW_ASK) {
        reply(w, state);
        return;
    }
    http_park(rq, on_written, w);
    writer_submit(config->writer, &w->job);
}

void withdraw_form(struct http_request *rq, void *ctx)
{
    handle(ctx, rq, false);
}

void withdraw_api(struct http_request *rq, void *ctx)
{
    handle(ctx, rq, true);
}

enum withdraw_state withdraw_code(struct writer *writer, const char *code, int64_t *index)
{
    struct withdrawing w = {.job = {.apply = apply}};
    enum withdraw_state state = WITHDRAW_MISTYPED;

    if (entry_parse_withdraw_code(&w.index, w.seed, code) == 0)
        state = writer_run(writer, &w.job) == JOB_COMMITTED ? w.verdict : WITHDRAW_BUSY;
    *index = w.index;
    sodium_memzero(&w, sizeof w);
    return state;
}
