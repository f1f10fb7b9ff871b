/*
 * ceiling: what libmicrohttpd itself can do on this machine.
 *
 *     ceiling PORT [THREADS]
 *
 * Reads the body of every POST and answers 303 with a Location as long as ours; nothing else. The
 * daemon has the options of server/http.c, so the difference to it is our own work. Ends with
 * SIGTERM.
 */
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX_BYTES 8192

struct body {
    size_t len;
    char data[BODY_MAX_BYTES];
};

static enum MHD_Result answer(struct MHD_Connection *connection)
{
    static char location[] =
        "/en/thanks/"
        "0123456789012345678901234567890123456789012345678901234567890123456789"
        "0123456789012345678901234567890123456789012345678901234567890";
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    enum MHD_Result result;

    MHD_add_response_header(response, "Location", location);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    result = MHD_queue_response(connection, 303, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **state)
{
    struct body *body = *state;

    (void)cls;
    (void)url;
    (void)method;
    (void)version;
    if (!body) {
        body = malloc(sizeof *body);
        *state = body;
        if (body)
            body->len = 0;
        return body ? MHD_YES : MHD_NO;
    }
    if (*upload_len == 0)
        return answer(connection);
    if (*upload_len > BODY_MAX_BYTES - body->len)
        return MHD_NO;
    memcpy(body->data + body->len, upload, *upload_len);
    body->len += *upload_len;
    *upload_len = 0;
    return MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    (void)cls;
    (void)connection;
    (void)why;
    free(*state);
    *state = NULL;
}

int main(int argc, char **argv)
{
    unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 2;
    struct MHD_Daemon *daemon;
    sigset_t set;
    int which;

    if (argc < 2) {
        fputs("usage: ceiling PORT [THREADS]\n", stderr);
        return 2;
    }
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, (uint16_t)strtoul(argv[1], NULL, 10),
                              NULL, NULL, on_request, NULL, MHD_OPTION_THREAD_POOL_SIZE, threads,
                              MHD_OPTION_CONNECTION_LIMIT, 4000u,
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384,
                              MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
    if (!daemon) {
        fputs("ceiling: cannot listen\n", stderr);
        return 1;
    }
    sigwait(&set, &which);
    MHD_stop_daemon(daemon);
    return 0;
}
