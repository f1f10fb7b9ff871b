/*
 * test_control: a command's arguments reach the server as they are, its output and status come
 * back, and nobody at the socket can stop or hold up the server.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "control.h"
#include "support.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#define CONNECTIONS 8 /* that are served at once */
#define BIG_BYTES   1000000
#define FLOOD       20 /* times that */

static char folder[FOLDER_BYTES];
static char path[64];
static struct control *control;

/* ---- the server's side: a handler that does what the first argument says */

static atomic_int inside, broken_sinks;
static atomic_bool let_go;

static int echo(const struct control_request *request, const struct control_sink *sink)
{
    for (size_t i = 0; i < request->count; i++)
        control_printf(sink, 'O', "%s|", request->args[i]);
    control_printf(sink, 'E', "%s", request->input);
    return 0;
}

/* More than fits into any socket buffer; ends when nobody listens any more. */
static int flood(const struct control_sink *sink)
{
    static const char chunk[BIG_BYTES] = {0};

    for (int i = 0; i < FLOOD; i++) {
        if (sink->write(sink->ctx, 'O', chunk, sizeof chunk) != 0) {
            atomic_fetch_add(&broken_sinks, 1);
            return 1;
        }
    }
    return 0;
}

static int handle(void *ctx, const struct control_request *request, const struct control_sink *sink)
{
    assert_ptr_equal(ctx, &control);
    if (strcmp(request->args[0], "echo") == 0)
        return echo(request, sink);
    if (strcmp(request->args[0], "flood") == 0)
        return flood(sink);
    if (strcmp(request->args[0], "status") == 0)
        return (int)strtol(request->args[1], NULL, 10);
    atomic_fetch_add(&inside, 1); /* wait */
    while (!atomic_load(&let_go))
        usleep(1000);
    return 0;
}

static int open_control(void **state)
{
    struct buf err;

    (void)state;
    make_folder(folder);
    snprintf(path, sizeof path, "%s/control.sock", folder);
    inside = broken_sinks = 0;
    let_go = false;
    buf_init(&err, BUF_UNLIMITED);
    control = control_open(folder, handle, &control, &err);
    buf_release(&err);
    return control ? 0 : -1;
}

static int close_control(void **state)
{
    (void)state;
    if (control)
        control_close(control);
    control = NULL;
    remove_folder(folder);
    return 0;
}

/* ---- the command's side */

struct answer {
    struct buf out, err;
    size_t limit; /* of bytes that are taken; 0: none */
};

static int take(void *ctx, char type, const void *data, size_t len)
{
    struct answer *a = ctx;

    assert_true(type == 'O' || type == 'E');
    buf_add(type == 'O' ? &a->out : &a->err, data, len);
    return a->limit && a->out.len > a->limit ? -1 : 0;
}

static void answer_init(struct answer *a)
{
    *a = (struct answer){.limit = 0};
    buf_init(&a->out, BUF_UNLIMITED);
    buf_init(&a->err, BUF_UNLIMITED);
}

static void answer_release(struct answer *a)
{
    buf_release(&a->out);
    buf_release(&a->err);
}

static int call(struct answer *a, const struct control_request *request, struct buf *why)
{
    const struct control_sink sink = {take, a};

    return control_call(folder, request, &sink, why);
}

/* With one or two arguments; the status. */
static int call_with(struct answer *a, const char *first, const char *second)
{
    const struct control_request request = {.count = second ? 2 : 1,
                                            .args = {first, second},
                                            .input = ""};
    struct buf why;
    int status;

    buf_init(&why, BUF_UNLIMITED);
    status = call(a, &request, &why);
    assert_true((status < 0) == (why.len > 0));
    buf_release(&why);
    return status;
}

