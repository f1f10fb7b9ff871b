/*
 * organiser_api: what organisers do over HTTP with a bearer token (see organiser.h).
 *
 * One shape for all: a handler names its act; the job finds whose token it is, does the act's part
 * in the database and writes the audit trail; then the request thread answers.
 */
#include "export.h"
#include "log.h"
#include "organiser.h"

#include <inttypes.h>
#include <sodium.h>
#include <string.h>
#include <time.h>

struct act;

struct act_kind {
    const char *audit; /* name in the trail; NULL: only a look, not written down */
    /* Writer's thread; sets act->status on a refusal. */
    int (*apply)(struct act *act, struct db *db);
    /* Request thread, after the commit, if status is 200. */
    void (*answer)(struct act *act);
};

struct act {
    struct job job;
    const struct act_kind *kind;
    const struct organiser_api *api;
    struct http_request *request;
    uint8_t token_hash[HASH_LEN];
    int status;            /* 200, 401 or 404 */
    int64_t id, addressee; /* of the delivery, of the bundle; 0: none */
    struct delivery_row row;
    struct bundle_row bundles[ADDRESSEE_COUNT];
    size_t bundle_count;
    struct buf who, text;
};

static int write_audit(struct act *act, struct db *db)
{
    struct audit_act a = {time(NULL), act->who.data, act->kind->audit, ""};
    char detail[48] = "";

    if (act->addressee)
        snprintf(detail, sizeof detail, "%" PRId64 "/%" PRId64, act->id, act->addressee);
    else if (act->id)
        snprintf(detail, sizeof detail, "%" PRId64, act->id);
    a.detail = detail;
    return db_audit(db, &a);
}

static int apply(struct job *job, struct db *db)
{
    struct act *act = (struct act *)job;
    int result;

    act->status = 401;
    buf_clear(&act->who);
    result = db_token_find(db, act->token_hash, &act->who);
    if (result != DB_OK)
        return result == DB_NO_ROW ? DB_OK : result;
    act->status = 200;
    result = act->kind->apply ? act->kind->apply(act, db) : DB_OK;
    if (result == DB_OK && act->status == 200 && act->kind->audit)
        result = write_audit(act, db);
    return result;
}

static void done(struct job *job)
{
    struct act *act = (struct act *)job;

    http_wake(act->request);
}

static void refuse_token(struct http_request *rq)
{
    http_set_header(rq, "WWW-Authenticate", "Bearer");
    http_problem(rq, 401, "This needs an organiser's token: Authorization: Bearer TOKEN.", NULL);
}

static void on_written(struct http_request *rq, void *ctx)
{
    struct act *act = ctx;

    if (act->job.result != JOB_COMMITTED)
        http_fail(rq, 503);
    else if (act->status == 401)
        refuse_token(rq);
    else if (act->status != 200)
        http_fail(rq, act->status);
    else
        act->kind->answer(act);
}

static void release_act(void *data)
{
    struct act *act = data;

    delivery_row_release(&act->row);
    buf_release(&act->who);
    buf_release(&act->text);
    free(act);
}

static void start(struct http_request *rq, const struct organiser_api *api,
                  const struct act_kind *kind)
{
    const char *token = http_bearer(rq);
    struct act *act;

    if (!token || !*token) {
        refuse_token(rq);
        return;
    }
    if (!writer_reserve(api->writer)) {
        http_fail(rq, 503);
        return;
    }
    act = xcalloc(1, sizeof *act);
    *act = (struct act){.job = {.apply = apply, .done = done},
                        .kind = kind,
                        .api = api,
                        .request = rq};
    crypto_generichash(act->token_hash, HASH_LEN, (const uint8_t *)token, strlen(token), NULL, 0);
    delivery_row_init(&act->row);
    buf_init(&act->who, BUF_UNLIMITED);
    buf_init(&act->text, BUF_UNLIMITED);
    act->id = strtoll(http_param(rq, 0), NULL, 10);
    act->addressee = strtoll(http_param(rq, 1), NULL, 10);
    http_attach(rq, act, release_act);
    http_park(rq, on_written, act);
    writer_submit(api->writer, &act->job);
}

/* ---- deliveries */

static int apply_post_delivery(struct act *act, struct db *db)
{
    return db_delivery_add(db, act->who.data, time(NULL), &act->id);
}

static void answer_post_delivery(struct act *act)
{
    char location[64];

    delivery_wake(act->api->delivery);
    snprintf(location, sizeof location, "/api/v1/deliveries/%" PRId64, act->id);
    http_set_header(act->request, "Location", location);
    buf_printf(&act->text, "{\"id\":%" PRId64 "}", act->id);
    http_reply_json(act->request, 202, &act->text);
}

