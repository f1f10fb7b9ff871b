/*
 * http: the listener on libmicrohttpd (see http.h).
 *
 * Threads: libmicrohttpd's pool, each with its own epoll; a request stays on one of them. A handler
 * must not block. http_wake may come from any thread; it touches nothing but the connection, which
 * stays valid while it is suspended.
 *
 * libmicrohttpd 0.9.75 lets through most framing tricks (two Content-Length, chunked beside a
 * length); begin() refuses them before a byte of the body is read. It closes the connection after
 * an answer queued in the first call of a POST, so ordinary answers wait for the last call.
 */
#include "http_internal.h"

#include "input.h"
#include "listener.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_LIMIT        4000
#define CLOSING                 64  /* connections that a thread of the library may still count */
#define SPARE_DESCRIPTORS       128 /* database, files, log */
#define CONNECTION_MEMORY_BYTES (16 * 1024)
#define IDLE_TIMEOUT_S          20
#define READ_AWAY_MAX_BYTES     (HTTP_LARGE_MAX_BYTES + 65536) /* of a body that is refused */
#define DRAIN_MAX_MS            3000 /* for half a request; parked ones are waited for */
#define DRAIN_FRESH_MS          1000 /* for the first request of a new connection */
#define DRAIN_QUIET_MS          200  /* so long without a request: nobody is in between */

/* ---- framing */

/* Headers of which a second one changes the meaning of a request. */
static const char *const once_only[] = {"Content-Length", "Host",   "Content-Type",   "Cookie",
                                        "Authorization",  "Origin", "X-Forwarded-For"};
#define ONCE_ONLY_COUNT (sizeof once_only / sizeof *once_only)

struct framing {
    bool bad;
    int seen[ONCE_ONLY_COUNT];
};

static enum MHD_Result check_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct framing *f = ctx;

    (void)kind;
    f->bad |= name[strcspn(name, " \t\r\n")] != '\0' || strcasecmp(name, "Transfer-Encoding") == 0;
    for (size_t i = 0; i < ONCE_ONLY_COUNT; i++)
        if (strcasecmp(name, once_only[i]) == 0)
            f->bad |= f->seen[i]++ > 0;
    if (strcasecmp(name, "Content-Length") == 0)
        f->bad |= !value || negotiate_length(value) < 0;
    return MHD_YES;
}

static bool bad_framing(struct MHD_Connection *connection, const char *version)
{
    struct framing f = {0};

    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0)
        return true;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, check_header, &f);
    return f.bad;
}

/* ---- a request */

/* Finds the route, or the status to refuse with. */
static void find_route(struct http_request *rq, const char *method)
{
    const struct http_config *config = &rq->server->config;
    bool get_exists = http_is_published(rq->server, rq->path), post_exists = false;
    enum http_method wanted = rq->get ? HTTP_GET : HTTP_POST;

    if (rq->get && get_exists) {
        rq->refusal = 404; /* unless it is still published when the answer is due */
        return;
    }
    for (size_t i = 0; i < config->route_count; i++) {
        const struct http_route *route = &config->routes[i];

        if (!negotiate_path(route->path, rq->path, &rq->params))
            continue;
        get_exists |= route->method == HTTP_GET;
        post_exists |= route->method == HTTP_POST;
        if (route->method == wanted && (rq->get || strcmp(method, "POST") == 0)) {
            rq->route = route;
            return;
        }
    }
    rq->refusal = get_exists || post_exists ? 405 : 404;
    snprintf(rq->allow, sizeof rq->allow, "%s%s%s", get_exists ? "GET, HEAD" : "",
             get_exists && post_exists ? ", " : "", post_exists ? "POST" : "");
}

