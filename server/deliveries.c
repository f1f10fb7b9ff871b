/*
 * deliveries: the public list of deliveries (see deliveries.h). Any thread: `lock` guards the
 * connection. The list is read anew each time, as a hand-over is no entry of the log; it is short,
 * and whoever asks may keep it for some seconds.
 */
#include "deliveries.h"

#include "json.h"
#include "mirror.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_CACHE "public, max-age=10"
#define ZIP_CACHE  "public, max-age=3600"

struct deliveries {
    const struct delivery_config *config;
    pthread_mutex_t lock;
    struct db *db;
};

struct deliveries *deliveries_open(const struct delivery_config *config, struct buf *err)
{
    struct db *db = db_open(config->database, DB_READER, err);
    struct deliveries *d;

    if (!db)
        return NULL;
    d = xcalloc(1, sizeof *d);
    d->config = config;
    d->db = db;
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void deliveries_close(struct deliveries *d)
{
    if (!d)
        return;
    db_close(d->db);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

/* ---- one delivery */

static int add_root(struct buf *out, struct db *db, int64_t size)
{
    struct tlog_edge *edge = xcalloc(1, sizeof *edge);
    struct merkle_tree tree;
    int result = db_log_edge(db, size, edge);

    if (result == DB_OK) {
        tlog_edge_tree(edge, &tree);
        buf_adds(out, ",\"root\":\"");
        buf_base64(out, tree.root, HASH_LEN);
        buf_addc(out, '"');
    }
    free(edge);
    return result;
}

static void add_figures(struct buf *out, const struct buf *figures)
{
    static const char *const names[] = {"submissions", "signatures", "repeats"};
    cJSON *json = cJSON_ParseWithLength(figures->data, figures->len);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        buf_printf(out, ",\"%s\":%" PRId64, names[i], json_number(json, names[i]));
    cJSON_Delete(json);
}

/* The last member of its entry, as it stands there. */
static int add_manifests(struct buf *out, struct db *db, int64_t index)
{
    struct buf body;
    int result;

    buf_init(&body, BUF_UNLIMITED);
    result = db_log_entry(db, index, &body);
    if (result == DB_OK) {
        const char *manifests = strstr(body.data, "\"manifests\":");

        buf_printf(out, ",\"entry\":%" PRId64 ",%.*s", index,
                   manifests ? (int)strlen(manifests) - 1 : 0, manifests ? manifests : "");
    }
    buf_release(&body);
    return result;
}

static int add_handovers(struct buf *out, struct db *db, int64_t id)
{
    struct handover_row rows[ADDRESSEE_COUNT];
    size_t count = ADDRESSEE_COUNT;
    int result = db_handovers(db, id, rows, &count);
    char day[11];

    buf_adds(out, ",\"handovers\":[");
    for (size_t i = 0; i < count; i++) {
        day_text(day, rows[i].day);
        buf_printf(out, "%s{\"addressee\":%d,\"date\":\"%s\"}", i > 0 ? "," : "", rows[i].addressee,
                   day);
        buf_release(&rows[i].note);
        buf_release(&rows[i].who);
    }
    buf_addc(out, ']');
    return result;
}

static int add_delivery(struct buf *out, struct db *db, const struct delivery_row *row,
                        int64_t index)
{
    char date[11];
    int result;

    day_text(date, day_of(row->frozen_s));
    buf_printf(out, "{\"delivery\":%" PRId64 ",\"date\":\"%s\",\"log_size\":%" PRId64, row->id,
               date, row->size);
    result = add_root(out, db, row->size);
    if (result == DB_OK)
        result = add_manifests(out, db, index);
    add_figures(out, &row->figures);
    buf_printf(out, ",\"log_zip\":\"/api/v1/deliveries/%" PRId64 "/" MIRROR_NAME "\"", row->id);
    if (result == DB_OK)
        result = add_handovers(out, db, row->id);
    buf_addc(out, '}');
    return result;
}

/* ---- the list */

/* Adds the delivery if it is in the published log. */
static int add_published(struct deliveries *d, struct buf *out, int64_t id)
{
    struct delivery_row row;
    int64_t index;
    int result = db_delivery_entry(d->db, id, &index);

    if (result != DB_OK || index >= head_size(d->config->head))
        return result < 0 ? result : DB_OK;
    delivery_row_init(&row);
    result = db_delivery_get(d->db, id, &row);
    /* Without a size it is one that a restored backup knows only as asked for. */
    if (result == DB_OK && row.size > 0) {
        if (out->data[out->len - 1] == '}')
            buf_addc(out, ',');
        result = add_delivery(out, d->db, &row, index);
    }
    delivery_row_release(&row);
    return result;
}

static int add_all(struct deliveries *d, struct buf *out)
{
    int64_t newest = 0;
    int result = db_delivery_last(d->db, INT64_MAX, &newest);

    result = result == DB_NO_ROW ? DB_OK : result;
    buf_adds(out, "{\"deliveries\":[");
    for (int64_t id = 1; id <= newest && result == DB_OK; id++)
        result = add_published(d, out, id);
    buf_adds(out, "]}");
    return result;
}

void deliveries_get(struct http_request *rq, void *ctx)
{
    struct deliveries *d = ctx;
    struct buf out;
    int result;

    buf_init(&out, BUF_UNLIMITED);
    pthread_mutex_lock(&d->lock);
    result = db_snapshot_begin(d->db);
    if (result == DB_OK) {
        result = add_all(d, &out);
        db_snapshot_end(d->db);
    }
    pthread_mutex_unlock(&d->lock);
    if (result == DB_OK) {
        http_set_header(rq, "Cache-Control", LIST_CACHE);
        http_reply_json(rq, 200, &out);
    } else {
        http_fail(rq, 503);
    }
    buf_release(&out);
}

void deliveries_get_log(struct http_request *rq, void *ctx)
{
    struct deliveries *d = ctx;
    char name[40];
    struct buf path;

    buf_init(&path, BUF_UNLIMITED);
    delivery_mirror_path(&path, d->config, strtoll(http_param(rq, 0), NULL, 10));
    snprintf(name, sizeof name, "petition-log-%s.zip", http_param(rq, 0));
    if (access(path.data, F_OK) == 0)
        http_set_header(rq, "Cache-Control", ZIP_CACHE);
    http_reply_file(rq, path.data, "application/zip", name);
    buf_release(&path);
}
