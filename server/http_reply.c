/*
 * http_reply: the answers, and what handlers ask of a request (see http.h).
 *
 * Runs on the thread of the request. Whatever the answer, it gets the security headers, and
 * `no-store` unless somebody has set a Cache-Control.
 */
#include "http_internal.h"

#include "log.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define STREAM_BLOCK_BYTES (64 * 1024)

static const char json_type[] = "application/json";
static const char problem_type[] = "application/problem+json";
static const char html_type[] = "text/html; charset=utf-8";

static const struct {
    int status;
    const char *text;
} statuses[] = {
    {200, "OK"},
    {202, "Accepted"},
    {302, "Found"},
    {303, "See Other"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {413, "Content Too Large"},
    {415, "Unsupported Media Type"},
    {422, "Unprocessable Content"},
    {429, "Too Many Requests"},
    {500, "Internal Server Error"},
    {503, "Service Unavailable"},
};

const char *http_status_text(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return statuses[i].text;
    return "Error";
}

/* On every answer, errors too. The policy for content has the style's hash and is made at start. */
static const char *const security_headers[][2] = {
    {"Referrer-Policy", "same-origin"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), interest-cohort=()"},
};

/* ---- answers */

static bool is_api(const struct http_request *rq)
{
    return strncmp(rq->path, "/api/", 5) == 0;
}

void http_add_security_headers(const struct http_server *s, struct MHD_Response *response)
{
    for (size_t i = 0; i < sizeof security_headers / sizeof *security_headers; i++)
        MHD_add_response_header(response, security_headers[i][0], security_headers[i][1]);
    MHD_add_response_header(response, "Content-Security-Policy", s->policy);
}

/* Adds what every answer has, and queues it. */
static bool queue_response(struct http_request *rq, int status, struct MHD_Response *response)
{
    bool cached = false;

    if (!response) {
        log_error("http: no response could be made");
        return false;
    }
    http_add_security_headers(rq->server, response);
    for (size_t i = 0; i < rq->header_count; i++) {
        MHD_add_response_header(response, rq->headers[i].name, rq->headers[i].value);
        cached |= strcasecmp(rq->headers[i].name, "Cache-Control") == 0;
    }
    if (!cached)
        MHD_add_response_header(response, "Cache-Control", "no-store");
    if (atomic_load(&rq->server->draining))
        MHD_add_response_header(response, "Connection", "close");
    rq->queued = MHD_queue_response(rq->connection, (unsigned)status, response);
    http_count_answer(rq, status);
    return true;
}

/* As above, and lets go of it. */
static void send_response(struct http_request *rq, int status, struct MHD_Response *response)
{
    if (queue_response(rq, status, response))
        MHD_destroy_response(response);
}

bool http_send_shareable(struct http_request *rq, struct MHD_Response *response)
{
    return queue_response(rq, 200, response);
}

void http_set_header(struct http_request *rq, const char *name, const char *value)
{
    struct http_header_line *h = &rq->headers[rq->header_count];

    if (rq->header_count == HTTP_HEADERS_MAX || strlen(value) >= sizeof h->value) {
        log_error("http: header %s does not fit", name);
        return;
    }
    h->name = name;
    memcpy(h->value, value, strlen(value) + 1);
    rq->header_count++;
}

/* A body may hold codes, or what opens an entry. */
static void wipe_body(void *body)
{
    buf_wipe(body);
    free(body);
}

struct MHD_Response *http_make_response(const char *type, struct buf *body)
{
    struct buf *owned = xcalloc(1, sizeof *owned);
    struct MHD_Response *response;

    *owned = *body;
    buf_init(body, body->cap);
    response = MHD_create_response_from_buffer_with_free_callback_cls(owned->len, owned->data,
                                                                      wipe_body, owned);
    if (!response)
        wipe_body(owned);
    else if (type)
        MHD_add_response_header(response, "Content-Type", type);
    return response;
}

void http_reply(struct http_request *rq, int status, const char *type, struct buf *body)
{
    send_response(rq, status, http_make_response(type, body));
}

void http_reply_json(struct http_request *rq, int status, struct buf *body)
{
    http_reply(rq, status, json_type, body);
}

void http_redirect(struct http_request *rq, int status, const char *location)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);

    if (response)
        MHD_add_response_header(response, "Location", location);
    send_response(rq, status, response);
}

void http_problem(struct http_request *rq, int status, const char *detail, const char *errors)
{
    struct buf body;

    buf_init(&body, BUF_UNLIMITED);
    buf_printf(&body, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d",
               http_status_text(status), status);
    if (detail) {
        buf_adds(&body, ",\"detail\":");
        buf_json(&body, detail);
    }
    if (errors)
        buf_printf(&body, ",\"errors\":%s", errors);
    buf_addc(&body, '}');
    http_reply(rq, status, problem_type, &body);
}

