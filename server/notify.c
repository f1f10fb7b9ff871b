/*
 * notify: messages to the service manager (see notify.h).
 *
 * A manager that does not read must not hold us up, so sockets are non-blocking and a lost message
 * is not an error: the next ping says the same.
 */
#include "notify.h"

#include "log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Fills the address; false if it is neither a path nor an abstract name, or too long. */
static bool parse_address(struct notify *n, const char *name)
{
    size_t len = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof n->to.sun_path)
        return false;
    n->to.sun_family = AF_UNIX;
    memcpy(n->to.sun_path, name, len);
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (name[0] == '@')
        n->to.sun_path[0] = '\0'; /* an abstract name's length counts, so no NUL at its end */
    else
        n->to_len++;
    return true;
}

/* A positive decimal number, or 0. */
static int64_t read_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long long number;

    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    number = strtoll(text, &end, 10);
    return errno == 0 && *end == '\0' ? number : 0;
}

void notify_init(struct notify *n)
{
    static const char *const variables[] = {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"};
    const char *name = getenv("NOTIFY_SOCKET");

    *n = (struct notify){.fd = -1};
    if (name && *name) {
        if (parse_address(n, name))
            n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (n->fd < 0)
            log_warn("NOTIFY_SOCKET cannot be used: the service manager hears nothing of us");
    }
    if (n->fd >= 0 && (!getenv("WATCHDOG_PID") || read_number("WATCHDOG_PID") == getpid()))
        n->watchdog_us = read_number("WATCHDOG_USEC");
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
}

bool notify_send(const struct notify *n, const char *message)
{
    size_t len = strlen(message);

    return n->fd >= 0 && sendto(n->fd, message, len, MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                                n->to_len) == (ssize_t)len;
}

void notify_release(struct notify *n)
{
    if (n->fd >= 0)
        close(n->fd);
    *n = (struct notify){.fd = -1};
}
