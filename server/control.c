/*
 * control: the socket between a command and the server (see control.h).
 *
 * The listening thread starts one thread per connection, at most CONNECTIONS_MAX; the directory is
 * 0700, so whoever can connect could as well read the database. Requests are capped and wiped: they
 * may hold a password.
 */
#include "control.h"

#include "files.h"
#include "log.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX_BYTES 16384
#define CONNECTIONS_MAX   8
#define POLL_MS           100

struct control {
    int fd;
    char *path;
    control_handler *handle;
    void *ctx;
    pthread_t thread;
    atomic_bool closing;
    atomic_int in_work;
};

struct connection {
    struct control *control;
    int fd;
};

/* ---- bytes */

static int send_all(int fd, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t put = send(fd, p, len, MSG_NOSIGNAL);

        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return -1;
        p += put;
        len -= (size_t)put;
    }
    return 0;
}

static int receive_all(int fd, void *data, size_t len)
{
    char *p = data;

    while (len > 0) {
        ssize_t got = recv(fd, p, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -1;
        p += got;
        len -= (size_t)got;
    }
    return 0;
}

static void put_le32(uint8_t out[4], size_t n)
{
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(n >> (8 * i));
}

static size_t get_le32(const uint8_t in[4])
{
    return (size_t)in[0] | (size_t)in[1] << 8 | (size_t)in[2] << 16 | (size_t)in[3] << 24;
}

static int send_frame(void *ctx, char type, const void *data, size_t len)
{
    const int *fd = ctx;
    uint8_t head[5] = {(uint8_t)type};

    put_le32(head + 1, len);
    if (send_all(*fd, head, sizeof head) != 0)
        return -1;
    return send_all(*fd, data, len);
}

static int set_address(struct sockaddr_un *address, const char *path, struct buf *err)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path) {
        buf_printf(err, "%s: %s", path, strerror(ENAMETOOLONG));
        return -1;
    }
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

int control_printf(const struct control_sink *sink, char type, const char *format, ...)
{
    char *line = NULL;
    va_list args;
    int len, result = -1;

    va_start(args, format);
    len = vasprintf(&line, format, args);
    va_end(args);
    if (len >= 0)
        result = sink->write(sink->ctx, type, line, (size_t)len);
    free(len >= 0 ? line : NULL);
    return result;
}

/* ---- the server's side */

/* Reads the arguments out of the parsed request; their strings live as long as it. */
static int parse_request(struct control_request *request, const cJSON *json)
{
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(json, "args"), *arg;
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(json, "input");

    *request = (struct control_request){.input = ""};
    if (cJSON_IsString(input))
        request->input = input->valuestring;
    cJSON_ArrayForEach(arg, args)
    {
        if (!cJSON_IsString(arg) || request->count == CONTROL_ARGS_MAX)
            return -1;
        request->args[request->count++] = arg->valuestring;
    }
    return request->count > 0 ? 0 : -1;
}

static void wipe_json(cJSON *json)
{
    cJSON *input = cJSON_GetObjectItemCaseSensitive(json, "input");

    if (cJSON_IsString(input))
        sodium_memzero(input->valuestring, strlen(input->valuestring));
    cJSON_Delete(json);
}

static void serve_connection(struct control *c, int fd)
{
    struct control_sink sink = {send_frame, &fd};
    struct control_request request;
    char text[REQUEST_MAX_BYTES];
    uint8_t head[4], status = 1;
    cJSON *json = NULL;
    size_t len;

    if (receive_all(fd, head, sizeof head) != 0)
        return;
    len = get_le32(head);
    if (len > sizeof text || receive_all(fd, text, len) != 0)
        return;
    json = cJSON_ParseWithLength(text, len);
    sodium_memzero(text, len);
    if (parse_request(&request, json) == 0)
        status = (uint8_t)c->handle(c->ctx, &request, &sink);
    wipe_json(json);
    if (send_frame(&fd, 'X', &status, 1) != 0)
        log_debug("control: the command has gone away");
}

static void *run_connection(void *arg)
{
    struct connection *connection = arg;

    serve_connection(connection->control, connection->fd);
    close(connection->fd);
    atomic_fetch_sub(&connection->control->in_work, 1);
    free(connection);
    return NULL;
}

