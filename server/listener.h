/*
 * listener: a listening socket, from its setting or from whoever started the process; and a
 * connection to one, for who asks whether anybody is there.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "buf.h"

/* Binds ADDR:PORT, [ADDR]:PORT or unix:PATH (a stale socket file is replaced, a live
 * one is not). It does not listen yet. Returns a non-blocking descriptor; or -1 with a line in err
 * that names the setting, and *usage tells whether its value is wrong in itself. */
int listener_open(const char *setting, const char *value, struct buf *err, bool *usage)
    __attribute__((warn_unused_result));

/* Socket activation, sd_listen_fds(3): with a LISTEN_PID that is ours, *fd becomes the descriptor
 * that LISTEN_FDS promises, which listens already, and is made non-blocking and close-on-exec.
 * Whoever handed it over keeps it too: closing ours leaves its backlog as it is. *fd is 0 if there
 * is none. -1 with a line in err if it is something else, or more than one. Takes the variables out
 * of the environment: in main, before there are threads. */
int listener_inherited(int *fd, struct buf *err) __attribute__((warn_unused_result));

/* Connects to where listener_open() listens for the same value of `listen` (the wildcard addresses
 * mean this machine). Returns a blocking descriptor on which each call takes at most timeout_s;
 * errors as above. */
int listener_connect(const char *value, int timeout_s, struct buf *err, bool *usage)
    __attribute__((warn_unused_result));

#endif