/* What a POST must be before its body is worth reading. */
static int check_post(const struct http_request *rq)
{
    static const char *const types[] = {[HTTP_BODY_FORM] = "application/x-www-form-urlencoded",
                                        [HTTP_BODY_LARGE_FORM] =
                                            "application/x-www-form-urlencoded",
                                        [HTTP_BODY_JSON] = "application/json"};
    enum http_body body = rq->route->body;

    if (!negotiate_same_site(http_header(rq, "Origin"), http_header(rq, "Sec-Fetch-Site"),
                             http_header(rq, "Host"), rq->server->config.base_url))
        return 403;
    if (body == HTTP_BODY_NONE || body == HTTP_BODY_IGNORED)
        return 0;
    if (!http_header(rq, "Content-Length"))
        return 411;
    if (http_is_multipart(rq))
        return 0;
    return negotiate_media_type(http_header(rq, "Content-Type"), types[body]) ? 0 : 415;
}

/* What is kept of a connection, on the thread that it belongs to. */
struct http_connection {
    bool used; /* has brought a request */
};

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *s = cls;
    struct http_connection *c = *context;

    (void)connection;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = xcalloc(1, sizeof *c);
        atomic_fetch_add(&s->fresh, 1);
    } else if (c) {
        if (!c->used)
            atomic_fetch_sub(&s->fresh, 1);
        atomic_fetch_sub(&s->connections, 1);
        free(c);
        *context = NULL;
    }
}

static void not_fresh(struct http_server *s, struct MHD_Connection *connection)
{
    struct http_connection *c =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    if (!c->used)
        atomic_fetch_sub(&s->fresh, 1);
    c->used = true;
}

/* Makes room for a large form; 303 for whoever has to log in first, 503 if too many are in work. */
static int allow_large(struct http_request *rq, int64_t len)
{
    const struct http_config *config = &rq->server->config;

    if (rq->route->body != HTTP_BODY_LARGE_FORM || len <= INPUT_BODY_MAX_BYTES ||
        len > HTTP_LARGE_MAX_BYTES)
        return 0;
    if (!config->may_send_large(config->large_ctx, rq))
        return 303;
    rq->large = true;
    if (atomic_fetch_add(&rq->server->large, 1) >= HTTP_LARGE_AT_ONCE)
        return 503;
    rq->body.cap = HTTP_LARGE_MAX_BYTES;
    return 0;
}

static void free_request(struct http_request *rq)
{
    if (rq->large)
        atomic_fetch_sub(&rq->server->large, 1);
    if (rq->release)
        rq->release(rq->attached);
    buf_wipe(&rq->body);
    free(rq->path);
    free(rq);
}

static struct http_request *new_request(struct http_server *s, struct MHD_Connection *connection,
                                        const char *path)
{
    struct http_request *rq = malloc(sizeof *rq);

    if (!rq)
        abort();
    memset(rq, 0, offsetof(struct http_request, params));
    rq->params.count = 0;
    rq->server = s;
    rq->connection = connection;
    rq->path = xstrdup(path);
    rq->started_s = metrics_now_s();
    buf_init(&rq->body, INPUT_BODY_MAX_BYTES);
    atomic_fetch_add(&s->in_work, 1);
    atomic_fetch_add(&s->begun, 1);
    not_fresh(s, connection);
    return rq;
}

static void refuse(struct http_request *rq, int status)
{
    if (status == 405)
        http_set_header(rq, "Allow", rq->allow);
    if (status == 303)
        http_redirect(rq, status, rq->server->config.large_login);
    else
        http_fail(rq, status);
}

/* The first call: only what must be known before the body. An answer queued here closes the
 * connection, which is right for bad framing and for a body too large to read away. */
static enum MHD_Result begin(struct http_request *rq, const char *method, const char *version)
{
    const char *length = http_header(rq, "Content-Length");

    rq->get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    if (bad_framing(rq->connection, version)) {
        http_set_header(rq, "Connection", "close");
        refuse(rq, 400);
        return rq->queued;
    }
    find_route(rq, method);
    if (atomic_load(&rq->server->refusing))
        rq->refusal = 503;
    else if (rq->route && rq->route->method == HTTP_POST)
        rq->refusal = check_post(rq);
    if (rq->route && !rq->refusal && length)
        rq->refusal = allow_large(rq, negotiate_length(length));
    if (length && negotiate_length(length) > READ_AWAY_MAX_BYTES) {
        http_set_header(rq, "Connection", "close");
        refuse(rq, rq->refusal ? rq->refusal : 413);
        return rq->queued;
    }
    return MHD_YES;
}

