/*
 * test_http: the listener with routes of its own, on a port and on a Unix socket: who the client
 * is, which requests are refused before their body is read, and what every answer carries.
 *
 * Requests are written byte by byte, as no well-behaved client would write them; the server closes
 * after each, so an answer is what comes until the end.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "http_internal.h"
#include "input.h"
#include "log.h"
#include "support.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define ANSWER_WAIT_S 10

/* ---- the server under test */

struct fixture {
    struct http_server *server;
    struct buf request, answer;
    struct peer_networks trusted;
    char folder[FOLDER_BYTES];
    char socket[FOLDER_BYTES + 16]; /* as a setting; "" : a port of 127.0.0.1 */
    int connections;                /* the limit; 0: the server's own */
};

/* GET /client: the client's 16 bytes in hexadecimal. */
static void reply_client(struct http_request *rq, void *ctx)
{
    struct peer_address client;
    struct buf body;

    (void)ctx;
    http_client(rq, &client);
    buf_init(&body, BUF_UNLIMITED);
    buf_hex(&body, client.bytes, sizeof client.bytes);
    http_reply(rq, 200, "text/plain", &body);
}

static void reply_length(struct http_request *rq, void *ctx)
{
    struct buf body;
    size_t len;

    (void)ctx;
    http_body(rq, &len);
    buf_init(&body, BUF_UNLIMITED);
    buf_printf(&body, "%zu bytes", len);
    http_reply(rq, 200, "text/plain", &body);
}

static void reply_redirect(struct http_request *rq, void *ctx)
{
    (void)ctx;
    http_redirect(rq, 303, "/client");
}

/* The status in the path, in the form that belongs to the path. */
static void reply_failure(struct http_request *rq, void *ctx)
{
    (void)ctx;
    http_fail(rq, (int)strtol(http_param(rq, 0), NULL, 10));
}

static int last_piece(void *ctx, struct buf *piece)
{
    int *left = ctx;

    if (*left == 0)
        return 0;
    --*left;
    buf_adds(piece, "piece ");
    return 1;
}

static void free_pieces(void *ctx)
{
    free(ctx);
}

static void reply_pieces(struct http_request *rq, void *ctx)
{
    int *left = xcalloc(1, sizeof *left);
    const struct http_stream stream = {last_piece, free_pieces, left, 0};

    (void)ctx;
    *left = 3;
    http_reply_stream(rq, &stream, "text/plain", "pieces.txt");
}

static void reply_this_file(struct http_request *rq, void *ctx)
{
    (void)ctx;
    http_reply_file(rq, "schema.sql", "text/plain", "schema.sql");
}

static const struct http_route routes[] = {
    {HTTP_GET, HTTP_BODY_NONE, "/client", reply_client, NULL},
    {HTTP_POST, HTTP_BODY_FORM, "/form", reply_length, NULL},
    {HTTP_POST, HTTP_BODY_JSON, "/api/v1/json", reply_length, NULL},
    {HTTP_POST, HTTP_BODY_FORM, "/redirect", reply_redirect, NULL},
    {HTTP_GET, HTTP_BODY_NONE, "/fail/{n}", reply_failure, NULL},
    {HTTP_GET, HTTP_BODY_NONE, "/api/v1/fail/{n}", reply_failure, NULL},
    {HTTP_GET, HTTP_BODY_NONE, "/stream", reply_pieces, NULL},
    {HTTP_GET, HTTP_BODY_NONE, "/file", reply_this_file, NULL},
};

static void publish_page(struct http_server *s)
{
    struct http_page page = {.path = "/page", .type = "text/plain", .cache = "no-cache"};

    buf_init(&page.identity, BUF_UNLIMITED);
    buf_init(&page.gzip, BUF_UNLIMITED);
    buf_init(&page.brotli, BUF_UNLIMITED);
    buf_adds(&page.identity, "published");
    http_publish(s, &page, 1);
    buf_release(&page.identity);
}