/* Reads the delivery and, if it is done, its bundles: before, and of one that failed, there are
 * none to be had. */
static int apply_get_delivery(struct act *act, struct db *db)
{
    int result = db_delivery_get(db, act->id, &act->row);

    act->bundle_count = 0;
    if (result == DB_NO_ROW) {
        act->status = 404;
        return DB_OK;
    }
    if (result != DB_OK || act->row.state != DELIVERY_DONE)
        return result;
    act->bundle_count = ADDRESSEE_COUNT;
    return db_bundles(db, act->id, act->bundles, &act->bundle_count);
}

static void add_bundles(struct act *act)
{
    buf_adds(&act->text, ",\"bundles\":[");
    for (size_t i = 0; i < act->bundle_count; i++) {
        const struct bundle_row *b = &act->bundles[i];

        buf_printf(&act->text,
                   "%s{\"addressee\":%d,\"url\":\"/api/v1/deliveries/%" PRId64
                   "/bundles/%d.zip\",\"sha256\":\"",
                   i ? "," : "", b->addressee, act->id, b->addressee);
        buf_hex(&act->text, b->sha256, HASH_LEN);
        buf_printf(&act->text, "\",\"bytes\":%" PRId64 "}", b->bytes);
    }
    buf_addc(&act->text, ']');
}

static void answer_get_delivery(struct act *act)
{
    bool is_done = act->row.state == DELIVERY_DONE;
    double progress = is_done ? 1 : delivery_progress(act->api->delivery, act->id);

    buf_printf(&act->text, "{\"id\":%" PRId64 ",\"state\":\"%s\",\"progress\":%.3g", act->id,
               delivery_state_names[act->row.state], progress);
    if (act->row.size > 0)
        buf_printf(&act->text, ",\"log_size\":%" PRId64, act->row.size);
    if (act->row.state == DELIVERY_FAILED) {
        buf_adds(&act->text, ",\"why\":");
        buf_json(&act->text, act->row.why.data);
    }
    add_bundles(act);
    buf_addc(&act->text, '}');
    http_reply_json(act->request, 200, &act->text);
}

static int apply_get_bundle(struct act *act, struct db *db)
{
    int result = apply_get_delivery(act, db);

    act->status = 404;
    for (size_t i = 0; result == DB_OK && i < act->bundle_count; i++)
        if (act->bundles[i].addressee == act->addressee)
            act->status = 200;
    return result;
}

static void answer_get_bundle(struct act *act)
{
    struct buf name;

    delivery_bundle_path(&act->text, act->api->delivery_config, act->id, (int)act->addressee);
    buf_init(&name, BUF_UNLIMITED);
    buf_adds(&name, strrchr(act->text.data, '/') + 1);
    http_reply_file(act->request, act->text.data, "application/zip", name.data);
    buf_release(&name);
}

/* ---- exports */

static int apply_get_counts(struct act *act, struct db *db)
{
    buf_clear(&act->text);
    buf_adds(&act->text, "country,tier,day,submissions\r\n");
    return db_tally_csv(db, &act->text);
}

static void answer_get_counts(struct act *act)
{
    http_set_header(act->request, "Content-Disposition", "attachment; filename=\"counts.csv\"");
    http_reply(act->request, 200, "text/csv; charset=utf-8", &act->text);
}

static int stream_next(void *ctx, struct buf *piece)
{
    return export_next(ctx, piece);
}

static void stream_release(void *ctx)
{
    export_close(ctx);
}

static void answer_get_sealed(struct act *act)
{
    struct http_stream stream = {stream_next, stream_release, NULL};

    stream.ctx = export_open(act->api->delivery_config->database, &act->text);
    if (!stream.ctx) {
        log_error("export: %s", act->text.data);
        http_fail(act->request, 500);
        return;
    }
    http_reply_stream(act->request, &stream, "application/jsonl", "sealed.jsonl");
}

/* ---- handlers */

#define HANDLER(name, audit_name, apply_act, answer_act)                                           \
    void name(struct http_request *rq, void *ctx)                                                  \
    {                                                                                              \
        static const struct act_kind kind = {audit_name, apply_act, answer_act};                   \
                                                                                                   \
        start(rq, ctx, &kind);                                                                     \
    }

HANDLER(organiser_post_delivery, "delivery.start", apply_post_delivery, answer_post_delivery)
HANDLER(organiser_get_delivery, NULL, apply_get_delivery, answer_get_delivery)
HANDLER(organiser_get_bundle, "bundle.download", apply_get_bundle, answer_get_bundle)
HANDLER(organiser_get_counts, "export.counts", apply_get_counts, answer_get_counts)
HANDLER(organiser_get_sealed, "export.sealed", NULL, answer_get_sealed)