/* A connection that says nothing yet. */
static int connect_silently(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static int64_t now_ms(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* ---- what comes through */

static void arguments_input_and_output_come_through_as_they_are(void **state)
{
    static const struct control_request request = {
        .count = 8,
        .args = {"echo", "", "two words", "\"quoted\" \\ back", "ខ្មែរ", "--option=\n", "%s%n",
                 "last"},
        .input = "a password of several\nlines, \"quoted\" ៛"};
    struct answer a;
    struct buf why;

    (void)state;
    answer_init(&a);
    buf_init(&why, BUF_UNLIMITED);
    assert_int_equal(call(&a, &request, &why), 0);
    assert_string_equal(a.out.data,
                        "echo||two words|\"quoted\" \\ back|ខ្មែរ|--option=\n|%s%n|last|");
    assert_string_equal(a.err.data, request.input);
    assert_int_equal(why.len, 0);
    answer_release(&a);
    buf_release(&why);
}

static void the_status_comes_back(void **state)
{
    struct answer a;

    (void)state;
    answer_init(&a);
    assert_int_equal(call_with(&a, "status", "0"), 0);
    assert_int_equal(call_with(&a, "status", "1"), 1);
    assert_int_equal(call_with(&a, "status", "2"), 2);
    assert_int_equal(call_with(&a, "status", "255"), 255);
    answer_release(&a);
}

static void output_of_any_length_comes_through(void **state)
{
    struct answer a;

    (void)state;
    answer_init(&a);
    assert_int_equal(call_with(&a, "flood", NULL), 0);
    assert_int_equal(a.out.len, FLOOD * BIG_BYTES);
    answer_release(&a);
}

static void *wait_in_command(void *arg)
{
    struct answer a;

    answer_init(&a);
    *(int *)arg = call_with(&a, "wait", NULL);
    answer_release(&a);
    return NULL;
}

static void several_commands_run_at_once(void **state)
{
    int status[CONNECTIONS];
    pthread_t threads[CONNECTIONS];

    (void)state;
    for (int i = 0; i < CONNECTIONS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_in_command, &status[i]), 0);
    while (atomic_load(&inside) < CONNECTIONS)
        usleep(1000);
    atomic_store(&let_go, true);
    for (int i = 0; i < CONNECTIONS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(status[i], 0);
    }
}

/* ---- the socket */

static void the_socket_is_its_owners_and_goes_with_the_server(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    control_close(control);
    control = NULL;
    assert_int_equal(access(path, F_OK), -1);
}

static void a_socket_that_a_crash_has_left_is_replaced(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct answer a;
    struct buf err;

    (void)state;
    control_close(control);
    memcpy(address.sun_path, path, strlen(path) + 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    answer_init(&a);
    assert_int_equal(call_with(&a, "status", "3"), -1);
    buf_init(&err, BUF_UNLIMITED);
    control = control_open(folder, handle, &control, &err);
    assert_non_null(control);
    assert_int_equal(call_with(&a, "status", "3"), 3);
    answer_release(&a);
    buf_release(&err);
}

static void without_a_server_the_command_says_so_in_one_line(void **state)
{
    const struct control_request request = {.count = 1, .args = {"echo"}, .input = ""};
    struct answer a;
    struct buf why;

    (void)state;
    control_close(control);
    control = NULL;
    answer_init(&a);
    buf_init(&why, BUF_UNLIMITED);
    assert_int_equal(call(&a, &request, &why), -1);
    assert_one_line(&why);
    assert_non_null(strstr(why.data, folder));
    answer_release(&a);
    buf_release(&why);
}

static void a_path_too_long_for_a_socket_is_named(void **state)
{
    const struct control_request request = {.count = 1, .args = {"echo"}, .input = ""};
    const struct control_sink sink = {take, NULL};
    char longest[200];
    struct buf err;

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    buf_init(&err, BUF_UNLIMITED);
    assert_null(control_open(longest, handle, NULL, &err));
    assert_one_line(&err);
    buf_clear(&err);
    assert_int_equal(control_call(longest, &request, &sink, &err), -1);
    assert_one_line(&err);
    assert_non_null(strstr(err.data, "File name too long"));
    buf_release(&err);
}

/* ---- bad requests and bad company */

static void a_request_that_is_too_large_is_refused_on_both_sides(void **state)
{
    static char input[20000];
    const struct control_request request = {.count = 1, .args = {"echo"}, .input = input};
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0x7f};
    struct answer a;
    struct buf why;
    char byte;
    int fd;

    (void)state;
    memset(input, 'x', sizeof input - 1);
    answer_init(&a);
    buf_init(&why, BUF_UNLIMITED);
    assert_true(call(&a, &request, &why) < 0);
    assert_one_line(&why);
    fd = connect_silently();
    assert_int_equal(send(fd, huge, sizeof huge, 0), sizeof huge);
    while (recv(fd, &byte, 1, 0) > 0) /* an exit status, then the end */
        continue;
    close(fd);
    assert_int_equal(call_with(&a, "status", "4"), 4);
    answer_release(&a);
    buf_release(&why);
}

/* Sends the text as a request; the exit status that comes back, or -1. */
static int send_raw(const char *text)
{
    size_t len = strlen(text);
    uint8_t head[4] = {(uint8_t)len, (uint8_t)(len >> 8)}, frame[6];
    int fd = connect_silently(), status = -1;

    assert_int_equal(send(fd, head, 4, 0), 4);
    assert_int_equal(send(fd, text, len, 0), len);
    if (recv(fd, frame, sizeof frame, MSG_WAITALL) == sizeof frame && frame[0] == 'X' &&
        frame[1] == 1)
        status = frame[5];
    close(fd);
    return status;
}

static void a_request_that_is_none_never_reaches_the_handler(void **state)
{
    static const char *const wrong[] = {
        "",
        "nonsense",
        "[]",
        "{}",
        "{\"args\":[]}",
        "{\"args\":[1]}",
        "{\"args\":\"echo\"}",
        "{\"args\":[\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\"]}",
        "{\"args\":[\"wait\"]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(send_raw(wrong[i]), 1);
    assert_int_equal(send_raw("{\"args\":[\"status\",\"7\"],\"input\":5}"), 7);
    assert_int_equal(inside, 0);
}

static void a_command_that_goes_away_ends_its_handler(void **state)
{
    struct answer a;

    (void)state;
    answer_init(&a);
    a.limit = 1;
    assert_int_equal(call_with(&a, "flood", NULL), 1);
    for (int i = 0; i < 5000 && atomic_load(&broken_sinks) == 0; i++)
        usleep(1000);
    assert_int_equal(broken_sinks, 1);
    answer_release(&a);
}

static void a_connection_that_says_nothing_does_not_keep_the_server_from_stopping(void **state)
{
    int silent = connect_silently(), half = connect_silently();
    int64_t start_ms;

    (void)state;
    assert_int_equal(send(half, "\x40", 1, 0), 1);
    usleep(150 * 1000); /* both are being served */
    start_ms = now_ms(CLOCK_MONOTONIC);
    control_close(control);
    control = NULL;
    assert_true(now_ms(CLOCK_MONOTONIC) - start_ms < 3000);
    close(silent);
    close(half);
}

static void a_command_that_does_not_read_does_not_keep_the_server_from_stopping(void **state)
{
    static const char request[] = "\x12\0\0\0{\"args\":[\"flood\"]}";
    int fd = connect_silently();
    int64_t start_ms;

    (void)state;
    assert_int_equal(send(fd, request, sizeof request - 1, 0), sizeof request - 1);
    usleep(150 * 1000);
    start_ms = now_ms(CLOCK_MONOTONIC);
    control_close(control);
    control = NULL;
    assert_true(now_ms(CLOCK_MONOTONIC) - start_ms < 3000);
    assert_int_equal(broken_sinks, 1);
    close(fd);
}

static void a_crowd_at_the_socket_waits_and_costs_nothing(void **state)
{
    int crowd[CONNECTIONS + 2];
    struct answer a;
    int64_t start_ms;

    (void)state;
    for (int i = 0; i < CONNECTIONS + 2; i++)
        crowd[i] = connect_silently();
    usleep(100 * 1000);
    start_ms = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    usleep(400 * 1000);
    assert_true(now_ms(CLOCK_PROCESS_CPUTIME_ID) - start_ms < 200);
    for (int i = 0; i < CONNECTIONS + 2; i++)
        close(crowd[i]);
    answer_init(&a);
    assert_int_equal(call_with(&a, "status", "5"), 5);
    answer_release(&a);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_control, close_control)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(arguments_input_and_output_come_through_as_they_are),
        CLAIM(the_status_comes_back),
        CLAIM(output_of_any_length_comes_through),
        CLAIM(several_commands_run_at_once),
        CLAIM(the_socket_is_its_owners_and_goes_with_the_server),
        CLAIM(a_socket_that_a_crash_has_left_is_replaced),
        CLAIM(without_a_server_the_command_says_so_in_one_line),
        CLAIM(a_path_too_long_for_a_socket_is_named),
        CLAIM(a_request_that_is_too_large_is_refused_on_both_sides),
        CLAIM(a_request_that_is_none_never_reaches_the_handler),
        CLAIM(a_command_that_goes_away_ends_its_handler),
        CLAIM(a_connection_that_says_nothing_does_not_keep_the_server_from_stopping),
        CLAIM(a_command_that_does_not_read_does_not_keep_the_server_from_stopping),
        CLAIM(a_crowd_at_the_socket_waits_and_costs_nothing),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