/* The folder of the Unix socket has been made, or there is none. */
static void start(struct fixture *f, const char *trusted)
{
    struct http_config config = {.listen = *f->socket ? f->socket : "127.0.0.1:0",
                                 .base_url = "",
                                 .trusted = &f->trusted,
                                 .threads = 2,
                                 .connections = f->connections,
                                 .routes = routes,
                                 .route_count = sizeof routes / sizeof *routes,
                                 .style_src = "'none'"};
    struct buf err;
    bool usage;

    log_init(LOG_LEVEL_ERROR);
    buf_init(&f->request, BUF_UNLIMITED);
    buf_init(&f->answer, BUF_UNLIMITED);
    buf_init(&err, BUF_UNLIMITED);
    assert_int_equal(peer_parse_networks(&f->trusted, trusted, &err), 0);
    f->server = http_open(&config, &err, &usage);
    assert_non_null(f->server);
    publish_page(f->server);
    assert_int_equal(http_start(f->server, &err), 0);
    buf_release(&err);
}

static void stop(struct fixture *f)
{
    http_drain(f->server);
    http_close(f->server);
    buf_release(&f->request);
    buf_release(&f->answer);
    if (*f->socket)
        remove_folder(f->folder);
}

/* ---- a client */

static int connect_to(const struct fixture *f)
{
    const struct timeval wait = {.tv_sec = ANSWER_WAIT_S};
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    int fd;

    assert_int_equal(getsockname(f->server->listen_fd, (struct sockaddr *)&address, &len), 0);
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
    return fd;
}

/* Sends the bytes; `answer` is everything that comes until the server closes. */
static void exchange(struct fixture *f, const char *request)
{
    int fd = connect_to(f);
    size_t left = strlen(request);
    char piece[4096];
    ssize_t got;

    /* A server that refuses early may close before it has read everything. */
    while (left > 0 && (got = send(fd, request, left, MSG_NOSIGNAL)) > 0) {
        request += got;
        left -= (size_t)got;
    }
    buf_clear(&f->answer);
    while ((got = recv(fd, piece, sizeof piece, 0)) > 0)
        buf_add(&f->answer, piece, (size_t)got);
    close(fd);
}