static void start_connection(struct control *c, int fd)
{
    struct connection *connection = xcalloc(1, sizeof *connection);
    pthread_attr_t detached;
    pthread_t thread;

    *connection = (struct connection){c, fd};
    atomic_fetch_add(&c->in_work, 1);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, run_connection, connection) != 0) {
        log_error("control: no thread for a command");
        atomic_fetch_sub(&c->in_work, 1);
        close(fd);
        free(connection);
    }
    pthread_attr_destroy(&detached);
}

static void *run(void *arg)
{
    struct control *c = arg;
    struct pollfd waiting = {.fd = c->fd, .events = POLLIN};

    while (!atomic_load(&c->closing)) {
        int fd;

        if (poll(&waiting, 1, POLL_MS) <= 0 || atomic_load(&c->in_work) >= CONNECTIONS_MAX)
            continue;
        fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            start_connection(c, fd);
    }
    return NULL;
}

struct control *control_open(const char *data_dir, control_handler *handle, void *ctx,
                             struct buf *err)
{
    struct control *c = xcalloc(1, sizeof *c);
    struct sockaddr_un address;

    c->path = files_join(data_dir, "control.sock");
    c->handle = handle;
    c->ctx = ctx;
    c->fd = -1;
    if (set_address(&address, c->path, err) != 0)
        goto fail;
    unlink(c->path);
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0 || bind(c->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(c->path, 0600) != 0 || listen(c->fd, CONNECTIONS_MAX) != 0) {
        buf_printf(err, "%s: %s", c->path, strerror(errno));
        goto fail;
    }
    if (pthread_create(&c->thread, NULL, run, c) != 0)
        log_fatal(1, "cannot start the control socket's thread");
    return c;
fail:
    if (c->fd >= 0)
        close(c->fd);
    free(c->path);
    free(c);
    return NULL;
}

void control_close(struct control *c)
{
    atomic_store(&c->closing, true);
    pthread_join(c->thread, NULL);
    while (atomic_load(&c->in_work) > 0)
        usleep(1000 * 10);
    close(c->fd);
    unlink(c->path);
    free(c->path);
    free(c);
}

/* ---- the command's side */

static int send_request(int fd, const struct control_request *request)
{
    struct buf text;
    uint8_t head[4];
    int result;

    buf_init(&text, REQUEST_MAX_BYTES);
    buf_adds(&text, "{\"args\":[");
    for (size_t i = 0; i < request->count; i++) {
        buf_adds(&text, i ? "," : "");
        buf_json(&text, request->args[i]);
    }
    buf_adds(&text, "],\"input\":");
    buf_json(&text, request->input);
    buf_addc(&text, '}');
    put_le32(head, text.len);
    result = buf_ok(&text) && send_all(fd, head, sizeof head) == 0 &&
                     send_all(fd, text.data, text.len) == 0
                 ? 0
                 : -1;
    buf_wipe(&text);
    return result;
}

/* Passes the frames on until the exit status comes; -1 if the connection breaks. */
static int receive_answer(int fd, const struct control_sink *sink)
{
    uint8_t head[5];
    char data[65536];

    for (;;) {
        size_t left;

        if (receive_all(fd, head, sizeof head) != 0)
            return -1;
        left = get_le32(head + 1);
        while (left > 0) {
            size_t len = left < sizeof data ? left : sizeof data;

            if (receive_all(fd, data, len) != 0)
                return -1;
            if (head[0] == 'X')
                return (uint8_t)data[0];
            if (sink->write(sink->ctx, (char)head[0], data, len) != 0)
                return 1;
            left -= len;
        }
    }
}

int control_call(const char *data_dir, const struct control_request *request,
                 const struct control_sink *sink, struct buf *err)
{
    char *path = files_join(data_dir, "control.sock");
    struct sockaddr_un address;
    int fd = -1, result = -1;

    if (set_address(&address, path, err) != 0)
        goto out;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        buf_printf(err, "the server that has %s does not answer: %s", data_dir, strerror(errno));
        goto out;
    }
    if (send_request(fd, request) == 0)
        result = receive_answer(fd, sink);
    if (result < 0)
        buf_adds(err, "the server broke the connection off");
out:
    if (fd >= 0)
        close(fd);
    free(path);
    return result;
}
