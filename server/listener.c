/*
 * listener: the listening socket (see listener.h). Runs in main, at start.
 */
#include "listener.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

static int fail(int fd, const char *setting, struct buf *err)
{
    buf_printf(err, "cannot listen on %s: %s", setting, strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

/* True if nobody answers at the socket file, so that it may be replaced. */
static bool is_stale(const struct sockaddr_un *address)
{
    struct stat st;
    bool stale;
    int fd;

    if (lstat(address->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false; /* whatever it is, it is not ours to remove */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    stale = connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
            errno == ECONNREFUSED;
    close(fd);
    return stale;
}

static int listen_unix(const char *setting, const char *path, struct buf *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return fail(-1, setting, err);
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (is_stale(&address))
        unlink(path);
    fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0660) != 0)
        return fail(fd, setting, err);
    return fd;
}

/* Splits ADDR:PORT or [ADDR]:PORT in place; false if it is neither. */
static bool split(char *setting, char **host, char **port)
{
    char *colon = strrchr(setting, ':'), *end;

    if (!colon || colon == setting || !colon[1])
        return false;
    *colon = '\0';
    *port = colon + 1;
    *host = setting;
    if (setting[0] == '[') {
        end = strchr(setting, ']');
        if (!end || end[1])
            return false;
        *end = '\0';
        *host = setting + 1;
    }
    return strspn(*port, "0123456789") == strlen(*port) && strtol(*port, NULL, 10) <= 65535;
}

static int listen_tcp(const char *setting, const struct addrinfo *info, struct buf *err)
{
    int yes = 1, fd = socket(info->ai_family, SOCKET_FLAGS, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0)
        return fail(fd, setting, err);
    return fd;
}

int listener_open(const char *setting, struct buf *err, bool *usage)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *info = NULL;
    char *copy, *host, *port;
    int fd = -1;

    *usage = false;
    if (strncmp(setting, "unix:", 5) == 0 && setting[5])
        return listen_unix(setting, setting + 5, err);
    copy = xstrdup(setting);
    if (split(copy, &host, &port) && getaddrinfo(host, port, &hints, &info) == 0) {
        fd = listen_tcp(setting, info, err);
        freeaddrinfo(info);
    } else {
        *usage = true;
        buf_printf(err, "listen must be ADDR:PORT, [ADDR]:PORT or unix:PATH, not \"%.60s\"",
                   setting);
    }
    free(copy);
    return fd;
}
