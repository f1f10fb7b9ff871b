/*
 * probe: the readiness of a server, asked from outside, for supervisors that have no HTTP client.
 */
#ifndef PROBE_H
#define PROBE_H

#include "buf.h"

/* Asks the server that listens at the setting `listen` for /readyz. 0 if it can take a signature;
 * -1 with a line in err if not, and *usage tells whether the setting itself is wrong. Takes some
 * seconds at most, unless the server sends its answer in crumbs. */
int probe_ready(const char *listen, struct buf *err, bool *usage)
    __attribute__((warn_unused_result));

#endif