static int status_of(const struct buf *answer)
{
    return strncmp(answer->data, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer->data + 9, NULL, 10) : 0;
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;

    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static const char *body_of(const struct buf *answer)
{
    const char *end = strstr(answer->data, "\r\n\r\n");

    return end ? end + 4 : "";
}

/* GET /client with further header lines. */
static void assert_client(struct fixture *f, const char *headers, const char *expected)
{
    buf_clear(&f->request);
    buf_printf(&f->request, "GET /client HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
               headers);
    exchange(f, f->request.data);
    assert_int_equal(status_of(&f->answer), 200);
    assert_string_equal(body_of(&f->answer), expected);
}

/* ---- who the client is */

#define LOOPBACK  "00000000000000000000ffff7f000001"
#define ELSEWHERE "00000000000000000000ffffc6336407" /* 198.51.100.7 */
#define NOBODY    "00000000000000000000000000000000"

static void an_untrusted_peer_cannot_name_another_client(void **state)
{
    struct fixture f = {0};

    (void)state;
    start(&f, "10.0.0.0/8");
    assert_client(&f, "", LOOPBACK);
    assert_client(&f, "X-Forwarded-For: 198.51.100.7\r\n", LOOPBACK);
    assert_client(&f, "X-Forwarded-For: 10.0.0.1\r\n", LOOPBACK);
    assert_client(&f, "X-Real-IP: 198.51.100.7\r\nForwarded: for=198.51.100.7\r\n", LOOPBACK);
    stop(&f);
}

static void a_trusted_proxy_names_the_client(void **state)
{
    struct fixture f = {0};

    (void)state;
    start(&f, "127.0.0.0/8, 10.0.0.0/8");
    assert_client(&f, "", LOOPBACK);
    assert_client(&f, "X-Forwarded-For: 198.51.100.7\r\n", ELSEWHERE);
    assert_client(&f, "x-forwarded-for: 6.6.6.6, 198.51.100.7:81 , 10.0.0.2\r\n", ELSEWHERE);
    assert_client(&f, "X-Forwarded-For: [2001:db8:1:2:3::4]:80\r\n",
                  "20010db8000100020000000000000000");
    assert_client(&f, "X-Forwarded-For: unknown\r\n", LOOPBACK);
    assert_client(&f, "X-Forwarded-For: \r\n", LOOPBACK);
    stop(&f);
}

static void a_unix_socket_is_trusted(void **state)
{
    struct fixture f = {0};

    (void)state;
    make_folder(f.folder);
    snprintf(f.socket, sizeof f.socket, "unix:%s/h.sock", f.folder);
    start(&f, "");
    assert_client(&f, "", NOBODY);
    assert_client(&f, "X-Forwarded-For: 6.6.6.6, 198.51.100.7\r\n", ELSEWHERE);
    assert_client(&f, "X-Forwarded-For: rubbish\r\n", NOBODY);
    stop(&f);
}

static void ten_kilobytes_of_addresses_are_read_to_the_last_trusted_one(void **state)
{
    struct fixture f = {0};
    struct buf header;

    (void)state;
    start(&f, "127.0.0.1");
    buf_init(&header, BUF_UNLIMITED);
    buf_adds(&header, "X-Forwarded-For: ");
    while (header.len < 10240)
        buf_adds(&header, "[[unknown]], ");
    buf_adds(&header, "198.51.100.7\r\n");
    assert_client(&f, header.data, ELSEWHERE);
    buf_release(&header);
    stop(&f);
}

/* ---- what is refused */

#define GET(headers)  "GET /client HTTP/1.1\r\nHost: x\r\n" headers "\r\n"
#define FORM(headers) "POST /form HTTP/1.1\r\nHost: x\r\n" headers "\r\n"
#define FORM_TYPE     "Content-Type: application/x-www-form-urlencoded\r\n"
#define SMUGGLED      "GET /client HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

static void doubtful_framing_ends_the_connection(void **state)
{
    static const char *const doubtful[] = {
        FORM(FORM_TYPE "Content-Length: 0\r\nContent-Length: 55\r\n"),
        FORM(FORM_TYPE "Content-Length: 0\r\nContent-Length: 0\r\n"),
        FORM(FORM_TYPE "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") "0\r\n\r\n",
        FORM(FORM_TYPE "Transfer-Encoding: chunked\r\n") "0\r\n\r\n",
        FORM(FORM_TYPE "Transfer-Encoding: identity\r\nContent-Length: 0\r\n"),
        FORM(FORM_TYPE "Content-Length : 0\r\n"),
        FORM(FORM_TYPE "Content-Length: 0x0\r\n"),
        FORM(FORM_TYPE "Content-Length: -1\r\n"),
        FORM(FORM_TYPE FORM_TYPE "Content-Length: 0\r\n"),
        GET("Host: y\r\n"),
        GET("Cookie: a=1\r\nCookie: a=2\r\n"),
        GET("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"),
        GET("Origin: http://x\r\nOrigin: http://y\r\n"),
        GET("X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-For: 198.51.100.8\r\n"),
        GET("X-Forwarded-For : 198.51.100.7\r\n"),
        "GET /client HTTP/1.7\r\nHost: x\r\n\r\n",
    };
    struct fixture f = {0};

    (void)state;
    start(&f, "");
    for (size_t i = 0; i < sizeof doubtful / sizeof *doubtful; i++) {
        buf_clear(&f.request);
        buf_printf(&f.request, "%s%s", doubtful[i], SMUGGLED);
        exchange(&f, f.request.data);
        if (status_of(&f.answer) != 400 || strstr(f.answer.data, "HTTP/1.1 200"))
            fail_msg("%s-> %s", doubtful[i], f.answer.data);
    }
    stop(&f);
}

static void a_refused_post_leaves_the_connection_usable(void **state)
{
    static const struct {
        const char *request;
        int status;
    } refused[] = {
        {FORM(FORM_TYPE), 411},
        {FORM("Content-Length: 3\r\n") "a=b", 415},
        {FORM("Content-Type: text/plain\r\nContent-Length: 3\r\n") "a=b", 415},
        {FORM(FORM_TYPE "Content-Length: 3\r\nOrigin: https://evil.example\r\n") "a=b", 403},
        {FORM(FORM_TYPE "Content-Length: 3\r\nSec-Fetch-Site: cross-site\r\n") "a=b", 403},
        {"POST /client HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b", 405},
        {"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b", 404},
        {"GET /form HTTP/1.1\r\nHost: x\r\n\r\n", 405},
        {"DELETE /client HTTP/1.1\r\nHost: x\r\n\r\n", 405},
    };
    struct fixture f = {0};

    (void)state;
    start(&f, "");
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        buf_clear(&f.request);
        buf_printf(&f.request, "%s%s", refused[i].request, SMUGGLED);
        exchange(&f, f.request.data);
        if (status_of(&f.answer) != refused[i].status || !strstr(f.answer.data, LOOPBACK))
            fail_msg("%s-> %s", refused[i].request, f.answer.data);
        if (refused[i].status == 405)
            assert_int_equal(occurrences(f.answer.data, "Allow: "), 1);
    }
    stop(&f);
}

