/*
 * deliveries: the public list of deliveries (see deliveries.h).
 *
 * What is said of a delivery does not change once its entry is in the log, but for its hand-overs:
 * it is read, and its root hashed, once, and kept. `making` guards that and the connection, `lock`
 * the list as it is answered: whoever asks for it waits for neither database nor hashes.
 */
#include "deliveries.h"

#include "json.h"
#include "log.h"
#include "mirror.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIST_CACHE "public, max-age=10"
#define ZIP_CACHE  "public, max-age=3600"

/* What does not change: the object, as far as its hand-overs. */
struct listed {
    struct listed *next;
    int64_t n;
    bool in_log_only;
    struct buf text;
};

struct deliveries {
    const struct delivery_config *config;
    pthread_mutex_t making;
    struct db *db;
    struct listed *listed; /* in no order */
    pthread_mutex_t lock;
    struct buf list; /* empty: it could not be made yet */
};

static void listed_free(struct listed *l)
{
    buf_release(&l->text);
    free(l);
}

struct deliveries *deliveries_open(const struct delivery_config *config, struct buf *err)
{
    struct db *db = db_open(config->database, DB_READER, err);
    struct deliveries *d;

    if (!db)
        return NULL;
    d = xcalloc(1, sizeof *d);
    d->config = config;
    d->db = db;
    buf_init(&d->list, BUF_UNLIMITED);
    pthread_mutex_init(&d->making, NULL);
    pthread_mutex_init(&d->lock, NULL);
    return d;
}

void deliveries_close(struct deliveries *d)
{
    if (!d)
        return;
    while (d->listed) {
        struct listed *next = d->listed->next;

        listed_free(d->listed);
        d->listed = next;
    }
    buf_release(&d->list);
    db_close(d->db);
    pthread_mutex_destroy(&d->making);
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

static void add_date(struct buf *out, int64_t frozen_s)
{
    char date[11];

    day_text(date, day_of(frozen_s));
    buf_printf(out, ",\"date\":\"%s\"", date);
}

/* `size` is the frozen log's. Of one that was made after a backup the row has no size, or there is
 * none: then only the log knows it. */
static int describe(struct listed *l, struct db *db, int64_t size)
{
    struct buf *out = &l->text;
    struct delivery_row row;
    int64_t index;
    int result;

    delivery_row_init(&row);
    result = db_delivery_get(db, l->n, &row);
    l->in_log_only = row.size == 0;
    buf_printf(out, "{\"delivery\":%" PRId64, l->n);
    if (!l->in_log_only)
        add_date(out, row.frozen_s);
    buf_printf(out, ",\"log_size\":%" PRId64, size);
    if (result == DB_OK || result == DB_NO_ROW)
        result = add_root(out, db, size);
    if (result == DB_OK)
        result = db_delivery_entry(db, l->n, &index);
    if (result == DB_OK)
        result = add_manifests(out, db, index);
    if (!l->in_log_only)
        add_figures(out, &row.figures);
    buf_printf(out, ",\"log_zip\":\"/api/v1/deliveries/%" PRId64 "/" MIRROR_NAME "\"", l->n);
    delivery_row_release(&row);
    return result;
}

/* Reads it and keeps it, as the first of those listed. */
static int keep(struct deliveries *d, int64_t n, int64_t size)
{
    struct listed *new = xcalloc(1, sizeof *new);
    int result;

    new->n = n;
    buf_init(&new->text, BUF_UNLIMITED);
    result = describe(new, d->db, size);
    if (result != DB_OK) {
        listed_free(new);
        return result;
    }
    new->next = d->listed;
    d->listed = new;
    return DB_OK;
}

static const struct listed *find(const struct deliveries *d, int64_t n)
{
    const struct listed *l = d->listed;

    while (l && l->n != n)
        l = l->next;
    return l;
}

/* ---- the list */

static int add_delivery(struct deliveries *d, struct buf *out, int64_t n, int64_t size)
{
    const struct listed *listed = find(d, n);
    int result = DB_OK;

    if (!listed) {
        result = keep(d, n, size);
        if (result != DB_OK)
            return result;
        listed = d->listed;
    }
    if (out->data[out->len - 1] == '}')
        buf_addc(out, ',');
    buf_add(out, listed->text.data, listed->text.len);
    if (!listed->in_log_only)
        result = add_handovers(out, d->db, n);
    buf_addc(out, '}');
    return result;
}

/* Those that the published log has. */
static int make_list(struct deliveries *d, struct buf *out)
{
    int64_t n = 0, size, end = head_size(d->config->head);
    int result, added = DB_OK;

    buf_adds(out, "{\"deliveries\":[");
    while (added == DB_OK && (result = db_log_delivery(d->db, end, &n, &size)) == DB_OK)
        added = add_delivery(d, out, n, size);
    buf_adds(out, "]}");
    return added != DB_OK ? added : result == DB_NO_ROW ? DB_OK : result;
}

void deliveries_refresh(struct deliveries *d)
{
    struct buf out, old;
    int result;

    buf_init(&out, BUF_UNLIMITED);
    pthread_mutex_lock(&d->making);
    result = db_snapshot_begin(d->db);
    if (result == DB_OK) {
        result = make_list(d, &out);
        db_snapshot_end(d->db);
    }
    old = out;
    if (result == DB_OK) {
        pthread_mutex_lock(&d->lock);
        old = d->list;
        d->list = out;
        pthread_mutex_unlock(&d->lock);
    } else {
        log_error("the list of deliveries could not be read; the next publication tries again");
    }
    pthread_mutex_unlock(&d->making);
    buf_release(&old);
}

void deliveries_list(struct deliveries *d, struct buf *out)
{
    pthread_mutex_lock(&d->lock);
    buf_add(out, d->list.data, d->list.len);
    pthread_mutex_unlock(&d->lock);
}

void deliveries_get(struct http_request *rq, void *ctx)
{
    struct buf out;

    buf_init(&out, BUF_UNLIMITED);
    deliveries_list(ctx, &out);
    if (out.len > 0) {
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
