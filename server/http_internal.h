/*
 * http_internal: what the files of http share, and nobody else sees.
 *
 * http.c runs the server and a request's life; http_accept.c takes connections; http_multipart.c
 * reads forms; http_reply.c makes answers and serves handlers; http_pages.c holds the published
 * set; http_stats.c counts.
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
struct shared;    /* http_shared.c */

struct http_server {
    struct http_config config;
    char *policy; /* Content-Security-Policy */
    struct MHD_Daemon *daemon;
    int listen_fd;
    struct http_stats stats;
    pthread_rwlock_t lock;       /* guards `published` */
    struct published *published; /* never NULL */
    struct shared *shared;
    atomic_int in_work, parked; /* requests */
    struct acceptor *acceptor;  /* http_accept.c; NULL: nothing is accepted */
    atomic_int connections;     /* taken, and not closed yet */
    atomic_int fresh;           /* of them, that have brought no request yet */
    atomic_uint begun;          /* requests, ever: modulo its range */
    atomic_int large;           /* requests that may have a large body */
    atomic_bool draining;       /* answers close their connections */
    atomic_bool refusing;       /* new requests are refused: nothing may park any more */
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
    double started_s;               /* metrics_now_s */
    char allow[32];
    bool get; /* GET or HEAD */
    struct buf body;
    bool large; /* the body may be: counted in the server's `large` */
    http_handler *resume;
    void *resume_ctx;
    bool parked;
    enum MHD_Result queued; /* what MHD_queue_response said; MHD_NO: nothing queued */
    void *attached;
    void (*release)(void *attached);
    size_t header_count;
    /* From here on nothing is cleared when the request begins: each says itself how much it holds.
     */
    struct path_params params;
    struct http_header_line headers[HTTP_HEADERS_MAX];
};

/* http_accept.c: takes connections from listen_fd for the daemon, on a thread of its own. After
 * closing it no new one is taken; the socket stays open. NULL may be closed. */
struct acceptor *http_acceptor_open(struct http_server *s);
void http_acceptor_close(struct acceptor *a);
unsigned http_connection_limit(const struct http_server *s);

/* An empty table, and its end. */
struct shared *http_shared_new(void);
void http_shared_free(struct shared *s);
/* Queues the kept answer of the request's path; false if there is none. */
bool http_send_shared(struct http_request *rq);
/* Takes the body, and overwrites it when the response goes. `type` may be NULL. NULL if there is no
 * memory. */
struct MHD_Response *http_make_response(const char *type, struct buf *body);
/* Adds what every answer has and queues the response with 200. If true, it is still the caller's.
 */
bool http_send_shareable(struct http_request *rq, struct MHD_Response *response);

/* Adds what every answer has. */
void http_add_security_headers(const struct http_server *s, struct MHD_Response *response);

/* http_multipart.c: true if the body is multipart/form-data, and may be. */
bool http_is_multipart(const struct http_request *rq);

/* http_stats.c */
void http_stats_init(struct http_stats *stats);
/* An answer has been queued. */
void http_count_answer(const struct http_request *rq, int status);

/* An empty set, and the end of one. */
struct published *http_published_new(void);
void http_published_free(struct published *p);
/* Queues the published file of the request's path; false if there is none. */
bool http_send_published(struct http_request *rq);
bool http_is_published(struct http_server *s, const char *path);

#endif
