/*
 * notify: tells the service manager how the process is, without libsystemd.
 *
 * Protocol: sd_notify(3): datagrams of NAME=value lines to the AF_UNIX socket that NOTIFY_SOCKET
 * names, a path or, with '@' first, an abstract name. WATCHDOG_USEC and WATCHDOG_PID:
 * sd_watchdog_enabled(3).
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Constant once made; any thread may send. */
struct notify {
    int fd; /* -1: nobody wants to know */
    struct sockaddr_un to;
    socklen_t to_len;
    int64_t watchdog_us; /* the manager ends us after so long without a ping; 0: never */
};

/* Reads the environment and takes its variables out of it, so that no child answers for us. A
 * NOTIFY_SOCKET that cannot be used is one warning. In main, before there are threads. */
void notify_init(struct notify *n);
/* Does not block. False if nobody wants to know, or the message could not be handed over. */
bool notify_send(const struct notify *n, const char *message);
void notify_release(struct notify *n);

#endif
