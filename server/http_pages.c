/*
 * http_pages: the published set (see http.h): files rendered once and answered without a handler.
 *
 * A set is built beside the old one and put in its place under a lock; a request takes the lock to
 * read while it queues a response, which counts a reference to it. So it sees one set whole.
 */
#include "http_internal.h"

#include "log.h"

#include <sodium.h>
#include <string.h>

/* A response for each coding, and the 304. Shared by all connections. */
struct responses {
    struct MHD_Response *coded[CODING__COUNT]; /* NULL: not offered */
    struct MHD_Response *not_modified[CODING__COUNT];
};

/* One published file. A response cannot be changed while connections share it, so there are two
 * sets: one closes the connection, for the server that is stopping. */
struct published_page {
    char *path;
    struct responses open, closing;
    char etag[CODING__COUNT][48];
};

struct published {
    size_t count;
    struct published_page *pages; /* sorted by path */
};

static int compare_pages(const void *a, const void *b)
{
    const struct published_page *x = a, *y = b;

    return strcmp(x->path, y->path);
}

static const struct published_page *find_page(const struct published *p, const char *path)
{
    struct published_page key = {.path = (char *)(uintptr_t)path};

    return p->count ? bsearch(&key, p->pages, p->count, sizeof *p->pages, compare_pages) : NULL;
}

struct published *http_published_new(void)
{
    return xcalloc(1, sizeof(struct published));
}

static void destroy_responses(struct responses *r)
{
    for (int c = 0; c < CODING__COUNT; c++) {
        if (r->coded[c])
            MHD_destroy_response(r->coded[c]);
        if (r->not_modified[c])
            MHD_destroy_response(r->not_modified[c]);
    }
}

void http_published_free(struct published *p)
{
    for (size_t i = 0; i < p->count; i++) {
        destroy_responses(&p->pages[i].open);
        destroy_responses(&p->pages[i].closing);
        free(p->pages[i].path);
    }
    free(p->pages);
    free(p);
}

static struct MHD_Response *page_response(const struct http_server *s, const struct http_page *page,
                                          const struct buf *body, const char *etag)
{
    /* MHD_RESPMEM_MUST_COPY: the response outlives the set it came from while it is being sent. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body ? body->len : 0,
                                        body ? body->data : (void *)(uintptr_t) "",
                                        MHD_RESPMEM_MUST_COPY);

    if (!response)
        log_fatal(1, "out of memory while publishing");
    http_add_security_headers(s, response);
    MHD_add_response_header(response, "ETag", etag);
    MHD_add_response_header(response, "Cache-Control", page->cache);
    MHD_add_response_header(response, "Vary", "Accept-Encoding");
    if (page->any_site)
        MHD_add_response_header(response, "Access-Control-Allow-Origin", "*");
    if (body)
        MHD_add_response_header(response, "Content-Type", page->type);
    return response;
}

static void make_responses(const struct http_server *s, struct responses *out,
                           const struct published_page *made, const struct http_page *page)
{
    static const char *const names[] = {NULL, "gzip", "br"};
    const struct buf *bodies[] = {&page->identity, &page->gzip, &page->brotli};

    for (int c = 0; c < CODING__COUNT; c++) {
        if (c != CODING_IDENTITY && bodies[c]->len == 0)
            continue;
        out->coded[c] = page_response(s, page, bodies[c], made->etag[c]);
        out->not_modified[c] = page_response(s, page, NULL, made->etag[c]);
        if (names[c])
            MHD_add_response_header(out->coded[c], "Content-Encoding", names[c]);
        if (out == &made->closing) {
            MHD_add_response_header(out->coded[c], "Connection", "close");
            MHD_add_response_header(out->not_modified[c], "Connection", "close");
        }
    }
}

/* Entity tags are strong, so each coding has its own: the hash of the plain bytes and a letter. */
static void make_page(const struct http_server *s, struct published_page *out,
                      const struct http_page *page)
{
    uint8_t hash[16];
    char hex[33];

    crypto_generichash(hash, sizeof hash, (const uint8_t *)page->identity.data, page->identity.len,
                       NULL, 0);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    out->path = xstrdup(page->path);
    for (int c = 0; c < CODING__COUNT; c++)
        snprintf(out->etag[c], sizeof out->etag[c], "\"%s-%c\"", hex, "igb"[c]);
    make_responses(s, &out->open, out, page);
    make_responses(s, &out->closing, out, page);
}

void http_publish(struct http_server *s, const struct http_page *pages, size_t count)
{
    struct published *next = xcalloc(1, sizeof *next), *old;

    next->count = count;
    next->pages = xcalloc(count, sizeof *next->pages);
    for (size_t i = 0; i < count; i++)
        make_page(s, &next->pages[i], &pages[i]);
    qsort(next->pages, count, sizeof *next->pages, compare_pages);
    pthread_rwlock_wrlock(&s->lock);
    old = s->published;
    s->published = next;
    pthread_rwlock_unlock(&s->lock);
    http_published_free(old);
}

static enum coding best_coding(const struct published_page *page, const char *accept)
{
    for (enum coding c = CODING_BROTLI; c > CODING_IDENTITY; c--)
        if (page->open.coded[c] && negotiate_accepts(accept, c))
            return c;
    return CODING_IDENTITY;
}

/* Queues the published file of that path; false if there is none. The lock is held while the
 * response is queued: that counts a reference to it. */
bool http_send_published(struct http_request *rq)
{
    struct http_server *s = rq->server;
    const struct published_page *page;
    int status = 200;

    pthread_rwlock_rdlock(&s->lock);
    page = find_page(s->published, rq->path);
    if (page) {
        enum coding c = best_coding(page, http_header(rq, "Accept-Encoding"));
        const struct responses *r = atomic_load(&s->draining) ? &page->closing : &page->open;

        if (negotiate_etag(http_header(rq, "If-None-Match"), page->etag[c]))
            status = 304;
        rq->queued = MHD_queue_response(rq->connection, (unsigned)status,
                                        status == 304 ? r->not_modified[c] : r->coded[c]);
    }
    pthread_rwlock_unlock(&s->lock);
    if (page)
        http_count_answer(rq, status);
    return page != NULL;
}

bool http_is_published(struct http_server *s, const char *path)
{
    bool found;

    pthread_rwlock_rdlock(&s->lock);
    found = find_page(s->published, path) != NULL;
    pthread_rwlock_unlock(&s->lock);
    return found;
}