static void a_body_may_have_8_kib_and_not_a_byte_more(void **state)
{
    struct fixture f = {0};

    (void)state;
    start(&f, "");
    for (int more = 0; more < 2; more++) {
        buf_clear(&f.request);
        buf_printf(&f.request, FORM(FORM_TYPE "Connection: close\r\nContent-Length: %d\r\n"),
                   INPUT_BODY_MAX_BYTES + more);
        for (int i = 0; i < INPUT_BODY_MAX_BYTES + more; i++)
            buf_addc(&f.request, 'a');
        exchange(&f, f.request.data);
        assert_int_equal(status_of(&f.answer), more ? 413 : 200);
    }
    stop(&f);
}

/* ---- what every answer carries */

static const char *const on_every_answer[] = {
    "Content-Security-Policy: default-src 'none'; style-src 'none'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "object-src 'none'\r\n",
    "Referrer-Policy: same-origin\r\n",
    "X-Content-Type-Options: nosniff\r\n",
    "X-Frame-Options: DENY\r\n",
    "Cross-Origin-Opener-Policy: same-origin\r\n",
    "Cross-Origin-Resource-Policy: same-origin\r\n",
    "Permissions-Policy: ",
    "Cache-Control: ",
};

static void assert_headers(const struct buf *answer, const char *request)
{
    for (size_t i = 0; i < sizeof on_every_answer / sizeof *on_every_answer; i++)
        if (occurrences(answer->data, on_every_answer[i]) != 1)
            fail_msg("%s not once in the answer to %s: %s", on_every_answer[i], request,
                     answer->data);
    assert_null(strstr(answer->data, "Server: "));
}

#define CLOSE "Host: x\r\nConnection: close\r\n"

static void every_answer_carries_the_security_headers_once(void **state)
{
    static const struct {
        const char *request;
        int status;
    } answers[] = {
        {"GET /page HTTP/1.1\r\n" CLOSE "\r\n", 200},
        {"HEAD /page HTTP/1.1\r\n" CLOSE "\r\n", 200},
        {"GET /page HTTP/1.1\r\n" CLOSE "If-None-Match: *\r\n\r\n", 304},
        {"GET /client HTTP/1.1\r\n" CLOSE "\r\n", 200},
        {"GET /stream HTTP/1.1\r\n" CLOSE "\r\n", 200},
        {"GET /file HTTP/1.1\r\n" CLOSE "\r\n", 200},
        {"POST /redirect HTTP/1.1\r\n" CLOSE FORM_TYPE "Content-Length: 0\r\n\r\n", 303},
        {"GET /none HTTP/1.1\r\n" CLOSE "\r\n", 404},
        {"GET /api/none HTTP/1.1\r\n" CLOSE "\r\n", 404},
        {"POST /page HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n", 405},
        {"POST /form HTTP/1.1\r\n" CLOSE FORM_TYPE "\r\n", 411},
        {"POST /form HTTP/1.1\r\n" CLOSE FORM_TYPE "Content-Length: 99999999\r\n\r\n", 413},
        {"POST /form HTTP/1.1\r\n" CLOSE "Content-Length: 0\r\n\r\n", 415},
        {"POST /form HTTP/1.1\r\n" CLOSE FORM_TYPE "Origin: http://y\r\nContent-Length: 0\r\n\r\n",
         403},
        {"GET /page HTTP/1.1\r\n" CLOSE "Transfer-Encoding: chunked\r\n\r\n", 400},
    };
    struct fixture f = {0};

    (void)state;
    start(&f, "");
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        exchange(&f, answers[i].request);
        if (status_of(&f.answer) != answers[i].status)
            fail_msg("%s-> %s", answers[i].request, f.answer.data);
        assert_headers(&f.answer, answers[i].request);
    }
    stop(&f);
}

