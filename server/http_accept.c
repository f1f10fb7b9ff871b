/*
 * http_accept: the thread that takes connections from the listening socket (see http_internal.h).
 *
 * libmicrohttpd's own threads would share the socket, and the first to wake takes all that wait:
 * then all signers are on one core. Handed over one by one, connections go to its threads by the
 * numbers of their descriptors. And it can be stopped: a thread that takes part in
 * MHD_quiesce_daemon may end the process (0.9.75).
 */
#include "http_internal.h"

#include "log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 20 /* while there are as many connections as there may be, or none can be had */
#define AT_ONCE 64 /* then it looks whether it is to stop */

struct acceptor {
    struct http_server *server;
    pthread_t thread;
    int stop_fd;
};

/* True until it is to stop; waits for a connection, or, if `full`, a moment. */
static bool wait_for_connection(const struct acceptor *a, bool full)
{
    struct pollfd fds[] = {{.fd = a->stop_fd, .events = POLLIN},
                           {.fd = a->server->listen_fd, .events = POLLIN}};
    int ready = poll(fds, full ? 1 : 2, full ? WAIT_MS : -1);

    if (ready < 0 && errno != EINTR) {
        log_error("http: waiting for connections: %s", strerror(errno));
        usleep(1000 * WAIT_MS);
    }
    return ready < 0 || fds[0].revents == 0;
}

/* Takes some that wait. True if there is no room for more: as many as may be, or no descriptor. */
static bool take_waiting(struct http_server *s)
{
    for (int i = 0; i < AT_ONCE; i++) {
        struct sockaddr_storage address;
        socklen_t len = sizeof address;
        int fd;

        if (atomic_load(&s->connections) >= (int)http_connection_limit(s))
            return true;
        fd = accept4(s->listen_fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
        atomic_fetch_add(&s->connections, 1); /* on_connection takes it off */
        /* It closes the socket if it fails. */
        if (MHD_add_connection(s->daemon, fd, (struct sockaddr *)&address, len) != MHD_YES)
            atomic_fetch_sub(&s->connections, 1);
    }
    return false;
}

static void *run(void *arg)
{
    struct acceptor *a = arg;
    bool full = false;

    while (wait_for_connection(a, full))
        full = take_waiting(a->server);
    return NULL;
}

struct acceptor *http_acceptor_open(struct http_server *s)
{
    struct acceptor *a = xcalloc(1, sizeof *a);

    a->server = s;
    a->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (a->stop_fd < 0 || pthread_create(&a->thread, NULL, run, a) != 0)
        log_fatal(1, "cannot start the thread that takes connections");
    return a;
}

void http_acceptor_close(struct acceptor *a)
{
    const uint64_t stop = 1;

    if (!a)
        return;
    if (write(a->stop_fd, &stop, sizeof stop) != sizeof stop)
        log_error("http: %s", strerror(errno));
    pthread_join(a->thread, NULL);
    close(a->stop_fd);
    free(a);
}
