/*
 * serve: wiring the server together (see serve.h).
 *
 * Start: open and check everything, take the port, publish, then answer. Stop: no new connections,
 * finish what is in work, then the threads from the outside in; the writer commits what is queued.
 * Signals are blocked in every thread and taken here, one at a time.
 */
#include "serve.h"

#include "commands.h"
#include "deliveries.h"
#include "desk.h"
#include "health.h"
#include "letter.h"
#include "listener.h"
#include "monitor.h"
#include "organiser.h"
#include "pages.h"
#include "receipt.h"
#include "tiles.h"
#include "watchdog.h"
#include "withdraw.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

struct server {
    struct service service;
    struct commands commands;
    struct control *control;
    struct pages_config pages;
    struct publisher *publisher;
    struct tiles *tiles;
    struct lookup *lookup;
    struct receipts receipts;
    struct deliveries *deliveries;
    struct http_server *http;
    struct http_server *metrics; /* the second listener, or NULL */
    struct monitor monitor;
    struct notify notify;
    struct watchdog *watchdog; /* NULL: not asked for */
    struct withdrawing_config withdrawing;
    struct organiser_api api;
    struct act_context by_token, by_session;
    struct desk desk;
    struct gate *gate;
    struct live *live;
    struct buf style_src;
    int inherited; /* a descriptor to listen on instead of the setting; 0: none */
    bool started;  /* the port is open */
};

/* ---- routes */

#define ROUTES_MAX (20 + DESK_ROUTES_MAX)