static void every_error_is_a_page_or_a_problem_with_the_headers(void **state)
{
    static const int statuses[] = {400, 401, 403, 404, 405, 409, 410,
                                   411, 413, 415, 422, 429, 500, 503};
    struct fixture f = {0};

    (void)state;
    start(&f, "");
    for (size_t i = 0; i < 2 * sizeof statuses / sizeof *statuses; i++) {
        const char *type = i % 2 ? "application/problem+json" : "text/plain; charset=utf-8";

        buf_clear(&f.request);
        buf_printf(&f.request, "GET %s/fail/%d HTTP/1.1\r\n" CLOSE "\r\n", i % 2 ? "/api/v1" : "",
                   statuses[i / 2]);
        exchange(&f, f.request.data);
        assert_int_equal(status_of(&f.answer), statuses[i / 2]);
        assert_headers(&f.answer, f.request.data);
        assert_non_null(strstr(f.answer.data, type));
        assert_non_null(strstr(f.answer.data, "Cache-Control: no-store\r\n"));
    }
    stop(&f);
}

/* ---- the limit of connections */

#define CONNECTIONS 8

static void ask(int fd)
{
    static const char request[] = "GET /client HTTP/1.1\r\nHost: x\r\n\r\n";

    assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
}

/* True if an answer comes before so long. */
static bool is_answered(int fd, int wait_ms)
{
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    char answer[4096];

    if (poll(&readable, 1, wait_ms) != 1)
        return false;
    return recv(fd, answer, sizeof answer, 0) > 0 && strncmp(answer, "HTTP/1.1 200", 12) == 0;
}

static void whoever_comes_at_the_limit_waits_until_somebody_leaves(void **state)
{
    struct fixture f = {.connections = CONNECTIONS};
    int fds[CONNECTIONS], late;

    (void)state;
    start(&f, "");
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < CONNECTIONS; i++) {
            fds[i] = connect_to(&f);
            ask(fds[i]);
            assert_true(is_answered(fds[i], 1000 * ANSWER_WAIT_S));
        }
        late = connect_to(&f);
        ask(late);
        if (round == 0)
            assert_false(is_answered(late, 300));
        close(fds[0]);
        assert_true(is_answered(late, 1000 * ANSWER_WAIT_S));
        close(late);
        for (int i = 1; i < CONNECTIONS; i++)
            close(fds[i]);
    }
    stop(&f);
}

/* ---- the port */

static void a_taken_port_is_one_clear_line_and_no_mistake_of_the_setting(void **state)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    struct fixture f = {0};
    char listen[32];
    struct http_config config = {.listen = listen, .base_url = "", .style_src = "'none'"};
    struct buf err;
    bool usage = true;

    (void)state;
    start(&f, "");
    assert_int_equal(getsockname(f.server->listen_fd, (struct sockaddr *)&address, &len), 0);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", ntohs(address.sin_port));
    buf_init(&err, BUF_UNLIMITED);
    assert_null(http_open(&config, &err, &usage));
    assert_false(usage);
    assert_one_line(&err);
    assert_non_null(strstr(err.data, listen));
    buf_release(&err);
    assert_client(&f, "", LOOPBACK);
    stop(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_untrusted_peer_cannot_name_another_client),
        cmocka_unit_test(a_trusted_proxy_names_the_client),
        cmocka_unit_test(a_unix_socket_is_trusted),
        cmocka_unit_test(ten_kilobytes_of_addresses_are_read_to_the_last_trusted_one),
        cmocka_unit_test(doubtful_framing_ends_the_connection),
        cmocka_unit_test(a_refused_post_leaves_the_connection_usable),
        cmocka_unit_test(a_body_may_have_8_kib_and_not_a_byte_more),
        cmocka_unit_test(every_answer_carries_the_security_headers_once),
        cmocka_unit_test(every_error_is_a_page_or_a_problem_with_the_headers),
        cmocka_unit_test(whoever_comes_at_the_limit_waits_until_somebody_leaves),
        cmocka_unit_test(a_taken_port_is_one_clear_line_and_no_mistake_of_the_setting),
    };

    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