void http_fail(struct http_request *rq, int status)
{
    const struct http_config *config = &rq->server->config;
    struct buf body;

    if (status == 503)
        http_set_header(rq, "Retry-After", "5");
    if (is_api(rq)) {
        http_problem(rq, status, NULL, NULL);
        return;
    }
    buf_init(&body, BUF_UNLIMITED);
    if (config->error_page)
        config->error_page(config->error_ctx, &body, http_lang(rq), status);
    else
        buf_printf(&body, "%d %s\n", status, http_status_text(status));
    http_reply(rq, status, config->error_page ? html_type : "text/plain; charset=utf-8", &body);
}

static void set_download_name(struct MHD_Response *response, const char *type, const char *name)
{
    char value[128];

    MHD_add_response_header(response, "Content-Type", type);
    snprintf(value, sizeof value, "attachment; filename=\"%s\"", name);
    MHD_add_response_header(response, "Content-Disposition", value);
}

void http_reply_file(struct http_request *rq, const char *path, const char *type, const char *name)
{
    struct MHD_Response *response;
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) != 0) {
        if (fd >= 0)
            close(fd);
        http_fail(rq, 404);
        return;
    }
    response = MHD_create_response_from_fd((uint64_t)st.st_size, fd);
    if (response)
        set_download_name(response, type, name);
    else
        close(fd);
    send_response(rq, 200, response);
}

/* A stream and the piece that is being sent. */
struct streaming {
    struct http_stream stream;
    struct buf piece;
    size_t sent; /* of the piece */
};

static ssize_t stream_read(void *ctx, uint64_t position, char *out, size_t room)
{
    struct streaming *s = ctx;
    size_t len;
    int more = 1;

    (void)position;
    while (s->sent == s->piece.len && more == 1) {
        buf_clear(&s->piece);
        s->sent = 0;
        more = s->stream.next(s->stream.ctx, &s->piece);
    }
    if (more != 1 && s->sent == s->piece.len)
        return more == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    len = s->piece.len - s->sent < room ? s->piece.len - s->sent : room;
    memcpy(out, s->piece.data + s->sent, len);
    s->sent += len;
    return (ssize_t)len;
}

static void stream_free(void *ctx)
{
    struct streaming *s = ctx;

    s->stream.release(s->stream.ctx);
    buf_release(&s->piece);
    free(s);
}

void http_reply_stream(struct http_request *rq, const struct http_stream *stream, const char *type,
                       const char *name)
{
    struct streaming *s = xcalloc(1, sizeof *s);
    struct MHD_Response *response;

    s->stream = *stream;
    buf_init(&s->piece, BUF_UNLIMITED);
    response =
        MHD_create_response_from_callback(stream->bytes > 0 ? stream->bytes : MHD_SIZE_UNKNOWN,
                                          STREAM_BLOCK_BYTES, stream_read, s, stream_free);
    if (response)
        set_download_name(response, type, name);
    else
        stream_free(s);
    send_response(rq, 200, response);
}

/* ---- what handlers ask */

const char *http_param(const struct http_request *rq, size_t i)
{
    return negotiate_param(&rq->params, i);
}

const char *http_body(const struct http_request *rq, size_t *len)
{
    *len = rq->body.len;
    return rq->body.data;
}

const char *http_header(const struct http_request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
}

const char *http_bearer(const struct http_request *rq)
{
    const char *value = http_header(rq, "Authorization");

    if (!value || strncasecmp(value, "Bearer ", 7) != 0)
        return NULL;
    return value + 7 + strspn(value + 7, " ");
}

const char *http_cookie(const struct http_request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_COOKIE_KIND, name);
}

const char *http_query(const struct http_request *rq, const char *name)
{
    return MHD_lookup_connection_value(rq->connection, MHD_GET_ARGUMENT_KIND, name);
}

bool http_is_post(const struct http_request *rq)
{
    return !rq->get;
}

const char *http_lang(const struct http_request *rq)
{
    const char *lang = negotiate_path_lang(rq->path);

    return lang ? lang : negotiate_lang(http_header(rq, "Accept-Language"));
}

void http_client(const struct http_request *rq, struct peer_address *client)
{
    static const struct peer_networks nobody;
    const struct peer_networks *trusted = rq->server->config.trusted;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct peer_address peer;
    bool by_network = info && info->client_addr && peer_of_socket(&peer, info->client_addr);

    peer_client(client, trusted ? trusted : &nobody, by_network ? &peer : NULL,
                http_header(rq, "X-Forwarded-For"));
}

void http_attach(struct http_request *rq, void *data, void (*release)(void *data))
{
    rq->attached = data;
    rq->release = release;
}

void *http_attached(const struct http_request *rq)
{
    return rq->attached;
}

void http_park(struct http_request *rq, http_handler *resume, void *ctx)
{
    rq->resume = resume;
    rq->resume_ctx = ctx;
    rq->parked = true;
    atomic_fetch_add(&rq->server->parked, 1);
    MHD_suspend_connection(rq->connection);
}

void http_wake(struct http_request *rq)
{
    struct http_server *s = rq->server;

    MHD_resume_connection(rq->connection); /* the request may be gone from here on */
    atomic_fetch_sub(&s->parked, 1);
}
