/*
 * http_shared: answers that never change, kept for whoever asks for the same path again (see
 * http.h, http_reply_immutable).
 *
 * A table of fixed size: a path has one slot, and a newer path takes the slot of an older one. The
 * lock is held while a response is queued, which counts a reference to it. A response that is
 * shared cannot be changed, so a server that is stopping, whose answers close the connection, uses
 * none.
 */
#include "http_internal.h"

#include <string.h>

#define SLOTS          256
#define KEPT_MAX_BYTES (64 * 1024) /* of one answer; so all are at most 16 MiB, and mostly 4 */

struct slot {
    char *path; /* NULL: empty */
    struct MHD_Response *response;
};

struct shared {
    pthread_rwlock_t lock;
    struct slot slots[SLOTS];
};

struct shared *http_shared_new(void)
{
    struct shared *s = xcalloc(1, sizeof *s);

    pthread_rwlock_init(&s->lock, NULL);
    return s;
}

static void empty(struct slot *slot)
{
    if (slot->response)
        MHD_destroy_response(slot->response);
    free(slot->path);
    *slot = (struct slot){.path = NULL};
}

void http_shared_free(struct shared *s)
{
    for (size_t i = 0; i < SLOTS; i++)
        empty(&s->slots[i]);
    pthread_rwlock_destroy(&s->lock);
    free(s);
}

/* FNV-1a. */
static struct slot *slot_of(struct shared *s, const char *path)
{
    uint32_t hash = 2166136261u;

    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 16777619u;
    return &s->slots[(hash ^ hash >> 16) % SLOTS];
}

bool http_send_shared(struct http_request *rq)
{
    struct shared *s = rq->server->shared;
    const struct slot *slot;
    bool found;

    if (!rq->route || atomic_load(&rq->server->draining))
        return false;
    pthread_rwlock_rdlock(&s->lock);
    slot = slot_of(s, rq->path);
    found = slot->path && strcmp(slot->path, rq->path) == 0;
    if (found)
        rq->queued = MHD_queue_response(rq->connection, 200, slot->response);
    pthread_rwlock_unlock(&s->lock);
    if (found)
        http_count_answer(rq, 200);
    return found;
}

/* Keeps the response, and with it the caller's reference. */
static void keep(struct shared *s, const char *path, struct MHD_Response *response)
{
    struct slot *slot;

    pthread_rwlock_wrlock(&s->lock);
    slot = slot_of(s, path);
    empty(slot);
    slot->path = xstrdup(path);
    slot->response = response;
    pthread_rwlock_unlock(&s->lock);
}

void http_reply_immutable(struct http_request *rq, const char *type, struct buf *body)
{
    bool kept = body->len <= KEPT_MAX_BYTES && !atomic_load(&rq->server->draining);
    struct MHD_Response *response;

    http_set_header(rq, "Cache-Control", "public, max-age=31536000, immutable");
    http_set_header(rq, "Access-Control-Allow-Origin", "*");
    if (!kept) {
        http_reply(rq, 200, type, body);
        return;
    }
    response = http_make_response(type, body);
    if (http_send_shareable(rq, response))
        keep(rq->server->shared, rq->path, response);
}
