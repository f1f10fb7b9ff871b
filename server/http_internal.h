/*
 * http_internal: what the three files of http share, and nobody else sees.
 *
 * http.c runs the server and a request's life; http_reply.c makes answers and serves handlers;
 * http_pages.c holds the published set.
 */
#ifndef HTTP_INTERNAL_H
#define HTTP_INTERNAL_H

#include "http.h"
#include "negotiate.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define HTTP_HEADERS_MAX 4 /* a handler may add */

struct published; /* http_pages.c */

struct http_server {
    struct http_config config;
    char *policy; /* Content-Security-Policy */
    struct MHD_Daemon *daemon;
    int listen_fd;
    pthread_rwlock_t lock;       /* guards `published` */
    struct published *published; /* never NULL */
    atomic_int in_work, parked;  /* requests */
    atomic_int large;            /* requests that may have a large body */
    atomic_bool draining;        /* answers close their connections */
    atomic_bool refusing;        /* new requests are refused: nothing may park any more */
};

struct http_header_line {
    const char *name;
    char value[160];
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    char *path;
    const struct http_route *route; /* NULL: `refusal` says what to answer */
    int refusal;                    /* a status, or 0 */
    char allow[32];
    bool get; /* GET or HEAD */
    struct path_params params;
    struct buf body;
    bool large; /* the body may be: counted in the server's `large` */
    http_handler *resume;
    void *resume_ctx;
    bool parked;
    enum MHD_Result queued; /* what MHD_queue_response said; MHD_NO: nothing queued */
    size_t header_count;
    struct http_header_line headers[HTTP_HEADERS_MAX];
    void *attached;
    void (*release)(void *attached);
};

/* Adds what every answer has. */
void http_add_security_headers(const struct http_server *s, struct MHD_Response *response);

/* An empty set, and the end of one. */
struct published *http_published_new(void);
void http_published_free(struct published *p);
/* Queues the published file of that path; false if there is none. */
bool http_send_published(struct http_server *s, struct MHD_Connection *connection, const char *path,
                         enum MHD_Result *queued);
bool http_is_published(struct http_server *s, const char *path);

#endif
