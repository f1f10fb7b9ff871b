/*
 * listener: listening sockets, and a connection to one (see listener.h). Runs in main, at start.
 */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_FLAGS (SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)

/* Where to listen, and which setting says so. */
struct wish {
    const char *setting, *value;
};

static int fail(int fd, const struct wish *wish, struct buf *err)
{
    buf_printf(err, "%s: cannot listen on %s: %s", wish->setting, wish->value, strerror(errno));
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

/* -1 with errno if the path is too long. */
static int fill_unix(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address->sun_path, path, strlen(path) + 1);
    return 0;
}

static int listen_unix(const struct wish *wish, const char *path, struct buf *err)
{
    struct sockaddr_un address;
    int fd;

    if (fill_unix(&address, path) != 0)
        return fail(-1, wish, err);
    if (is_stale(&address))
        unlink(path);
    fd = socket(AF_UNIX, SOCKET_FLAGS, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        chmod(path, 0660) != 0)
        return fail(fd, wish, err);
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

static int listen_tcp(const struct wish *wish, const struct addrinfo *info, struct buf *err)
{
    int yes = 1, fd = socket(info->ai_family, SOCKET_FLAGS, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0)
        return fail(fd, wish, err);
    return fd;
}

/* The address that ADDR:PORT or [ADDR]:PORT names, for freeaddrinfo(); NULL with a line in err. */
static struct addrinfo *tcp_address(const struct wish *wish, struct buf *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *info = NULL;
    char *copy = xstrdup(wish->value), *host, *port;

    if (!split(copy, &host, &port) || getaddrinfo(host, port, &hints, &info) != 0) {
        info = NULL;
        buf_printf(err, "%s must be ADDR:PORT, [ADDR]:PORT or unix:PATH, not \"%.60s\"",
                   wish->setting, wish->value);
    }
    free(copy);
    return info;
}

/* PATH of unix:PATH, or NULL. */
static const char *unix_path(const char *value)
{
    return strncmp(value, "unix:", 5) == 0 && value[5] ? value + 5 : NULL;
}

int listener_open(const char *setting, const char *value, struct buf *err, bool *usage)
{
    const struct wish wish = {setting, value};
    const char *path = unix_path(value);
    struct addrinfo *info;
    int fd = -1;

    *usage = false;
    if (path)
        return listen_unix(&wish, path, err);
    info = tcp_address(&wish, err);
    *usage = !info;
    if (info) {
        fd = listen_tcp(&wish, info, err);
        freeaddrinfo(info);
    }
    return fd;
}

static int connect_to(const struct sockaddr *address, socklen_t len, int timeout_s)
{
    struct timeval patience = {.tv_sec = timeout_s};
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, address, len) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

int listener_connect(const char *value, int timeout_s, struct buf *err, bool *usage)
{
    const struct wish wish = {"listen", value};
    const char *path = unix_path(value);
    struct sockaddr_un address;
    struct addrinfo *info;
    int fd = -1;

    *usage = false;
    if (path) {
        if (fill_unix(&address, path) == 0)
            fd = connect_to((struct sockaddr *)&address, sizeof address, timeout_s);
    } else {
        info = tcp_address(&wish, err);
        *usage = !info;
        if (!info)
            return -1;
        fd = connect_to(info->ai_addr, info->ai_addrlen, timeout_s);
        freeaddrinfo(info);
    }
    if (fd < 0)
        buf_printf(err, "cannot connect to %s: %s", value, strerror(errno));
    return fd;
}

/* ---- a socket that somebody else has opened */

#define FIRST_INHERITED 3 /* SD_LISTEN_FDS_START */

/* The number in a variable; -1 if there is none. */
static long read_number(const char *name)
{
    const char *text = getenv(name);
    char *end;
    long number;

    if (!text || *text < '0' || *text > '9')
        return -1;
    number = strtol(text, &end, 10);
    return *end == '\0' ? number : -1;
}

/* True for a stream socket that listens. */
static bool is_listening(int fd)
{
    int type = 0, listening = 0;
    socklen_t type_len = sizeof type, listening_len = sizeof listening;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
           getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &listening_len) == 0 && listening;
}

int listener_inherited(int *fd, struct buf *err)
{
    bool ours = read_number("LISTEN_PID") == getpid();
    long count = ours ? read_number("LISTEN_FDS") : 0;
    int flags;

    *fd = 0;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (count == 0)
        return 0;
    if (count != 1) {
        buf_adds(err, "LISTEN_FDS: exactly one socket must be handed over: give the socket unit "
                      "one ListenStream");
        return -1;
    }
    flags = fcntl(FIRST_INHERITED, F_GETFL);
    if (!is_listening(FIRST_INHERITED) || flags < 0 ||
        fcntl(FIRST_INHERITED, F_SETFL, flags | O_NONBLOCK) != 0 ||
        fcntl(FIRST_INHERITED, F_SETFD, FD_CLOEXEC) != 0) {
        buf_adds(err, "LISTEN_FDS: what was handed over is no stream socket that listens");
        return -1;
    }
    *fd = FIRST_INHERITED;
    return 0;
}