static size_t fill_routes(struct server *s, struct http_route *routes)
{
    struct signing *signing = s->service.signing;
    const struct http_route table[] = {
        {HTTP_GET, HTTP_BODY_NONE, "/", pages_root, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/tile/{rest}", tiles_get, s->tiles},
        {HTTP_GET, HTTP_BODY_NONE, "/{lang}/", pages_slash, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/healthz", health_alive, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/readyz", health_ready, s->service.writer},
        {HTTP_POST, HTTP_BODY_FORM, "/{lang}/sign", sign_form, signing},
        {HTTP_GET, HTTP_BODY_NONE, "/{lang}/thanks/{text}", thanks_page, &s->service.thanks},
        {HTTP_POST, HTTP_BODY_FORM, "/{lang}/receipt/save", thanks_save, &s->service.thanks},
        {HTTP_POST, HTTP_BODY_FORM, "/{lang}/receipt", receipt_form, &s->receipts},
        {HTTP_POST, HTTP_BODY_JSON, "/api/v1/signatures", sign_api, signing},
        {HTTP_POST, HTTP_BODY_FORM, "/{lang}/withdraw", withdraw_form, &s->withdrawing},
        {HTTP_POST, HTTP_BODY_JSON, "/api/v1/withdraw", withdraw_api, &s->withdrawing},
        {HTTP_POST, HTTP_BODY_IGNORED, "/api/v1/deliveries", organiser_post_delivery, &s->by_token},
        {HTTP_GET, HTTP_BODY_NONE, "/api/v1/deliveries", deliveries_get, s->deliveries},
        {HTTP_GET, HTTP_BODY_NONE, "/api/v1/deliveries/{n}/log.zip", deliveries_get_log,
         s->deliveries},
        {HTTP_GET, HTTP_BODY_NONE, "/api/v1/deliveries/{n}", organiser_get_delivery, &s->by_token},
        {HTTP_GET, HTTP_BODY_NONE, "/api/v1/deliveries/{n}/bundles/{n}.zip", organiser_get_bundle,
         &s->by_token},
        {HTTP_GET, HTTP_BODY_NONE, "/api/v1/export/counts.csv", organiser_get_counts, &s->by_token},
        {HTTP_GET, HTTP_BODY_NONE, "/api/v1/export/sealed.jsonl", organiser_get_sealed,
         &s->by_token},
    };
    size_t count = sizeof table / sizeof *table;

    memcpy(routes, table, sizeof table);
    return count + desk_routes(routes + count, &s->by_session);
}

static void render(void *ctx, const struct publication *p)
{
    struct server *s = ctx;

    pages_publish(&s->pages, s->http, p);
    deliveries_refresh(s->deliveries);
}

static void refresh_deliveries(void *ctx)
{
    struct server *s = ctx;

    deliveries_refresh(s->deliveries);
}

static void error_page(void *ctx, struct buf *out, const char *lang, int status)
{
    struct server *s = ctx;

    view_error(out, &s->service.view, (enum lang)lang_of(lang), status);
}

/* ---- starting */

#define METRICS_CONNECTIONS 16 /* whatever scrapes it, and a person */

static int open_http(struct server *s, struct http_route *routes, struct buf *err, bool *usage)
{
    const struct config *config = s->service.config;
    struct http_config http = {.setting = "listen",
                               .listen = config->listen,
                               .inherited = s->inherited,
                               .base_url = config->base_url,
                               .trusted = &config->trusted,
                               .threads = config->threads,
                               .routes = routes,
                               .may_send_large = act_may_send_large,
                               .large_ctx = &s->by_session,
                               .large_login = "/admin/login",
                               .error_page = error_page,
                               .error_ctx = s};

    s->tiles = tiles_open(s->service.database, s->service.head, err);
    if (s->tiles)
        s->lookup = lookup_open(s->service.database, s->service.head, s->tiles, err);
    if (s->lookup)
        s->deliveries = deliveries_open(&s->service.delivery_config, err);
    if (!s->deliveries)
        return -1;
    s->service.delivery_config.changed = refresh_deliveries;
    s->service.delivery_config.changed_ctx = s;
    s->service.thanks.lookup = s->lookup;
    s->receipts = (struct receipts){&s->service.view, s->lookup};
    buf_addc(&s->style_src, '\'');
    view_style_hash(&s->style_src, &s->service.view);
    buf_adds(&s->style_src, "' '");
    letter_style_hash(&s->style_src, s->service.content);
    buf_addc(&s->style_src, '\'');
    http.style_src = s->style_src.data;
    http.route_count = fill_routes(s, routes);
    s->http = http_open(&http, err, usage);
    return s->http ? 0 : -1;
}

static int open_metrics(struct server *s, struct buf *err, bool *usage)
{
    static struct http_route routes[] = {
        {HTTP_GET, HTTP_BODY_NONE, "/metrics", monitor_metrics, NULL},
        {HTTP_GET, HTTP_BODY_NONE, "/healthz", health_alive, NULL},
    };
    const struct http_config http = {.setting = "metrics_listen",
                                     .listen = s->service.config->metrics_listen,
                                     .base_url = "",
                                     .connections = METRICS_CONNECTIONS,
                                     .threads = 1,
                                     .routes = routes,
                                     .route_count = sizeof routes / sizeof *routes,
                                     .style_src = "'none'"};

    if (!*http.listen)
        return 0;
    routes[0].ctx = &s->monitor;
    s->metrics = http_open(&http, err, usage);
    return s->metrics ? 0 : -1;
}

static int start_engines(struct server *s, struct buf *err)
{
    const struct config *config = s->service.config;
    struct publisher_config publisher = {
        .writer = s->service.writer,
        .head = s->service.head,
        .rule = {config->publish_every_s, config->publish_min},
        .count_step = (uint32_t)config->count_step,
        .render = render,
        .ctx = s,
    };

    s->pages = (struct pages_config){&s->service.view, s->service.opening.origin, s->service.head};
    s->publisher = publisher_open(&publisher);
    if (!s->publisher) {
        buf_adds(err, "the first publication failed");
        return -1;
    }
    s->monitor = (struct monitor){s->http, s->service.writer, s->publisher};
    signing_attach(s->service.signing, s->service.writer, s->publisher);
    service_start_deliveries(&s->service, s->publisher);
    s->withdrawing = (struct withdrawing_config){&s->service.view, s->service.writer};
    s->api = (struct organiser_api){s->service.delivery, &s->service.delivery_config};
    s->by_token = (struct act_context){.by = ACT_BY_TOKEN,
                                       .writer = s->service.writer,
                                       .refuse = organiser_refuse,
                                       .user = &s->api};
    s->desk = (struct desk){&s->service.view,    config,
                            &s->service.hours,   s->service.delivery,
                            s->service.batches,  &s->service.delivery_config,
                            s->service.ephemeral};
    s->gate = gate_open();
    s->live = live_new();
    if (live_load(s->live, s->service.writer) != 0) {
        buf_adds(err, "the sessions could not be read");
        return -1;
    }
    s->by_session = (struct act_context){.by = ACT_BY_SESSION,
                                         .writer = s->service.writer,
                                         .gate = s->gate,
                                         .live = s->live,
                                         .refuse = desk_refuse,
                                         .user = &s->desk};
    s->commands.service = &s->service;
    s->commands.gate = s->gate;
    s->commands.publisher = s->publisher;
    s->commands.notify = &s->notify;
    s->control = control_open(config->data_dir, commands_handle, &s->commands, err);
    return s->control ? 0 : -1;
}

/* Tells it to whoever started us, and to whoever reads the log. */
static bool is_loopback(const char *host)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        if (strncmp(host, hosts[i], strlen(hosts[i])) == 0 && strchr(":/", host[strlen(hosts[i])]))
            return true;
    return false;
}

