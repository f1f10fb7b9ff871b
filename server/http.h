/*
 * http: the listener. Bodies with limits, the table of routes, published pages, parked requests.
 *
 * A request's life, all on one thread of the pool: framing is checked before the body is read; the
 * body is collected (at most INPUT_BODY_MAX_BYTES, or see HTTP_BODY_LARGE_FORM; a larger one is
 * read away and answered 413); the route's handler runs and either replies, or parks the request
 * and hands its job to somebody; after http_wake the handler given to http_park runs, and replies.
 * Published pages are answered without any handler. Every answer carries the security headers.
 *
 * This module is the only user of libmicrohttpd.
 */
#ifndef HTTP_H
#define HTTP_H

#include "input.h"
#include "metrics.h"
#include "peer.h"

#define HTTP_PARAMS_MAX 2

struct http_server;
struct http_request;

typedef void http_handler(struct http_request *rq, void *ctx);

enum http_method { HTTP_GET, HTTP_POST }; /* HEAD is answered as GET */
/* LARGE_FORM: a form of up to HTTP_LARGE_MAX_BYTES, which may also be multipart/form-data, from
 * whoever may_send_large knows, and HTTP_LARGE_AT_ONCE at a time: a further one is answered 503.
 * Anybody else's is read away, and he is sent to large_login. So strangers take no place, and
 * nobody makes the server hold more than a few MiB. */
enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_FORM,
    HTTP_BODY_LARGE_FORM,
    HTTP_BODY_JSON,
    HTTP_BODY_IGNORED
};
#define HTTP_LARGE_MAX_BYTES (1024 * 1024)
#define HTTP_LARGE_AT_ONCE   4

/* Path patterns: literal segments, {lang} (en, km or fr), {n} (a positive decimal number), {n}.zip,
 * {text} (any one segment), and at the end {rest} (one segment or more). */
struct http_route {
    enum http_method method;
    enum http_body body;
    const char *path;
    http_handler *handle;
    void *ctx;
};

/* One file of the published set. Data is copied. */
struct http_page {
    const char *path;
    const char *type;
    const char *cache;                 /* Cache-Control */
    struct buf identity, gzip, brotli; /* empty: not offered */
    bool any_site;                     /* other sites' scripts may read it (CORS) */
};

struct http_config {
    const char *setting;                 /* what `listen` is called in complaints */
    const char *listen;                  /* ADDR:PORT, [ADDR]:PORT, unix:PATH */
    int inherited;                       /* a descriptor that listens already, instead; 0: none */
    int connections;                     /* 0: the limit is 4,000 */
    const char *base_url;                /* "" : Origin is compared with the request's Host */
    const struct peer_networks *trusted; /* whose X-Forwarded-For is believed; NULL: nobody's */
    int threads;                         /* 0: one per core */
    const struct http_route *routes;     /* constant while the server lives */
    size_t route_count;
    /* For LARGE_FORM, before the body is read; it must not block. */
    bool (*may_send_large)(void *ctx, const struct http_request *rq);
    void *large_ctx;
    const char *large_login;
    const char *style_src; /* "'sha256-…'": for the Content-Security-Policy */
    /* Renders the error page for a browser, in a language; NULL: plain text. */
    void (*error_page)(void *ctx, struct buf *out, const char *lang, int status);
    void *error_ctx;
};

/* Takes the address, so that a wrong one shows at once; the port opens with http_start. NULL with a
 * line in err; *usage tells whether it is the setting's fault. */
struct http_server *http_open(const struct http_config *config, struct buf *err, bool *usage);
/* Opens the port and answers: after the first http_publish. 0, or -1 with a line in err. */
int http_start(struct http_server *s, struct buf *err) __attribute__((warn_unused_result));
/* Stops accepting and waits until no request is in work: a few seconds for those that are still
 * being sent; as long as it takes for parked ones, which their owners must wake meanwhile. Whoever
 * is connected is answered, and its connection then closed. An inherited socket goes on to listen
 * for the process that comes next. Afterwards no handler runs any more. */
void http_drain(struct http_server *s);
/* Stops the threads. No request may be parked. */
void http_close(struct http_server *s);