static void collect(struct http_request *rq, const char *data, size_t len)
{
    /* Beyond its cap the buffer drops the rest and says so at the end. */
    buf_add(&rq->body, data, len);
}

static void dispatch(struct http_request *rq)
{
    if (rq->resume) {
        http_handler *resume = rq->resume;

        rq->resume = NULL;
        rq->parked = false;
        resume(rq, rq->resume_ctx);
    } else if (rq->refusal) {
        refuse(rq, rq->refusal);
    } else if (atomic_load(&rq->server->refusing)) {
        refuse(rq, 503);
    } else if (!buf_ok(&rq->body) && rq->route->body != HTTP_BODY_IGNORED) {
        refuse(rq, 413);
    } else {
        rq->route->handle(rq, rq->route->ctx);
    }
}

/* The last call: the body is there, or the request has been woken. A handler that runs counts as
 * parked, so that the drain waits for it: it may park. */
static enum MHD_Result finish(struct http_request *rq)
{
    atomic_int *parked = &rq->server->parked;

    rq->queued = MHD_NO;
    atomic_fetch_add(parked, 1);
    dispatch(rq);
    atomic_fetch_sub(parked, 1);
    return rq->parked ? MHD_YES : rq->queued;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    struct http_request *rq = *state;

    if (!rq) {
        rq = new_request(cls, connection, url);
        *state = rq;
        return begin(rq, method, version);
    }
    if (*upload_len > 0) {
        collect(rq, upload, *upload_len);
        *upload_len = 0;
        return MHD_YES;
    }
    if (rq->get && !rq->resume && (http_send_published(rq) || http_send_shared(rq)))
        return rq->queued;
    return finish(rq);
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct http_server *s = cls;

    (void)connection;
    (void)why;
    if (!*state)
        return;
    free_request(*state);
    *state = NULL;
    atomic_fetch_sub(&s->in_work, 1);
}

/* ---- the server */

/* Its messages may hold the address of a request; so only what kind of message it is is logged. */
static void on_library_log(void *cls, const char *format, va_list args)
{
    (void)cls;
    (void)args;
    log_debug("libmicrohttpd: %.*s", (int)strcspn(format, "\n"), format);
}

/* Paths are matched as they were sent: an encoded spelling is another path. */
static size_t keep_encoded(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

/* The connection limit must stay below the descriptor limit: there are files, too. */
static bool raise_descriptor_limit(struct buf *err)
{
    const rlim_t need = CONNECTION_LIMIT + SPARE_DESCRIPTORS;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return false;
    if (limit.rlim_cur < need && limit.rlim_max >= need) {
        limit.rlim_cur = need;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            limit.rlim_cur = 0;
    }
    if (limit.rlim_cur >= need)
        return true;
    buf_printf(err, "the limit of open files is %ju; %ju are needed (ulimit -n, LimitNOFILE)",
               (uintmax_t)limit.rlim_cur, (uintmax_t)need);
    return false;
}

static unsigned thread_count(int setting)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (setting > 0)
        return (unsigned)setting;
    return cores > 0 && cores <= 64 ? (unsigned)cores : 1;
}

unsigned http_connection_limit(const struct http_server *s)
{
    return (unsigned)(s->config.connections ? s->config.connections : CONNECTION_LIMIT);
}

/* The acceptor keeps the limit. The library's own is divided among its threads; a connection that
 * one of them had no room for would end without a word, to its client and to on_connection: so each
 * has room for all. */
static struct MHD_Daemon *start_daemon(struct http_server *s)
{
    unsigned threads = thread_count(s->config.threads);
    /* A pool of one is refused; without the option there is one thread. */
    struct MHD_OptionItem pool[] = {{threads > 1 ? MHD_OPTION_THREAD_POOL_SIZE : MHD_OPTION_END,
                                     (intptr_t)threads, NULL},
                                    {MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                                MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG,
                            0, NULL, NULL, on_request, s, MHD_OPTION_EXTERNAL_LOGGER,
                            on_library_log, NULL, MHD_OPTION_CONNECTION_LIMIT,
                            (http_connection_limit(s) + CLOSING) * threads,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_TIMEOUT_S,
                            MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK,
                            keep_encoded, NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
                            MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_ARRAY, pool,
                            MHD_OPTION_END);
}

/* Publishing must not wait for ever for a moment without readers. */
static void init_lock(pthread_rwlock_t *lock)
{
    pthread_rwlockattr_t attributes;

    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
}

struct http_server *http_open(const struct http_config *config, struct buf *err, bool *usage)
{
    struct http_server *s = xcalloc(1, sizeof *s);
    struct buf policy;

