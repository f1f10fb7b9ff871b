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

/* ---- bytes */

/* One end of a connection. The server's side no longer waits when it is closing, but what can leave
 * at once still does; the command's side, whose control is NULL, waits as long as the command
 * takes. */
struct end {
    struct control *control;
    int fd;
};

static bool wait_for(const struct end *e, short events)
{
    struct pollfd waiting = {.fd = e->fd, .events = events};
    bool closing;
    int ready;

    do {
        closing = e->control && atomic_load(&e->control->closing);
        ready = poll(&waiting, 1, closing ? 0 : POLL_MS);
    } while (!closing && ready == 0);
    return ready > 0;
}

static int send_all(const struct end *e, const void *data, size_t len)
{
    const char *p = data;

    while (len > 0) {
        ssize_t put;

        if (!wait_for(e, POLLOUT))
            return -1;
        put = send(e->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (put <= 0)
            return -1;
        p += put;
        len -= (size_t)put;
    }
    return 0;
}

static int receive_all(const struct end *e, void *data, size_t len)
{
    char *p = data;

    while (len > 0) {
        ssize_t got;

        if (!wait_for(e, POLLIN))
            return -1;
        got = recv(e->fd, p, len, MSG_DONTWAIT);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
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
    const struct end *e = ctx;
    uint8_t head[5] = {(uint8_t)type};

    put_le32(head + 1, len);
    if (send_all(e, head, sizeof head) != 0)
        return -1;
    return send_all(e, data, len);
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
    if (len >= 0) {
        sodium_memzero(line, (size_t)len); /* it may be a token */
        free(line);
    }
    return result;
}

/* ---- the server's side */

/* Reads the arguments and the length of the file out of the parsed request; their strings live as
 * long as it. */
static int parse_request(struct control_request *request, const cJSON *json)
{
    const cJSON *args = cJSON_GetObjectItemCaseSensitive(json, "args"), *arg;
    const cJSON *input = cJSON_GetObjectItemCaseSensitive(json, "input");
    const cJSON *file = cJSON_GetObjectItemCaseSensitive(json, "file");
    double file_len = file ? cJSON_GetNumberValue(file) : 0;

    *request = (struct control_request){.input = ""};
    if (cJSON_IsString(input))
        request->input = input->valuestring;
    if (!(file_len >= 0 && file_len <= CONTROL_FILE_MAX))
        return -1;
    request->file_len = (size_t)file_len;
    cJSON_ArrayForEach(arg, args)
    {
        if (!cJSON_IsString(arg) || request->count == CONTROL_ARGS_MAX)
            return -1;
        request->args[request->count++] = arg->valuestring;
    }
    return request->count > 0 ? 0 : -1;
}

static void wipe_string(cJSON *item)
{
    if (cJSON_IsString(item))
        sodium_memzero(item->valuestring, strlen(item->valuestring));
}

/* The input may be a password, an argument a withdrawal code. */
static void wipe_request(cJSON *json)
{
    cJSON *arg;

    wipe_string(cJSON_GetObjectItemCaseSensitive(json, "input"));
    cJSON_ArrayForEach(arg, cJSON_GetObjectItemCaseSensitive(json, "args")) wipe_string(arg);
    cJSON_Delete(json);
}

/* Receives and parses a request; NULL if it is none. */
static cJSON *receive_request(struct end *e)
{
    char text[REQUEST_MAX_BYTES];
    cJSON *json = NULL;
    uint8_t head[4];
    size_t len;

    if (receive_all(e, head, sizeof head) != 0)
        return NULL;
    len = get_le32(head);
    if (len <= sizeof text && receive_all(e, text, len) == 0)
        json = cJSON_ParseWithLength(text, len);
    sodium_memzero(text, sizeof text);
    return json;
}

/* Receives the file behind the request, if there is one: *storage is the caller's to wipe. */
static int receive_file(struct end *e, struct control_request *request, char **storage)
{
    *storage = NULL;
    if (request->file_len == 0)
        return 0;
    *storage = xcalloc(request->file_len, 1);
    request->file = *storage;
    return receive_all(e, *storage, request->file_len);
}

static void serve_connection(struct end *e)
{
    struct control_sink sink = {send_frame, e};
    struct control_request request = {0};
    cJSON *json = receive_request(e);
    char *file = NULL;
    uint8_t status = 1;

    if (json && parse_request(&request, json) == 0 && receive_file(e, &request, &file) == 0)
        status = (uint8_t)e->control->handle(e->control->ctx, &request, &sink);
    if (file)
        sodium_memzero(file, request.file_len);
    free(file);
    wipe_request(json);
    if (send_frame(e, 'X', &status, 1) != 0)
        log_debug("control: the command has gone away");
}

static void *run_connection(void *arg)
{
    struct end *e = arg;
    struct control *c = e->control;

    serve_connection(e);
    close(e->fd);
    free(e);
    atomic_fetch_sub(&c->in_work, 1);
    return NULL;
}

static void start_connection(struct control *c, int fd)
{
    struct end *e = xcalloc(1, sizeof *e);
    pthread_attr_t detached;
    pthread_t thread;

    *e = (struct end){c, fd};
    atomic_fetch_add(&c->in_work, 1);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &detached, run_connection, e) != 0) {
        log_error("control: no thread for a command");
        atomic_fetch_sub(&c->in_work, 1);
        close(fd);
        free(e);
    }
    pthread_attr_destroy(&detached);
}

static void *run(void *arg)
{
    struct control *c = arg;
    struct pollfd waiting = {.fd = c->fd, .events = POLLIN};

    while (!atomic_load(&c->closing)) {
        int fd;

        if (atomic_load(&c->in_work) >= CONNECTIONS_MAX) {
            usleep(POLL_MS * 1000);
            continue;
        }
        if (poll(&waiting, 1, POLL_MS) <= 0)
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

static int send_request(const struct end *e, const struct control_request *request)
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
    buf_printf(&text, ",\"file\":%zu}", request->file_len);
    put_le32(head, text.len);
    result = buf_ok(&text) && send_all(e, head, sizeof head) == 0 &&
                     send_all(e, text.data, text.len) == 0 &&
                     send_all(e, request->file, request->file_len) == 0
                 ? 0
                 : -1;
    buf_wipe(&text);
    return result;
}

/* Passes the frames on until the exit status comes; -1 if the connection breaks. */
static int receive_answer(const struct end *e, const struct control_sink *sink)
{
    uint8_t head[5];
    char data[65536];

    for (;;) {
        size_t left;

        if (receive_all(e, head, sizeof head) != 0)
            return -1;
        left = get_le32(head + 1);
        while (left > 0) {
            size_t len = left < sizeof data ? left : sizeof data;

            if (receive_all(e, data, len) != 0)
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
    struct end e = {NULL, -1};
    int result = -1;

    if (set_address(&address, path, err) != 0)
        goto out;
    e.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (e.fd < 0 || connect(e.fd, (struct sockaddr *)&address, sizeof address) != 0) {
        buf_printf(err, "the server that has %s does not answer: %s", data_dir, strerror(errno));
        goto out;
    }
    result = send_request(&e, request) == 0 ? receive_answer(&e, sink) : -1;
    if (result < 0) {
        buf_adds(err, "the server broke the connection off");
        result = CONTROL_BROKEN;
    }
out:
    if (e.fd >= 0)
        close(e.fd);
    free(path);
    return result;
}