static void announce(struct server *s)
{
    const struct config *config = s->service.config;
    bool local = strncmp(config->listen, "unix:", 5) == 0;

    if (strncmp(config->base_url, "http://", 7) == 0 && !is_loopback(config->base_url + 7))
        log_warn("base_url is http: browsers keep the desk's cookie only over https, so nobody can "
                 "log in at /admin there");
    if (s->metrics)
        log_info("metrics on %s", config->metrics_listen);
    if (s->inherited)
        log_info("listening on the socket handed over (LISTEN_FDS); the setting listen is ignored");
    else
        log_info("listening on %s%s%s", local ? "" : "http://", config->listen, local ? "" : "/");
    notify_send(&s->notify, "READY=1");
}

/* Opens the ports. Metrics come first: where they cannot be had, nobody is let in. */
static int start(struct server *s, struct buf *err)
{
    if ((s->metrics && http_start(s->metrics, err) != 0) || http_start(s->http, err) != 0)
        return -1;
    s->started = true;
    s->watchdog = watchdog_open(&s->notify, s->service.writer);
    announce(s);
    return 0;
}

static void stop(struct server *s)
{
    if (s->service.batches)
        batches_stop(s->service.batches);
    if (s->started)
        http_drain(s->http);
    watchdog_close(s->watchdog);
    if (s->metrics)
        http_close(s->metrics);
    atomic_store(&s->commands.stopping, true);
    if (s->control)
        control_close(s->control);
    if (s->gate)
        gate_close(s->gate);
    /* It publishes, too; and nobody asks for deliveries any more. */
    service_stop_deliveries(&s->service);
    if (s->publisher)
        publisher_close(s->publisher);
    if (s->http)
        http_close(s->http);
    lookup_close(s->lookup);
    live_free(s->live);
    tiles_close(s->tiles);
    deliveries_close(s->deliveries);
    service_close(&s->service);
    notify_release(&s->notify);
    buf_release(&s->style_src);
}

/* ---- signals */

static void block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    pthread_sigmask(SIG_BLOCK, set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void wait_for_signal(const sigset_t *set)
{
    int which;

    sigwait(set, &which);
    log_info("%s: finishing what is in work", which == SIGTERM ? "SIGTERM" : "SIGINT");
    /* A second signal ends the process at once. */
    pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

int serve(const struct config *config)
{
    struct server s = {.style_src = {0}};
    struct http_route routes[ROUTES_MAX];
    bool usage = false;
    struct buf err;
    sigset_t set;
    int status = 1;

    buf_init(&s.style_src, BUF_UNLIMITED);
    buf_init(&err, BUF_UNLIMITED);
    block_signals(&set);
    notify_init(&s.notify);
    if (listener_inherited(&s.inherited, &err) != 0 ||
        service_open(&s.service, config, SERVICE_SERVE, &err) != 0 ||
        open_http(&s, routes, &err, &usage) != 0 || open_metrics(&s, &err, &usage) != 0 ||
        start_engines(&s, &err) != 0 || start(&s, &err) != 0)
        goto out;
    wait_for_signal(&set);
    notify_send(&s.notify, "STOPPING=1");
    status = 0;
out:
    stop(&s);
    if (status != 0)
        log_fatal(usage ? 2 : status, "%s", err.data);
    buf_release(&err);
    return status;
}
