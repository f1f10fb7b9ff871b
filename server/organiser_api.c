/*
 * organiser_api: what organisers do over HTTP with a bearer token (see organiser.h).
 *
 * Every request is an act (act.h) by a bearer token.
 */
#include "download.h"
#include "export.h"
#include "log.h"
#include "organiser.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

struct api_act {
    struct act act;
    const struct organiser_api *api;
    int64_t id, addressee; /* of the delivery, of the bundle; 0: none */
    struct delivery_row row;
    struct bundle_row bundles[ADDRESSEE_COUNT];
    size_t bundle_count;
    struct buf text;
};

static void begin(struct act *act)
{
    struct api_act *a = (struct api_act *)act;

    a->api = act->context->user;
    delivery_row_init(&a->row);
    buf_init(&a->text, BUF_UNLIMITED);
    a->id = act_number(act, 0);
    a->addressee = act_number(act, 1);
}

static void release(struct act *act)
{
    struct api_act *a = (struct api_act *)act;

    delivery_row_release(&a->row);
    buf_release(&a->text);
}

void organiser_refuse(struct act *act)
{
    if (act->status == 401) {
        http_set_header(act->request, "WWW-Authenticate", "Bearer");
        http_problem(act->request, 401,
                     "This needs an organiser's token: Authorization: Bearer TOKEN.", NULL);
    } else {
        http_fail(act->request, act->status);
    }
}

/* ---- deliveries */

static int apply_post_delivery(struct act *act, struct db *db)
{
    struct api_act *a = (struct api_act *)act;
    int result = db_delivery_add(db, act->who.name, time(NULL), &a->id);

    buf_printf(&act->detail, "%" PRId64, a->id);
    return result;
}

static void answer_post_delivery(struct act *act)
{
    struct api_act *a = (struct api_act *)act;
    char location[64];

    delivery_wake(a->api->delivery);
    snprintf(location, sizeof location, "/api/v1/deliveries/%" PRId64, a->id);
    http_set_header(act->request, "Location", location);
    buf_printf(&a->text, "{\"id\":%" PRId64 "}", a->id);
    http_reply_json(act->request, 202, &a->text);
}

/* Reads the delivery and, if it is done, its bundles: before, and of one that failed, there are
 * none to be had. */
static int apply_get_delivery(struct act *act, struct db *db)
{
    struct api_act *a = (struct api_act *)act;
    int result = db_delivery_get(db, a->id, &a->row);

    a->bundle_count = 0;
    if (result == DB_NO_ROW) {
        act->status = 404;
        return DB_OK;
    }
    if (result != DB_OK || a->row.state != DELIVERY_DONE)
        return result;
    a->bundle_count = ADDRESSEE_COUNT;
    return db_bundles(db, a->id, a->bundles, &a->bundle_count);
}

static void add_bundles(struct api_act *a)
{
    buf_adds(&a->text, ",\"bundles\":[");
    for (size_t i = 0; i < a->bundle_count; i++) {
        const struct bundle_row *b = &a->bundles[i];

        buf_printf(&a->text,
                   "%s{\"addressee\":%d,\"url\":\"/api/v1/deliveries/%" PRId64
                   "/bundles/%d.zip\",\"sha256\":\"",
                   i ? "," : "", b->addressee, a->id, b->addressee);
        buf_hex(&a->text, b->sha256, HASH_LEN);
        buf_printf(&a->text, "\",\"bytes\":%" PRId64 "}", b->bytes);
    }
    buf_addc(&a->text, ']');
}

static void answer_get_delivery(struct act *act)
{
    struct api_act *a = (struct api_act *)act;
    bool is_done = a->row.state == DELIVERY_DONE;
    double progress = is_done ? 1 : delivery_progress(a->api->delivery, a->id);

    buf_printf(&a->text, "{\"id\":%" PRId64 ",\"state\":\"%s\",\"progress\":%.3g", a->id,
               delivery_state_names[a->row.state], progress);
    if (a->row.size > 0)
        buf_printf(&a->text, ",\"log_size\":%" PRId64, a->row.size);
    if (a->row.state == DELIVERY_FAILED) {
        buf_adds(&a->text, ",\"why\":");
        buf_json(&a->text, a->row.why.data);
    }
    add_bundles(a);
    buf_addc(&a->text, '}');
    http_reply_json(act->request, 200, &a->text);
}

static int apply_get_bundle(struct act *act, struct db *db)
{
    struct api_act *a = (struct api_act *)act;
    int result = apply_get_delivery(act, db);

    act->status = 404;
    for (size_t i = 0; result == DB_OK && i < a->bundle_count; i++)
        if (a->bundles[i].addressee == a->addressee)
            act->status = 200;
    if (act->status == 200)
        act->status = download_status(a->api->delivery_config, &a->row, (int)a->addressee);
    buf_printf(&act->detail, "%" PRId64 "/%" PRId64, a->id, a->addressee);
    return result;
}

static void answer_get_bundle(struct act *act)
{
    struct api_act *a = (struct api_act *)act;

    download_bundle(act->request, a->api->delivery_config, a->id, (int)a->addressee);
}

/* ---- exports */

static int apply_get_counts(struct act *act, struct db *db)
{
    struct api_act *a = (struct api_act *)act;

    buf_clear(&a->text);
    return export_counts_csv(db, &a->text);
}

static void answer_get_counts(struct act *act)
{
    struct api_act *a = (struct api_act *)act;

    http_set_header(act->request, "Content-Disposition", "attachment; filename=\"counts.csv\"");
    http_reply(act->request, 200, "text/csv; charset=utf-8", &a->text);
}

static void answer_get_sealed(struct act *act)
{
    struct api_act *a = (struct api_act *)act;

    if (export_reply(act->request, a->api->delivery_config->database, &a->text) == 0)
        return;
    log_error("export: %s", a->text.data);
    http_fail(act->request, 500);
}

/* ---- handlers */

#define HANDLER(name, audit_name, needed, apply_act, answer_act)                                   \
    void name(struct http_request *rq, void *ctx)                                                  \
    {                                                                                              \
        static const struct act_kind kind = {.size = sizeof(struct api_act),                       \
                                             .audit = audit_name,                                  \
                                             .role = needed,                                       \
                                             .begin = begin,                                       \
                                             .apply = apply_act,                                   \
                                             .answer = answer_act,                                 \
                                             .release = release};                                  \
                                                                                                   \
        act_start(rq, ctx, &kind);                                                                 \
    }

HANDLER(organiser_post_delivery, "delivery.start", ROLE_ORGANISER, apply_post_delivery,
        answer_post_delivery)
HANDLER(organiser_get_delivery, NULL, ROLE_READER, apply_get_delivery, answer_get_delivery)
HANDLER(organiser_get_bundle, "bundle.download", ROLE_ORGANISER, apply_get_bundle,
        answer_get_bundle)
HANDLER(organiser_get_counts, "export.counts", ROLE_ORGANISER, apply_get_counts, answer_get_counts)
HANDLER(organiser_get_sealed, "export.sealed", ROLE_ORGANISER, NULL, answer_get_sealed)
