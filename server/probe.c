/*
 * probe: one request to the server (see probe.h). Runs in main, in the process of the command.
 *
 * Only the status line is read: what /readyz says besides is for people.
 */
#include "probe.h"

#include "listener.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_S 5

static const char request[] =
    "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
static const char ready[] = "HTTP/1.1 200";

/* Reads the first `len` bytes of the answer; fewer if it ends before. */
static size_t read_start(int fd, char *start, size_t len)
{
    size_t have = 0;
    ssize_t got = 1;

    while (have < len && got > 0) {
        got = read(fd, start + have, len - have);
        have += got > 0 ? (size_t)got : 0;
    }
    return have;
}

int probe_ready(const char *listen, struct buf *err, bool *usage)
{
    char start[sizeof ready - 1];
    int result = -1, fd = listener_connect(listen, TIMEOUT_S, err, usage);

    if (fd < 0)
        return -1;
    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)(sizeof request - 1) ||
        read_start(fd, start, sizeof start) != sizeof start)
        buf_printf(err, "%s does not answer", listen);
    else if (memcmp(start, ready, sizeof start) != 0)
        buf_printf(err, "%s is not ready: it answers %.3s", listen, start + sizeof start - 3);
    else
        result = 0;
    close(fd);
    return result;
}
