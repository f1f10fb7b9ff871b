/*
 * listener: the listening socket, from its setting; and a connection to it, for who asks whether
 * anybody is there.
 */
#ifndef LISTENER_H
#define LISTENER_H

#include "buf.h"

/* Binds ADDR:PORT, [ADDR]:PORT or unix:PATH (a stale socket file is replaced, a live
 * one is not). It does not listen yet. Returns a non-blocking descriptor; or -1 with a line in err,
 * and *usage tells whether the setting itself is wrong. */
int listener_open(const char *setting, struct buf *err, bool *usage)
    __attribute__((warn_unused_result));

/* Connects to where listener_open() listens for the same setting (the wildcard addresses mean this
 * machine). Returns a blocking descriptor on which each call takes at most timeout_s; errors as
 * above. */
int listener_connect(const char *setting, int timeout_s, struct buf *err, bool *usage)
    __attribute__((warn_unused_result));

#endif