    *usage = false;
    s->config = *config;
    http_stats_init(&s->stats);
    s->published = http_published_new();
    s->shared = http_shared_new();
    init_lock(&s->lock);
    buf_init(&policy, BUF_UNLIMITED);
    buf_printf(&policy,
               "default-src 'none'; style-src %s; img-src 'self' data:; connect-src 'self'; "
               "form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'",
               config->style_src);
    s->policy = buf_detach(&policy, NULL);
    s->listen_fd = -1;
    if (!raise_descriptor_limit(err))
        goto fail;
    s->listen_fd = config->inherited ? config->inherited
                                     : listener_open(config->setting, config->listen, err, usage);
    if (s->listen_fd < 0)
        goto fail;
    return s;
fail:
    http_close(s);
    return NULL;
}

int http_start(struct http_server *s, struct buf *err)
{
    if (!s->config.inherited && listen(s->listen_fd, SOMAXCONN) != 0) {
        buf_printf(err, "%s: cannot listen on %s: %s", s->config.setting, s->config.listen,
                   strerror(errno));
        return -1;
    }
    s->daemon = start_daemon(s);
    if (s->daemon)
        s->acceptor = http_acceptor_open(s);
    else
        buf_adds(err, "the HTTP server cannot be started");
    return s->daemon ? 0 : -1;
}

/* True if a request is in work, or was a moment ago, or a connection has yet to bring one. */
static bool is_busy(struct http_server *s, int waited_ms, unsigned *begun)
{
    unsigned now = atomic_load(&s->begun);
    bool more = now != *begun;

    *begun = now;
    return more || atomic_load(&s->in_work) > 0 || atomic_load(&s->parked) > 0 ||
           (waited_ms < DRAIN_FRESH_MS && atomic_load(&s->fresh) > 0);
}

/* Waits until for so long no request was in work, at most DRAIN_MAX_MS; for parked ones, which
 * their owners answer, however long that takes. */
static void wait_for_requests(struct http_server *s, int quiet_ms)
{
    unsigned begun = atomic_load(&s->begun);

    for (int waited_ms = 0, quiet = 0;; waited_ms += 10, quiet += 10) {
        if (is_busy(s, waited_ms, &begun))
            quiet = 0;
        if (quiet >= quiet_ms && atomic_load(&s->in_work) == 0 && atomic_load(&s->parked) == 0)
            break;
        if (waited_ms >= DRAIN_MAX_MS && atomic_load(&s->parked) == 0)
            break;
        usleep(10 * 1000);
    }
}

/* No new connection from here on. Others may hold an inherited socket, so it is not shut down:
 * whoever connects waits in its backlog. */
static void stop_accepting(struct http_server *s)
{
    http_acceptor_close(s->acceptor);
    s->acceptor = NULL;
    if (s->listen_fd >= 0)
        close(s->listen_fd);
    s->listen_fd = -1;
}

void http_drain(struct http_server *s)
{
    atomic_store(&s->draining, true);
    stop_accepting(s);
    /* Who has just connected, or is between two requests, is still answered. */
    wait_for_requests(s, DRAIN_QUIET_MS);
    atomic_store(&s->refusing, true);
    wait_for_requests(s, 0);
}

void http_close(struct http_server *s)
{
    if (s->listen_fd >= 0)
        stop_accepting(s);
    if (s->daemon)
        MHD_stop_daemon(s->daemon);
    http_published_free(s->published);
    http_shared_free(s->shared);
    pthread_rwlock_destroy(&s->lock);
    free(s->policy);
    free(s);
}