/* Replaces the published set at once: a request sees the old or the new, never a mixture. */
void http_publish(struct http_server *s, const struct http_page *pages, size_t count);

/* What was answered since the start, by what was asked for and the first digit of the status. The
 * time is the server's: from a request's headers to the moment its answer is ready. Any thread. */
enum http_group {
    HTTP_GROUP_PAGES,
    HTTP_GROUP_SIGN,
    HTTP_GROUP_API,
    HTTP_GROUP_DESK,
    HTTP_GROUP_OTHER,
    HTTP_GROUP__COUNT
};
#define HTTP_STATUS_CLASSES 5
struct http_stats {
    metrics_counter answers[HTTP_GROUP__COUNT][HTTP_STATUS_CLASSES]; /* 1xx to 5xx */
    struct histogram seconds[HTTP_GROUP__COUNT];
};
const struct http_stats *http_stats(const struct http_server *s);

/* ---- for handlers */

const char *http_param(const struct http_request *rq, size_t i);
const char *http_body(const struct http_request *rq, size_t *len); /* NUL-terminated */
/* The form in the body, as input_parse_form: of a LARGE_FORM it may be multipart/form-data. */
enum input_reason http_form(const struct http_request *rq, struct input *in);
/* A header's value, or NULL. */
const char *http_header(const struct http_request *rq, const char *name);
/* The token of `Authorization: Bearer …`, or NULL. */
const char *http_bearer(const struct http_request *rq);
/* A cookie's value, or a member of the query string as it was sent; NULL if there is none. */
const char *http_cookie(const struct http_request *rq, const char *name);
const char *http_query(const struct http_request *rq, const char *name);
bool http_is_post(const struct http_request *rq);
/* The visitor's language: of the path if it has one, else of Accept-Language, else "en". */
const char *http_lang(const struct http_request *rq);

/* Who sent the request (peer.h): for a keyed hash that limits count by. It must not be kept. */
void http_client(const struct http_request *rq, struct peer_address *client);

/* Adds a header to the answer that follows. The value must not come from outside. */
void http_set_header(struct http_request *rq, const char *name, const char *value);
/* Answers. Takes the body's storage; the buffer is empty afterwards. no-store unless a
 * Cache-Control was set. */
void http_reply(struct http_request *rq, int status, const char *type, struct buf *body);
void http_reply_json(struct http_request *rq, int status, struct buf *body);
/* Answers 200 with bytes that never change, may be cached for ever, and may be read by other sites'
 * scripts (CORS). Some answers are kept, by their path, and then sent again without the handler.
 * Takes the body's storage. */
void http_reply_immutable(struct http_request *rq, const char *type, struct buf *body);
/* A file, as a download under `name`; 404 if it cannot be opened. */
void http_reply_file(struct http_request *rq, const char *path, const char *type, const char *name);
/* Bytes as they come: next() appends the next piece and returns 1, or 0 at the end, or -1 to break
 * the connection off. release() is called once, whatever happens. */
struct http_stream {
    int (*next)(void *ctx, struct buf *piece);
    void (*release)(void *ctx);
    void *ctx;
    uint64_t bytes; /* in all: becomes the Content-Length; 0: not known */
};
void http_reply_stream(struct http_request *rq, const struct http_stream *stream, const char *type,
                       const char *name);
/* An error in the right form: problem+json under /api/, else a page in the visitor's language. */
void http_fail(struct http_request *rq, int status);
/* problem+json with a detail sentence, and `errors` (a JSON object, or NULL). */
void http_problem(struct http_request *rq, int status, const char *detail, const char *errors);
void http_redirect(struct http_request *rq, int status, const char *location);

/* Attaches the handler's own data to the request; release() runs when the request is over. */
void http_attach(struct http_request *rq, void *data, void (*release)(void *data));
void *http_attached(const struct http_request *rq);
/* Suspends the request; after http_wake, `resume` runs on a thread of the pool and must reply. Park
 * first, then hand the job over. */
void http_park(struct http_request *rq, http_handler *resume, void *ctx);
/* Any thread, once per park. The request must not be touched afterwards. */
void http_wake(struct http_request *rq);

/* What a status is called. */
const char *http_status_text(int status);

#endif
